//! `deploy/sweep/sweep`.

use std::path::Path;
use std::process::{Command, Output};

use harness::{python, without};

use crate::transfer::Faulty;

fn sweep(url: &str, variable: &str, tokens: &str) -> Output {
    Command::new(harness::root().join("deploy/sweep/sweep"))
        .arg(url)
        .env_remove("USERS_TOKEN")
        .env(variable, tokens)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_sweep_goes_on_until_every_user_was_looked_at() {
    if without(python::PROGRAM) || without("curl") {
        return;
    }
    let service = Faulty::start(0, Path::new("/dev/null"));
    // The first of two while a token is changed.
    for tokens in ["secret", "secret,old"] {
        let output = sweep(&service.url, "USERS_TOKEN", tokens);
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "published 33, pending 3\n"
        );
    }
}

#[test]
fn a_sweep_that_could_not_be_done_fails_and_tells_no_token() {
    if without(python::PROGRAM) || without("curl") {
        return;
    }
    let service = Faulty::start(0, Path::new("/dev/null"));
    let output = sweep(&service.url, "USERS_TOKEN", "wrong");
    assert!(!output.status.success());
    assert!(
        said(&output).contains("urn:problem:unauthenticated"),
        "{}",
        said(&output)
    );
    assert!(!said(&output).contains("wrong"), "{}", said(&output));

    let output = sweep(&service.url, "OTHER", "wrong");
    assert!(!output.status.success());
    assert!(
        said(&output).contains("USERS_TOKEN is not set"),
        "{}",
        said(&output)
    );

    let output = sweep(&format!("{}/elsewhere", service.url), "USERS_TOKEN", "secret");
    assert!(!output.status.success());
    assert!(
        said(&output).contains("urn:problem:no-such-route"),
        "{}",
        said(&output)
    );
}
