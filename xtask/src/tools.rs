//! The programs beside Rust that some of the tests and the benchmarks drive.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{cargo, root, run};

struct Tool {
    program: &'static str,
    /// The Debian package that holds it.
    package: &'static str,
    /// With these arguments it succeeds, unless it is too old or a part of it is missing.
    probe: Option<&'static [&'static str]>,
}

const PYTHON: Tool = Tool {
    program: "python3",
    package: "python3-venv",
    // Debian's is without them until the package is installed.
    probe: Some(&["-c", "import ensurepip, venv"]),
};

/// What the tests drive, and what is tested with it.
const TEST_TOOLS: [(Tool, &str); 7] = [
    (
        Tool::new("redis-server", "redis-server"),
        "the functions on a Redis store",
    ),
    (
        Tool::new("nginx", "nginx"),
        "the functions behind a reverse proxy",
    ),
    (Tool::new("sqlite3", "sqlite3"), "back-up and restore"),
    (PYTHON, "the functions against their description"),
    (
        Tool {
            // Debian 12 has one of 2021, which does not know the flag.
            probe: Some(&["kustomize", "--enable-helm", "--help"]),
            ..Tool::new("kubectl", "kubernetes-client")
        },
        "the Kubernetes objects",
    ),
    (
        Tool::new("envsubst", "gettext-base"),
        "the runtime configuration for Redis",
    ),
    (Tool::new("systemd-analyze", "systemd"), "the systemd unit"),
];

/// What the benchmarks drive.
const BENCH_TOOLS: [Tool; 2] = [Tool::new("wrk", "wrk"), PYTHON];

impl Tool {
    /// A program of which any version will do.
    const fn new(program: &'static str, package: &'static str) -> Self {
        Self {
            program,
            package,
            probe: None,
        }
    }

    fn is_usable(&self) -> bool {
        is_installed(self.program)
            && self.probe.is_none_or(|arguments| {
                let tried = Command::new(self.program).args(arguments).output();
                tried.is_ok_and(|tried| tried.status.success())
            })
    }
}

/// Installs the tools of the tests where that needs no question, and names those that are still missing.
///
/// Under `CI=true` a missing tool is an error: a test that is left out must not look like one that passed.
pub(crate) fn missing() -> Result<Vec<&'static str>> {
    install(TEST_TOOLS.iter().map(|(tool, _)| tool));
    let mut missing = Vec::new();
    for (tool, tests) in TEST_TOOLS.iter().filter(|(tool, _)| !tool.is_usable()) {
        eprintln!(
            "warning: there is no {} here that would do, so the tests of {tests} are left out",
            tool.program
        );
        eprintln!("         (Debian, Ubuntu: `apt-get install {}`)", tool.package);
        missing.push(tool.program);
    }
    let requirements = "tests/requirements.txt";
    if !missing.contains(&PYTHON.program)
        && let Err(error) = python_environment("venv", requirements)
    {
        eprintln!("warning: the tests that need what {requirements} lists are left out: {error:#}");
        missing.push(PYTHON.program);
    }
    if !missing.is_empty() && std::env::var("CI").is_ok_and(|ci| ci == "true") {
        bail!(
            "CI runs all tests, and some would be left out for want of {}",
            missing.join(", ")
        );
    }
    Ok(missing)
}

/// Gets all that the benchmarks drive, or says what to install.
pub(crate) fn require_for_benches() -> Result<()> {
    install(BENCH_TOOLS.iter());
    if let Some(tool) = BENCH_TOOLS.iter().find(|tool| !tool.is_usable()) {
        bail!(
            "the benchmarks need {} (Debian, Ubuntu: `apt-get install {}`)",
            tool.program,
            tool.package
        );
    }
    python_environment("venv-seed", "benches/seed/requirements.txt")
}

/// Installs what a list asks for in `target/<name>`, a Python environment of its own, unless it is there.
fn python_environment(name: &str, requirements: &str) -> Result<()> {
    let environment = root().join("target").join(name);
    let wanted = root().join(requirements);
    let installed = environment.join("requirements.txt");
    let read = |path: &Path| fs::read(path).ok();
    if read(&installed) == read(&wanted) {
        return Ok(());
    }
    println!("Installing what {requirements} lists …");
    run(Command::new(PYTHON.program)
        .args(["-m", "venv", "--clear"])
        .arg(&environment))?;
    let pip = |args: &[&str]| {
        let mut pip = Command::new(environment.join("bin/python"));
        pip.args(["-m", "pip", "--disable-pip-version-check", "--quiet"]);
        pip.args(args).current_dir(root());
        run(&mut pip)
    };
    pip(&["install", "--no-deps", "--requirement", requirements])?;
    // Each list is complete, so nothing else is ever installed.
    pip(&["check"])?;
    fs::copy(&wanted, &installed).with_context(|| format!("cannot write {}", installed.display()))?;
    Ok(())
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

/// Installs the tools that are not here where that needs no question.
fn install<'a>(tools: impl Iterator<Item = &'a Tool>) {
    let missing = tools.filter(|tool| !tool.is_usable());
    let packages: Vec<_> = missing.map(|tool| tool.package).collect();
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
