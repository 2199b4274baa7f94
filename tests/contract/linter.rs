//! Checks the description against its standard, `OpenAPI` 3.1, and with two widely used linters.

use std::path::PathBuf;
use std::process::Command;

use harness::python;

fn description() -> PathBuf {
    harness::root().join("docs/openapi.yaml")
}

/// Runs a linter, which has to find nothing.
fn finds_nothing(linter: &mut Command) {
    let output = linter.output().expect("the linter runs");
    println!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success());
}

/// A linter from npm, or nothing where npm is missing.
fn from_npm(program: &str) -> Option<Command> {
    if ["node", "npm"].into_iter().any(harness::without) {
        return None;
    }
    let linter = harness::root().join("target/npm/node_modules/.bin").join(program);
    Some(Command::new(linter))
}

#[test]
fn the_description_is_valid() {
    if harness::without(python::PROGRAM) {
        return;
    }
    finds_nothing(
        python::tool("openapi-spec-validator")
            .args(["--validation-errors", "all"])
            .args(["--subschema-errors", "all"])
            .args(["--schema", "3.1"])
            .arg(description()),
    );
}

#[test]
fn redocly_has_no_warning() {
    let Some(mut redocly) = from_npm("redocly") else {
        return;
    };
    finds_nothing(
        redocly
            .args(["lint", "--extends", "recommended-strict"])
            .arg(description())
            // Without these it calls home.
            .env("REDOCLY_TELEMETRY", "off")
            .env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true"),
    );
}

#[test]
fn spectral_has_no_warning() {
    let Some(mut spectral) = from_npm("spectral") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rules = folder.path().join("rules.yaml");
    std::fs::write(&rules, "extends: [\"spectral:oas\"]").expect("a temporary file can be written");
    finds_nothing(
        spectral
            .args(["lint", "--fail-severity", "hint", "--ruleset"])
            .arg(rules)
            .arg(description()),
    );
}
