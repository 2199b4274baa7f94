//! The tools that are written in Python, in an environment of their own.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

/// What the tests here need and a machine may not have.
pub(crate) const PROGRAM: &str = "python3";

/// A tool of `requirements.txt`, installed in `target/venv` if it is not there yet.
pub(crate) fn tool(name: &str) -> Command {
    let environment = environment();
    let mut tool = Command::new(environment.join("bin").join(name));
    // The folder of the tests stays as it is.
    tool.env("PYTHONDONTWRITEBYTECODE", "1");
    tool
}

/// The folder of these tests.
pub(crate) fn folder() -> PathBuf {
    harness::root().join("tests/contract")
}

fn environment() -> PathBuf {
    let target = harness::root().join("target");
    let environment = target.join("venv");
    let wanted = folder().join("requirements.txt");
    let installed = environment.join("requirements.txt");
    fs::create_dir_all(&target).expect("a folder");
    // Several tests come here at once, and several test programs may.
    let lock = File::create(target.join("venv.lock")).expect("a lock file");
    lock.lock().expect("the lock");
    if fs::read(&installed).ok() != fs::read(&wanted).ok() {
        run(Command::new(PROGRAM)
            .args(["-m", "venv", "--clear"])
            .arg(&environment));
        run(Command::new(environment.join("bin/python"))
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
                "--requirement",
            ])
            .arg(&wanted));
        run(Command::new(environment.join("bin/python")).args([
            "-m",
            "pip",
            "--disable-pip-version-check",
            "check",
        ]));
        fs::copy(&wanted, &installed).expect("a note of what is installed");
    }
    environment
}

fn run(command: &mut Command) {
    let status = command
        .status()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}
