//! Builds the functions and the embedded host.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use toml_edit::{DocumentMut, Item, Value};

use crate::{cargo, root, run, toolchain};

/// The functions that `spin.toml` deploys, each under the name of its package as well.
pub(crate) fn function_names() -> Result<Vec<String>> {
    let path = root().join("spin.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let manifest: DocumentMut = text
        .parse()
        .with_context(|| format!("{} is broken", path.display()))?;
    let components = manifest.get("component").and_then(Item::as_table_like);
    Ok(components
        .context("spin.toml has no components")?
        .iter()
        .map(|(name, _)| name.to_owned())
        .collect())
}

/// Builds every function, to where `spin.toml` looks for it.
pub(crate) fn functions() -> Result<()> {
    toolchain::require_target()?;
    println!("Building the functions …");
    release(&function_names()?)
}

/// Builds the function that the tests deploy to see it trap.
pub(crate) fn trapping_function() -> Result<()> {
    println!("Building the function that traps, for the tests …");
    release(&["trapping-function".to_owned()])
}

/// Builds a function once more under another name, which the tests take for its next release.
pub(crate) fn next_build() -> Result<()> {
    println!("Building the next release of a function, for the tests …");
    let target = root().join("target/next");
    run(cargo()
        .env("BUILD_ID", "next")
        .args(["build", "--release", "--target", toolchain::TARGET])
        .args(["--package", "create-user", "--target-dir"])
        .arg(target))
}

/// Builds the embedded host and says where it is.
pub(crate) fn embedded_host() -> Result<PathBuf> {
    println!("Building the embedded host (some minutes the first time) …");
    run(into_target(&mut cargo()).args(["--profile", "host", "--package", "host"]))?;
    Ok(root().join("target/host/host"))
}

/// Builds the components that show what a request costs at least.
pub(crate) fn floor() -> Result<()> {
    println!("Building the floor …");
    let mut cargo = cargo();
    into_target(&mut cargo).args(["--release", "--target", toolchain::TARGET]);
    run(cargo.args(["--package", "floor", "--examples"]))
}

/// Builds the native server and what measures all, with the optimizations of the embedded host.
pub(crate) fn benches() -> Result<()> {
    println!("Building the native server and the benchmarks …");
    run(into_target(&mut cargo()).args(["--profile", "host", "--package", "native", "--package", "benches"]))
}

fn release(packages: &[String]) -> Result<()> {
    let mut cargo = cargo();
    into_target(&mut cargo).args(["--release", "--target", toolchain::TARGET]);
    // The same sources make the same bytes wherever they are built: messages of panics tell paths of other crates, and
    // these variables would take the place of what `.cargo/config.toml` asks of the linker.
    let flag = format!(
        "--remap-path-prefix={}=/cargo",
        toolchain::cargo_home()?.display()
    );
    cargo
        .arg("--config")
        .arg(format!(
            "target.{}.rustflags = [{}]",
            toolchain::TARGET,
            Value::from(flag)
        ))
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    run(cargo.args(packages.iter().flat_map(|package| ["--package", package])))
}

/// `spin.toml` names files in `target`, so that is where they go, also if cargo is set up to build elsewhere.
fn into_target(cargo: &mut Command) -> &mut Command {
    cargo.args(["build", "--target-dir"]).arg(root().join("target"))
}
