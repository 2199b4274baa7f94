//! Runs every test.

use anyhow::Result;

use crate::{build, cargo, package, run, tools};

/// Builds what the tests start, gets the tools that they drive, and runs them.
pub(crate) fn test(args: &[String]) -> Result<()> {
    build::functions()?;
    build::trapping_function()?;
    build::next_build()?;
    build::embedded_host()?;
    package::package()?;
    let missing = tools::missing()?;
    println!("Running the tests …");
    run(cargo()
        .arg("test")
        .args(args)
        .env("TESTS_WITHOUT", missing.join(",")))
}
