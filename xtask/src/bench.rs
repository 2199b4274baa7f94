//! Runs the benchmarks.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{build, root, run, tools, up};

/// Builds what is measured, gets the tools for it, and measures; with `write` the results go to `docs`.
pub(crate) fn bench(write: bool) -> Result<()> {
    tools::require_for_benches()?;
    seed()?;
    build::functions()?;
    build::floor()?;
    build::embedded_host()?;
    build::benches()?;
    let mut benches = Command::new(root().join("target/host/benches"));
    if write {
        benches.arg("--write");
    }
    if up::spin_fits() {
        benches.arg("--with-spin");
    }
    run(&mut benches)
}

/// Installs what the seed needs in an environment of its own, unless it is there.
fn seed() -> Result<()> {
    let environment = root().join("target/venv-seed");
    let wanted = root().join("benches/seed/requirements.txt");
    let installed = environment.join("requirements.txt");
    let read = |path: &Path| fs::read(path).ok();
    if read(&installed) == read(&wanted) {
        return Ok(());
    }
    println!("Installing Flask and gunicorn for the seed …");
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&environment))?;
    run(Command::new(environment.join("bin/python"))
        .args([
            "-m",
            "pip",
            "--disable-pip-version-check",
            "install",
            "--quiet",
            "--no-deps",
        ])
        .arg("--requirement")
        .arg(&wanted))?;
    fs::copy(&wanted, &installed).with_context(|| format!("cannot write {}", installed.display()))?;
    Ok(())
}
