//! Runs the tests, and takes screenshots, which need the same set-up.

use std::process::Command;

use anyhow::{Context, Result};

use crate::world::World;
use crate::{build, cargo, package, root, run, tools};

/// The tests that run a second time, with the functions built for WASI 0.3.
const IN_BOTH_WORLDS: [&str; 8] = [
    "--package",
    "tests",
    "--test",
    "api",
    "--test",
    "consistency",
    "--test",
    "events",
];

/// Builds what the tests start, installs the tools that they use, and runs them.
pub(crate) fn test(args: &[String]) -> Result<()> {
    for world in World::ALL {
        build::functions(world)?;
        build::test_functions(world)?;
    }
    build::next_build()?;
    build::embedded_host()?;
    package::package()?;
    let missing = tools::missing()?;
    let tests = || {
        let mut tests = cargo();
        tests.arg("test").env("TESTS_WITHOUT", missing.join(","));
        tests
    };
    println!("Running the tests …");
    if !args.is_empty() {
        return run(tests().args(args));
    }
    run(build::with_host_profile(&mut tests()).args(["--package", "host"]))?;
    run(tests().args(["--workspace", "--exclude", "host"]))?;
    println!("Running the tests of the functions built for WASI 0.3 …");
    // The storage protocol is the same in both worlds: it need not be tried as often again.
    run(tests()
        .args(IN_BOTH_WORLDS)
        .env("TEST_WORLD", "wasip3")
        .env("CONSISTENCY", "brief"))
}

/// Takes the screenshots of the console, with the browser set-up of its tests.
pub(crate) fn screenshots() -> Result<()> {
    build::functions(World::Wasip2)?;
    build::embedded_host()?;
    tools::require_for_screenshots()?;
    let folder = root().join("docs/console");
    run(cargo()
        .args(["test", "--package", "tests", "--test", "console", "--"])
        .args(["--exact", "--ignored", "scenarios::screenshots_are_taken"])
        .env("SCREENSHOTS", &folder))?;
    let mut pictures = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        pictures.push(entry?.path());
    }
    run(Command::new("pngquant")
        .args(["--force", "--ext", ".png", "--strip"])
        .args(pictures))
}
