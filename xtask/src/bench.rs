//! Runs the benchmarks.

use std::process::Command;

use anyhow::Result;

use crate::{build, root, run, tools, up};

/// Builds what is measured, gets the tools for it, and measures; with `write` the results go to `docs`.
pub(crate) fn bench(write: bool) -> Result<()> {
    tools::require_for_benches()?;
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
