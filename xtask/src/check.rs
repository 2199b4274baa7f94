//! Formatting and lints.

use anyhow::Result;

use crate::{build, cargo, run, toolchain};

/// Checks everything; the functions a second time for the target that they run on.
pub(crate) fn check() -> Result<()> {
    println!("Checking the formatting …");
    run(cargo().args(["fmt", "--all", "--check"]))?;
    println!("Checking the lints …");
    run(cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]))?;
    println!("Checking the lints of the fuzz targets …");
    // They are a workspace of their own, which cargo-fuzz wants.
    run(cargo()
        .args(["clippy", "--manifest-path", "users/fuzz/Cargo.toml"])
        .args(["--target-dir", "target"])
        .args(["--", "--deny", "warnings"]))?;
    println!("Checking the lints of the functions …");
    toolchain::require_target()?;
    let functions = build::function_names()?;
    let packages = functions.iter().flat_map(|function| ["--package", function]);
    run(cargo()
        .args(["clippy", "--target", toolchain::TARGET])
        .args(packages)
        .args(["--package", "floor", "--lib", "--examples"])
        .args(["--", "--deny", "warnings"]))
}
