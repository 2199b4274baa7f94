//! Checks that the Rust installed here can build the project, and adds the target where it can.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// The target that the functions are built for.
pub(crate) const TARGET: &str = "wasm32-wasip2";

/// Major and minor version.
pub(crate) type Version = (u32, u32);

/// Fails, and tells what to do, if the compiler is older than the workspace requires.
pub(crate) fn require() -> Result<()> {
    let installed = rustc(&["--version"])?;
    let found = version(&installed).with_context(|| format!("cannot read the version in {installed:?}"))?;
    let needed = workspace_rust_version().context("Cargo.toml has no rust-version")?;
    ensure!(
        found >= needed,
        "{installed} is too old: Rust {}.{} or later is needed (`rustup update stable` installs it)",
        needed.0,
        needed.1,
    );
    Ok(())
}

/// Installs the functions' target if it is missing.
pub(crate) fn require_target() -> Result<()> {
    let library = rustc(&["--print", "target-libdir", "--target", TARGET])?;
    if Path::new(&library).is_dir() {
        return Ok(());
    }
    println!("Installing the Rust target {TARGET} …");
    match Command::new("rustup").args(["target", "add", TARGET]).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => bail!("`rustup target add {TARGET}` failed ({status})"),
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "the Rust target {TARGET} is not installed, and there is no rustup to install it with: \
             get Rust from https://rustup.rs, or install the target from the same source as this Rust"
        ),
        Err(error) => Err(error).context("cannot run rustup"),
    }
}

/// The first version in what a program prints about itself; a pre-release counts as its release.
pub(crate) fn version(text: &str) -> Option<Version> {
    text.split_whitespace().find_map(|word| {
        let mut numbers = word.trim_start_matches('v').split('.');
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    })
}

/// The folder in which cargo keeps the sources of other crates.
pub(crate) fn cargo_home() -> Result<PathBuf> {
    let named = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    named
        .or_else(|| Some(std::env::home_dir()?.join(".cargo")))
        .context("neither CARGO_HOME nor HOME is set")
}

fn workspace_rust_version() -> Option<Version> {
    include_str!("../../Cargo.toml")
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "))
        .and_then(|value| version(value.trim_matches('"')))
}

/// What the compiler prints, without the end of the line.
fn rustc(args: &[&str]) -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(args)
        .current_dir(crate::root())
        .output()
        .context("cannot run rustc")?;
    ensure!(
        output.status.success(),
        "rustc failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{version, workspace_rust_version};

    #[test]
    fn reads_what_programs_print() {
        assert_eq!(version("rustc 1.95.0 (59807616e 2026-04-14)"), Some((1, 95)));
        assert_eq!(
            version("rustc 1.97.0-nightly (1234567 2026-05-01)"),
            Some((1, 97))
        );
        assert_eq!(version("spin 4.1.0-pre0 (b0f84f2 2026-05-01)"), Some((4, 1)));
        assert_eq!(version("spin 4.0.2"), Some((4, 0)));
        assert_eq!(version("no version here"), None);
    }

    #[test]
    fn finds_the_version_that_the_workspace_asks_for() {
        assert!(workspace_rust_version() >= Some((1, 95)));
    }
}
