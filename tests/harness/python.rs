//! The tools that are written in Python and listed in `tests/requirements.txt`, in an environment of their own.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

/// What runs them, which a machine may not have.
pub const PROGRAM: &str = "python3";

/// A tool by its name, installed in `target/venv` if it is not there yet.
pub fn tool(name: &str) -> Command {
    let environment = environment();
    let mut tool = Command::new(environment.join("bin").join(name));
    // The folder of the tests stays as it is.
    tool.env("PYTHONDONTWRITEBYTECODE", "1");
    tool
}

fn environment() -> PathBuf {
    let target = crate::root().join("target");
    let environment = target.join("venv");
    let wanted = crate::root().join("tests/requirements.txt");
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
