//! Builds the release bundle: the functions, their manifests, and what an operator needs to deploy them.
//!
//! The same sources always give the same bytes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use toml_edit::{DocumentMut, Item, value};

use crate::{build, root, run, toolchain, tools};

/// The files and folders that are copied into the package. Only the manifests among them are changed.
const INCLUDED: [&str; 9] = [
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "console/vendor/README.md",
    "console/vendor/openapi-explorer-2.4.820.LICENSE",
    "deploy",
    "docs",
    "spin.toml",
];
/// The folder of the functions in the package.
const FUNCTIONS: &str = "functions";

/// Packs the functions, which must have been built, into `target/package/users-<version>.tar.gz`.
pub(crate) fn package() -> Result<()> {
    println!("Making the package …");
    let version = env!("CARGO_PKG_VERSION");
    let name = format!("users-{version}");
    let out = root().join("target/package");
    if out.exists() {
        fs::remove_dir_all(&out).with_context(|| format!("cannot remove {}", out.display()))?;
    }
    let folder = out.join(&name);
    let time = git(&["log", "-1", "--format=%ct"])?.trim().to_owned();

    // Only files that git tracks, so that the package does not depend on what else is on the machine.
    let sources = git(&["ls-files", "-z"])?;
    let sources: Vec<_> = sources.split_terminator('\0').map(Path::new).collect();
    for file in sources
        .iter()
        .filter(|file| INCLUDED.iter().any(|included| file.starts_with(included)))
    {
        copy(file, &folder)?;
        if file.extension().is_some_and(|extension| extension == "toml") {
            point_to_package(&folder.join(file))?;
        }
    }
    bills_of_materials(&sources, &time, &out.join("source"), &folder.join("sbom"))?;
    fs::create_dir_all(folder.join(FUNCTIONS))?;
    for function in build::function_names()? {
        let file = format!("{}.wasm", function.replace('-', "_"));
        let built = release_folder().join(&file);
        fs::copy(root().join(&built), folder.join(FUNCTIONS).join(file))
            .with_context(|| format!("cannot copy {}", built.display()))?;
    }
    shell(
        &folder,
        "find . -type f -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 sha256sum > ../sums && mv ../sums SHA256SUMS",
    )?;
    shell(
        &out,
        &format!(
            "tar --create --sort=name --format=ustar --owner=0 --group=0 --numeric-owner --mode=u+rwX,go+rX,go-w \
             --mtime=@{time} {name} | gzip --no-name --best > {name}.tar.gz && sha256sum {name}.tar.gz | tee {name}.tar.gz.sha256"
        ),
    )?;
    println!("The package is {}", out.join(name + ".tar.gz").display());
    Ok(())
}

/// The folder into which cargo builds the functions, as the manifests name it.
fn release_folder() -> PathBuf {
    Path::new("target").join(toolchain::TARGET).join("release")
}

/// Copies a file of the project to the same place below `folder`.
fn copy(file: &Path, folder: &Path) -> Result<()> {
    let target = folder.join(file);
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::copy(root().join(file), target).with_context(|| format!("cannot copy {}", file.display()))?;
    Ok(())
}

/// Changes a manifest to name the functions where the package has them, without build commands.
fn point_to_package(path: &Path) -> Result<()> {
    let text = fs::read_to_string(path)?;
    let mut document: DocumentMut = text
        .parse()
        .with_context(|| format!("{} is malformed", path.display()))?;
    let Some(components) = document.get_mut("component").and_then(Item::as_table_like_mut) else {
        return Ok(());
    };
    let built = release_folder();
    let built = built.to_str().context("the path is not UTF-8")?;
    for (_, component) in components.iter_mut() {
        let component = component
            .as_table_like_mut()
            .context("a component is not a table")?;
        component.remove("build");
        if let Some(source) = component.get("source").and_then(Item::as_str) {
            let source = source.replace(built, FUNCTIONS);
            component.insert("source", value(source));
        }
    }
    fs::write(path, document.to_string())?;
    Ok(())
}

/// Writes a bill of materials in `CycloneDX` for each function, using a copy of the sources.
fn bills_of_materials(sources: &[&Path], time: &str, copied: &Path, folder: &Path) -> Result<()> {
    let cargo_cyclonedx = tools::cargo_cyclonedx()?;
    // cargo-cyclonedx writes into the folder of every crate.
    for file in sources {
        copy(file, copied)?;
    }
    run(Command::new(cargo_cyclonedx)
        .args([
            "cyclonedx",
            "--quiet",
            "--format",
            "json",
            "--spec-version",
            "1.5",
        ])
        .args(["--target", toolchain::TARGET, "--no-build-deps"])
        .current_dir(copied)
        // Makes it leave out what differs from run to run.
        .env("SOURCE_DATE_EPOCH", time))?;
    fs::create_dir_all(folder)?;
    for function in build::function_names()? {
        let file = format!("{function}.cdx.json");
        let text = fs::read_to_string(copied.join(&function).join(&file))?;
        let text = text.replace(&format!("file://{}", copied.display()), "file://.");
        ensure!(
            !text.contains("file:///"),
            "{file} names a folder of this machine, because {} has characters that a URL escapes",
            copied.display()
        );
        fs::write(folder.join(file), text)?;
    }
    fs::remove_dir_all(copied)?;
    Ok(())
}

fn git(args: &[&str]) -> Result<String> {
    let output = Command::new("git")
        .args(args)
        .current_dir(root())
        .output()
        .context("cannot run git")?;
    ensure!(
        output.status.success(),
        "`git {}` failed: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    String::from_utf8(output.stdout).context("git prints a path that is not UTF-8")
}

fn shell(folder: &Path, script: &str) -> Result<()> {
    run(Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .current_dir(folder))
}
