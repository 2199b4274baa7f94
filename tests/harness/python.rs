//! The tools that are written in Python and listed in `tests/requirements.txt`, in an environment of their own, and the
//! Python for what `deploy/amqp` has.

use std::process::Command;

/// What runs them, which a machine may not have.
pub const PROGRAM: &str = "python3";

/// A tool by its name.
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
