//! Formatting, lints and documentation.

use anyhow::Result;

use crate::{build, cargo, run, toolchain};

/// Checks formatting, lints and documentation, the lints of the functions also for the target that they run on.
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
    println!("Checking the documentation …");
    run(cargo()
        .args(["doc", "--workspace", "--no-deps"])
        .env("RUSTDOCFLAGS", "--deny warnings"))?;
    println!("Checking the lints of the fuzz targets …");
    // cargo-fuzz needs them to be a workspace of their own.
    run(cargo()
        .args(["clippy", "--manifest-path", "users/fuzz/Cargo.toml"])
        .args(["--target-dir", "target"])
        .args(["--", "--deny", "warnings"]))?;
    println!("Checking the lints of the functions …");
    toolchain::require_target()?;
    let functions = build::function_names()?;
    for features in [&[][..], &["--features", "users/wasip3,floor/wasip3"]] {
        let packages = functions.iter().flat_map(|function| ["--package", function]);
        run(cargo()
            .args(["clippy", "--target", toolchain::TARGET])
            .args(features)
            .args(packages)
            .args(["--package", "users", "--package", "floor", "--lib", "--examples"])
            .args(["--", "--deny", "warnings"]))?;
    }
    Ok(())
}
