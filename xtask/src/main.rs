//! The project's own commands, by the cargo-xtask convention: `cargo xtask up`, `build`, `test`, `check`, `bench`,
//! `package`.

mod bench;
mod build;
mod check;
mod package;
mod test;
mod toolchain;
mod tools;
mod up;

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use clap::Parser;

/// The project's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// Builds what is needed and serves the functions on this machine.
    Up(up::Options),
    /// Builds the functions and the embedded host.
    Build,
    /// Builds everything and runs every test.
    Test {
        /// Arguments for `cargo test`, such as `--package tests create`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Checks formatting and lints.
    Check,
    /// Measures the functions against the floor, a native server and the seed.
    Bench {
        /// Write the results to docs/BENCHMARKS.md and docs/benchmarks.
        #[arg(long)]
        write: bool,
    },
    /// Builds the functions and packs them with what it takes to deploy them.
    Package,
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
            build::functions()?;
            build::embedded_host()?;
        }
        Task::Test { args } => test::test(&args)?,
        Task::Check => check::check()?,
        Task::Bench { write } => bench::bench(write)?,
        Task::Package => {
            build::functions()?;
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

/// The cargo that runs this program, at work in the project's folder.
fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    cargo
}

/// Runs a command to its end, its output going where ours goes.
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
