//! Runs a client that is generated from the description against the application.

use std::process::Command;

use harness::{App, python};

/// Runs a command that must succeed, and prints its output if it does not.
fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    println!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{command:?}: {}", output.status);
}

#[tokio::test]
async fn a_generated_client_does_all_that_the_api_offers() {
    if harness::without(python::PROGRAM) {
        return;
    }
    let app = App::start().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let client = folder.path().join("client");
    let mut generate = python::tool("openapi-python-client");
    generate
        .args(["generate", "--fail-on-warning", "--meta", "none", "--path"])
        .arg(harness::root().join("docs/openapi.yaml"))
        .arg("--output-path")
        .arg(client.join("users_and_loyalty_tiers_client"))
        .arg("--config")
        .arg(harness::root().join("tests/contract/generated_client.yaml"));
    run(&mut generate);
    let program = harness::root().join("tests/contract/generated_client.py");
    run(python::tool("python")
        .arg(program)
        .arg(app.url())
        .env("PYTHONPATH", &client));
}
