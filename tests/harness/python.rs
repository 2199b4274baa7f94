//! The Python environments of the tests: one with the tools in `tests/requirements.txt`, and one for the scripts in
//! `deploy/amqp`.

use std::process::Command;

/// The program that both need, for [`without`](crate::without).
pub const PROGRAM: &str = "python3";

/// Runs the tool called `name` in `tests/requirements.txt`.
pub fn tool(name: &str) -> Command {
    let mut tool = Command::new(crate::built("target/venv/bin").join(name));
    // The folder of the tests stays as it is.
    tool.env("PYTHONDONTWRITEBYTECODE", "1");
    tool
}

/// The Python that has what `deploy/amqp/requirements.txt` lists.
pub fn for_amqp() -> Command {
    let mut python = Command::new(crate::built("target/venv-amqp/bin/python"));
    python.env("PYTHONDONTWRITEBYTECODE", "1");
    python
}
