//! The project's own commands, by the cargo-xtask convention: `cargo xtask up`, `build`, `test`, `check`, `bench`,
//! `package`, `screenshots`.

mod bench;
mod build;
mod check;
mod package;
mod test;
mod toolchain;
mod tools;
mod up;
mod world;

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use clap::Parser;

use crate::world::World;

/// The project's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// Builds what is needed and serves the functions on this machine.
    Up(up::Options),
    /// Builds the functions and the embedded host, and makes spin-wasip3.toml from spin.toml.
    Build,
    /// Builds everything and runs every test.
    Test {
        /// Arguments for `cargo test`, such as `--package tests create`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Checks formatting, lints and documentation.
    Check,
    /// Measures the functions and compares them with the floor, a native server and the seed.
    Bench {
        /// Write the results to docs/BENCHMARKS.md and docs/benchmarks.
        #[arg(long)]
        write: bool,
        /// Measure each case once instead of three times.
        #[arg(long)]
        quick: bool,
    },
    /// Builds the release bundle: the functions and everything needed to deploy them.
    Package,
    /// Takes the screenshots of the console in docs/console.
    Screenshots,
}

fn main() -> ExitCode {
    perform(Task::parse()).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn perform(task: Task) -> Result<ExitCode> {
    toolchain::require()?;
    match task {
        Task::Up(options) => return up::up(&options),
        Task::Build => {
            build::manifest()?;
            build::functions(World::Wasip2)?;
            build::embedded_host()?;
        }
        Task::Test { args } => test::test(&args)?,
        Task::Check => check::check()?,
        Task::Bench { write, quick } => bench::bench(write, quick)?,
        Task::Screenshots => test::screenshots()?,
        Task::Package => {
            build::functions(World::Wasip2)?;
            package::package()?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The folder that holds `spin.toml`.
fn root() -> &'static Path {
    const XTASK: &str = env!("CARGO_MANIFEST_DIR");
    Path::new(XTASK).parent().unwrap_or(Path::new(XTASK))
}

/// A command of the cargo that runs this program, in the project's folder.
fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    // `cargo run` sets these for this program. With them, cargo would build ring, and what depends on it, once more than
    // from a shell.
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
        {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Runs a command, and fails if the command does. It inherits standard output and error.
fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .with_context(|| format!("cannot run {program}"))?;
    let name = Path::new(&program)
        .file_name()
        .map_or(program.as_str().into(), |name| name.to_string_lossy());
    let first = command
        .get_args()
        .next()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let command = format!("{name} {first}");
    ensure!(status.success(), "`{}` failed ({status})", command.trim_end());
    Ok(())
}
