//! The programs besides Rust that some tests and the benchmarks use.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{cargo, root, run};

struct Tool {
    program: &'static str,
    /// The Debian package that contains it.
    package: &'static str,
    /// Arguments with which the program succeeds, unless it is too old or a part of it is missing.
    probe: Option<&'static [&'static str]>,
}

const PYTHON: Tool = Tool {
    program: "python3",
    package: "python3-venv",
    // Debian's python3 lacks them until the package is installed.
    probe: Some(&["-c", "import ensurepip, venv"]),
};

/// The browser in which the console is tested.
const CHROMIUM: Tool = Tool::new("chromium", "chromium");

const NODE: Tool = Tool {
    program: "node",
    package: "nodejs",
    // playwright-core requires Node.js 20, and Debian 12 has an older one.
    probe: Some(&[
        "--eval",
        "process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)",
    ]),
};

const NPM: Tool = Tool::new("npm", "npm");

/// The programs that the tests use, and what they test with them.
const TEST_TOOLS: [(Tool, &str); 12] = [
    (Tool::new("curl", "curl"), "the README's commands and the sweep"),
    (
        Tool::new("redis-server", "redis-server"),
        "the functions on a Redis store",
    ),
    (
        Tool::new("nginx", "nginx"),
        "the functions behind a reverse proxy",
    ),
    (Tool::new("sqlite3", "sqlite3"), "backup and restore"),
    (PYTHON, "the functions against their description"),
    (
        Tool {
            // Debian 12 has a version from 2021, which does not know the flag.
            probe: Some(&["kustomize", "--enable-helm", "--help"]),
            ..Tool::new("kubectl", "kubernetes-client")
        },
        "the Kubernetes objects",
    ),
    (
        Tool::new("envsubst", "gettext-base"),
        "the runtime configuration for Redis",
    ),
    (Tool::new("systemd-analyze", "systemd"), "the systemd units"),
    (
        Tool::new("rabbitmq-server", "rabbitmq-server"),
        "events to and awards from AMQP",
    ),
    (CHROMIUM, "the console"),
    (NODE, "the console and the linters of the API description"),
    (NPM, "the console and the linters of the API description"),
];

/// The programs that the benchmarks use.
const BENCH_TOOLS: [Tool; 3] = [
    Tool::new("wrk", "wrk"),
    Tool::new("redis-server", "redis-server"),
    PYTHON,
];

impl Tool {
    /// A program of any version.
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

/// Installs the tools of the tests if it may do so without asking, and returns those that are still missing.
///
/// With `CI=true` a missing tool is an error, since a test that is left out must not look like one that passed.
pub(crate) fn missing() -> Result<Vec<&'static str>> {
    install(TEST_TOOLS.iter().map(|(tool, _)| tool));
    let mut missing = Vec::new();
    for (tool, tests) in TEST_TOOLS.iter().filter(|(tool, _)| !tool.is_usable()) {
        eprintln!(
            "warning: {} is missing or too old, so the tests of {tests} are left out",
            tool.program
        );
        eprintln!("         (Debian, Ubuntu: `apt-get install {}`)", tool.package);
        missing.push(tool.program);
    }
    for (name, requirements) in [
        ("venv", "tests/requirements.txt"),
        ("venv-amqp", "deploy/amqp/requirements.txt"),
    ] {
        if !missing.contains(&PYTHON.program)
            && let Err(error) = python_environment(name, requirements)
        {
            eprintln!("warning: the tests that need what {requirements} lists are left out: {error:#}");
            missing.push(PYTHON.program);
        }
    }
    if !missing.contains(&NPM.program)
        && let Err(error) = node_modules()
    {
        eprintln!("warning: the tests of the console and of the API description are left out: {error:#}");
        missing.push(NPM.program);
    }
    if !missing.is_empty() && std::env::var("CI").is_ok_and(|ci| ci == "true") {
        bail!(
            "CI must run all tests, but some need what is missing: {}",
            missing.join(", ")
        );
    }
    Ok(missing)
}

/// Installs the tools for screenshots of the console, or fails and tells what to install.
pub(crate) fn require_for_screenshots() -> Result<()> {
    let tools = [CHROMIUM, NODE, NPM, Tool::new("pngquant", "pngquant")];
    require("the screenshots", &tools)?;
    node_modules()
}

/// Installs the programs and Python packages that the benchmarks use, or fails and says what to install.
pub(crate) fn require_for_benches() -> Result<()> {
    require("the benchmarks", &BENCH_TOOLS)?;
    python_environment("venv-seed", "benches/seed/requirements.txt")
}

/// Installs the `tools` if it may do so without asking. If one is still missing, fails and says what to install for
/// `what`.
fn require(what: &str, tools: &[Tool]) -> Result<()> {
    install(tools.iter());
    if let Some(tool) = tools.iter().find(|tool| !tool.is_usable()) {
        bail!(
            "{what} need {} (Debian, Ubuntu: `apt-get install {}`)",
            tool.program,
            tool.package
        );
    }
    Ok(())
}

/// Installs the tests' npm packages in `target/npm`, in the versions of `package-lock.json`, unless they are there.
fn node_modules() -> Result<()> {
    let folder = root().join("target/npm");
    let wanted = root().join("tests");
    let lock = "package-lock.json";
    // Written when all the rest is there.
    let installed = folder.join("installed.json");
    let read = |path: &Path| fs::read(path).ok();
    if read(&installed) == read(&wanted.join(lock)) {
        return Ok(());
    }
    println!("Installing what tests/package.json lists …");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for file in ["package.json", lock] {
        fs::copy(wanted.join(file), folder.join(file)).with_context(|| format!("cannot copy {file}"))?;
    }
    run(Command::new(NPM.program)
        .args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ])
        .current_dir(&folder))?;
    fs::copy(folder.join(lock), &installed)
        .with_context(|| format!("cannot write {}", installed.display()))?;
    Ok(())
}

/// Installs the packages in a list in the Python environment `target/<name>`, unless they are there.
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

/// Returns the program that writes bills of materials, after installing it in `target` if necessary.
pub(crate) fn cargo_cyclonedx() -> Result<PathBuf> {
    let package = "cargo-cyclonedx@0.5.9";
    let folder = root().join("target/tools").join(package);
    let program = folder.join("bin/cargo-cyclonedx");
    if !program.exists() {
        println!("Installing {package} (a minute, once) …");
        // Without optimizations it is built twice as fast, and it is fast enough.
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

/// Installs the missing ones of these tools if it may do so without asking.
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
