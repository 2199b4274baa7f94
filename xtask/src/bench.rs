//! Runs the benchmarks.

use std::process::Command;

use anyhow::Result;

use crate::world::World;
use crate::{build, root, run, tools, up};

/// Builds what is measured, installs the tools for that, and measures: each case once if `quick`. With `write`, writes the
/// results to `docs`.
pub(crate) fn bench(write: bool, quick: bool) -> Result<()> {
    tools::require_for_benches()?;
    for world in World::ALL {
        build::functions(world)?;
        build::floor(world)?;
    }
    build::embedded_host()?;
    build::benches()?;
    let mut benches = Command::new(root().join("target/host/benches"));
    let with_spin = up::spin_fits();
    let flags = [(write, "--write"), (quick, "--quick"), (with_spin, "--with-spin")];
    run(benches.args(
        flags
            .iter()
            .filter(|(is_given, _)| *is_given)
            .map(|(_, flag)| flag),
    ))
}
