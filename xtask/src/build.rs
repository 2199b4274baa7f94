//! Builds the functions and the embedded host.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use toml_edit::{DocumentMut, Item, Value};

use crate::world::{World, wasip3_manifest};
use crate::{cargo, root, run, toolchain};

/// The names of the functions in `spin.toml`, which are also the names of their packages.
pub(crate) fn function_names() -> Result<Vec<String>> {
    let path = World::Wasip2.manifest();
    let text = read(&path)?;
    let manifest: DocumentMut = text
        .parse()
        .with_context(|| format!("{} is malformed", path.display()))?;
    let components = manifest.get("component").and_then(Item::as_table_like);
    Ok(components
        .context("spin.toml has no components")?
        .iter()
        .map(|(name, _)| name.to_owned())
        .collect())
}

/// Builds every function for `world`, to where its manifest looks for it.
pub(crate) fn functions(world: World) -> Result<()> {
    toolchain::require_target()?;
    println!("Building the functions for {world} …");
    release(world, "users", &packages(&function_names()?))
}

/// Generates the manifest for WASI 0.3 from `spin.toml`, unless it is up to date.
pub(crate) fn manifest() -> Result<()> {
    let made = wasip3_manifest(&read(&World::Wasip2.manifest())?);
    let path = World::Wasip3.manifest();
    if std::fs::read_to_string(&path).is_ok_and(|text| text == made) {
        return Ok(());
    }
    println!("Writing {} …", path.display());
    std::fs::write(&path, made).with_context(|| format!("cannot write {}", path.display()))
}

/// Builds the functions that only tests deploy: one that traps and, for WASI 0.2, one that probes what the host does.
pub(crate) fn test_functions(world: World) -> Result<()> {
    println!("Building the functions of the tests for {world} …");
    let mut functions = vec!["trapping-function".to_owned()];
    if world == World::Wasip2 {
        functions.push("probe-function".to_owned());
    }
    release(world, "users", &packages(&functions))
}

/// Builds a function again under another build name, which the tests use as its next release.
pub(crate) fn next_build() -> Result<()> {
    println!("Building the next release of a function, for the tests …");
    let target = root().join("target/next");
    run(cargo()
        .env("BUILD_ID", "next")
        .args(["build", "--release", "--target", toolchain::TARGET])
        .args(["--package", "create-user", "--target-dir"])
        .arg(target))
}

/// Builds the embedded host, and returns the path of its program.
pub(crate) fn embedded_host() -> Result<PathBuf> {
    println!("Building the embedded host (some minutes the first time) …");
    run(with_host_profile(cargo().arg("build")).args(["--package", "host"]))?;
    Ok(root().join("target/host/host"))
}

/// Builds the components that measure the minimum cost of a request.
pub(crate) fn floor(world: World) -> Result<()> {
    println!("Building the floor for {world} …");
    release(world, "floor", &["--package", "floor", "--examples"])
}

/// Builds the native server and the benchmarks, with the optimizations of the embedded host.
pub(crate) fn benches() -> Result<()> {
    println!("Building the native server and the benchmarks …");
    run(with_host_profile(cargo().arg("build")).args(["--package", "native", "--package", "benches"]))
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The arguments of cargo for these packages.
fn packages(names: &[String]) -> Vec<&str> {
    names.iter().flat_map(|name| ["--package", name]).collect()
}

/// Builds for `world`, by the feature of the package `featured`, what `arguments` name.
fn release(world: World, featured: &str, arguments: &[&str]) -> Result<()> {
    let mut cargo = cargo();
    cargo.args(world.build_arguments(featured));
    // Builds must be reproducible on every machine. Panic messages contain the paths of other crates, so these are
    // remapped; and the variables would override the linker flags in `.cargo/config.toml`, so they are removed.
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
    run(cargo.args(arguments))
}

/// Builds with the optimizations of the embedded host, into the folder where the tests and the benchmarks look, even if
/// cargo is configured to build elsewhere.
///
/// The host's own tests are built like this as well: wasmtime need not be built a second time, and without optimizations
/// it would take minutes to compile the functions.
pub(crate) fn with_host_profile(cargo: &mut Command) -> &mut Command {
    cargo
        .args(["--profile", "host", "--target-dir"])
        .arg(root().join("target"))
}
