//! The programs beside Rust that some of the tests and the benchmarks drive.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::{cargo, root, run};

struct Tool {
    program: &'static str,
    /// The Debian package that holds it.
    package: &'static str,
    /// What is tested with it.
    tests: &'static str,
    /// With these arguments it succeeds, unless it is too old.
    probe: Option<&'static [&'static str]>,
}

const TOOLS: [Tool; 7] = [
    Tool {
        program: "redis-server",
        package: "redis-server",
        tests: "the functions on a Redis store",
        probe: None,
    },
    Tool {
        program: "nginx",
        package: "nginx",
        tests: "the functions behind a reverse proxy",
        probe: None,
    },
    Tool {
        program: "sqlite3",
        package: "sqlite3",
        tests: "back-up and restore",
        probe: None,
    },
    Tool {
        program: "python3",
        package: "python3-venv",
        tests: "the functions against their description",
        probe: None,
    },
    Tool {
        program: "kubectl",
        package: "kubernetes-client",
        tests: "the Kubernetes objects",
        // Debian 12 has one of 2021, which does not know the flag.
        probe: Some(&["kustomize", "--enable-helm", "--help"]),
    },
    Tool {
        program: "envsubst",
        package: "gettext-base",
        tests: "the runtime configuration for Redis",
        probe: None,
    },
    Tool {
        program: "systemd-analyze",
        package: "systemd",
        tests: "the systemd unit",
        probe: None,
    },
];

impl Tool {
    fn is_usable(&self) -> bool {
        is_installed(self.program)
            && self.probe.is_none_or(|arguments| {
                let tried = Command::new(self.program).args(arguments).output();
                tried.is_ok_and(|tried| tried.status.success())
            })
    }
}

/// What the benchmarks need, program and package.
const BENCH_TOOLS: [(&str, &str); 2] = [("wrk", "wrk"), ("python3", "python3-venv")];

/// Installs the tools that are not here where that needs no question, and names those that are still missing.
///
/// Under `CI=true` a missing tool is an error: a test that is left out must not look like one that passed.
pub(crate) fn missing() -> Result<Vec<&'static str>> {
    let absent = || TOOLS.iter().filter(|tool| !tool.is_usable());
    install(absent().map(|tool| tool.package).collect());
    for tool in absent() {
        eprintln!(
            "warning: left out for want of {}, or of a newer one: the tests of {}",
            tool.program, tool.tests
        );
        eprintln!("         (Debian, Ubuntu: `apt-get install {}`)", tool.package);
    }
    let missing: Vec<_> = absent().map(|tool| tool.program).collect();
    if !missing.is_empty() && std::env::var("CI").is_ok_and(|ci| ci == "true") {
        bail!(
            "CI runs all tests, and these programs are missing: {}",
            missing.join(", ")
        );
    }
    Ok(missing)
}

/// The program that lists what a function is made of, installed in `target` if it is not there yet.
pub(crate) fn cargo_cyclonedx() -> Result<PathBuf> {
    let package = "cargo-cyclonedx@0.5.9";
    let folder = root().join("target/tools").join(package);
    let program = folder.join("bin/cargo-cyclonedx");
    if !program.exists() {
        println!("Installing {package} (a minute, once) …");
        // Unoptimized it is built twice as fast, and runs fast enough.
        run(cargo()
            .args([
                "install",
                "--quiet",
                "--debug",
                "--locked",
                "--no-track",
                "--root",
            ])
            .arg(&folder)
            .arg(package))?;
    }
    Ok(program)
}

/// Installs what the benchmarks need, or says what to install.
pub(crate) fn require_for_benches() -> Result<()> {
    let absent = || BENCH_TOOLS.iter().filter(|(program, _)| !is_installed(program));
    install(absent().map(|(_, package)| *package).collect());
    if let Some((program, package)) = absent().next() {
        bail!("the benchmarks need {program} (Debian, Ubuntu: `apt-get install {package}`)");
    }
    Ok(())
}

/// Installs packages where that needs no question.
fn install(packages: Vec<&str>) {
    if packages.is_empty() || !may_install() {
        return;
    }
    println!("Installing {} …", packages.join(", "));
    if let Err(error) = apt_get(["update"]).and_then(|()| apt_get(["install"].into_iter().chain(packages))) {
        eprintln!("warning: {error:#}");
    }
}

fn is_installed(program: &str) -> bool {
    // Debian keeps servers where only root's PATH looks.
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([Path::new("/usr/sbin").into()])
        .any(|folder| folder.join(program).is_file())
}

fn may_install() -> bool {
    rustix::process::geteuid().is_root() && Path::new("/etc/debian_version").exists()
}

fn apt_get<'a>(args: impl IntoIterator<Item = &'a str>) -> Result<()> {
    run(Command::new("apt-get")
        .args(args)
        .args(["--quiet", "--yes", "--no-install-recommends"])
        .env("DEBIAN_FRONTEND", "noninteractive"))
}
