//! The package, as `cargo xtask package` has made it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::App;
use serde_json::Value as Json;
use tempfile::TempDir;
use toml::{Table, Value};

const JANE: &str = r#"{"username":"jane","points":101}"#;

/// The package, unpacked.
struct Package {
    folder: PathBuf,
    _parent: TempDir,
}

impl Package {
    fn unpacked() -> Self {
        let name = concat!("users-", env!("CARGO_PKG_VERSION"));
        let packed = harness::root()
            .join("target/package")
            .join(name)
            .with_added_extension("tar.gz");
        assert!(
            packed.exists(),
            "{} is missing: `cargo xtask test` makes it",
            packed.display()
        );
        let parent = tempfile::tempdir().unwrap();
        let mut tar = Command::new("tar");
        tar.arg("--extract")
            .arg("--file")
            .arg(packed)
            .arg("--directory")
            .arg(parent.path());
        assert!(tar.status().unwrap().success());
        Self {
            folder: parent.path().join(name),
            _parent: parent,
        }
    }

    /// Every file in it, by its path.
    fn files(&self) -> BTreeSet<PathBuf> {
        let mut files = BTreeSet::new();
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.insert(path.strip_prefix(&self.folder).unwrap().to_owned());
                }
            }
        }
        files
    }
}

fn manifest(folder: &Path) -> Table {
    fs::read_to_string(folder.join("spin.toml"))
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
fn the_manifest_is_the_projects_but_for_where_the_functions_are() {
    let package = Package::unpacked();
    let packed = manifest(&package.folder);
    let mut expected = manifest(harness::root());
    for (_, component) in expected["component"].as_table_mut().unwrap() {
        let component = component.as_table_mut().unwrap();
        component.remove("build");
        let source = Path::new(component["source"].as_str().unwrap()).to_owned();
        let packed = Path::new("functions").join(source.file_name().unwrap());
        let original = fs::read(harness::root().join(source)).unwrap();
        assert!(
            fs::read(package.folder.join(&packed)).unwrap() == original,
            "{}",
            packed.display()
        );
        component.insert("source".to_owned(), packed.to_str().unwrap().into());
    }
    assert_eq!(packed, expected);
    assert_eq!(
        packed["application"]["version"],
        Value::from(env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn every_manifest_names_functions_that_are_there() {
    let package = Package::unpacked();
    let mut sources = 0;
    for file in package.files() {
        let path = package.folder.join(&file);
        if file.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let table: Table = text.parse().unwrap();
        let components = table.get("component").and_then(Value::as_table);
        for component in components.into_iter().flat_map(Table::values) {
            let source = component["source"].as_str().unwrap();
            assert!(
                path.with_file_name(source).exists(),
                "{} names {source}",
                file.display()
            );
            assert_eq!(component.get("build"), None, "{}", file.display());
            sources += 1;
        }
    }
    // All together and each apart.
    assert_eq!(
        sources,
        2 * manifest(&package.folder)["component"].as_table().unwrap().len()
    );
}

#[test]
fn the_checksums_are_those_of_all_files() {
    let package = Package::unpacked();
    let mut sha256sum = Command::new("sha256sum");
    sha256sum
        .args(["--check", "--strict", "--quiet", "SHA256SUMS"])
        .current_dir(&package.folder);
    assert!(sha256sum.status().unwrap().success());
    let sums = fs::read_to_string(package.folder.join("SHA256SUMS")).unwrap();
    let mut summed: BTreeSet<_> = sums.lines().map(|line| PathBuf::from(&line[66..])).collect();
    summed.insert("SHA256SUMS".into());
    assert_eq!(summed, package.files());
    for expected in [
        "LICENSE",
        "docs/openapi.yaml",
        "docs/OPERATIONS.md",
        "deploy/backup",
    ] {
        assert!(summed.contains(Path::new(expected)), "{expected}");
    }
}

#[test]
fn nothing_tells_where_it_was_made() {
    let package = Package::unpacked();
    let home = std::env::home_dir().unwrap();
    let cargo_home = std::env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    for file in package.files() {
        let bytes = fs::read(package.folder.join(&file)).unwrap();
        for folder in [harness::root(), &cargo_home] {
            let folder = folder.to_str().unwrap().as_bytes();
            let found = bytes.windows(folder.len()).any(|window| window == folder);
            assert!(!found, "{} names {}", file.display(), folder.escape_ascii());
        }
    }
}

#[test]
fn each_function_has_a_bill_of_materials() {
    let package = Package::unpacked();
    for (function, _) in manifest(&package.folder)["component"].as_table().unwrap() {
        let text = fs::read(package.folder.join(format!("sbom/{function}.cdx.json"))).unwrap();
        let bill: Json = serde_json::from_slice(&text).unwrap();
        assert_eq!(bill["bomFormat"], "CycloneDX");
        assert_eq!(bill["metadata"]["component"]["name"], function.as_str());
        // It would be another one each time.
        assert_eq!(bill.get("serialNumber"), None);
        let components = bill["components"].as_array().unwrap();
        let sdk = components
            .iter()
            .find(|component| component["name"] == "spin-sdk");
        assert!(
            sdk.is_some_and(|sdk| sdk["hashes"][0]["alg"] == "SHA-256"),
            "{function}: {sdk:?}"
        );
    }
}

#[tokio::test]
async fn the_package_serves() {
    let package = Package::unpacked();
    let app = App::builder()
        .manifest_file(package.folder.join("spin.toml"))
        .start()
        .await;
    app.create(JANE).await.exactly(201, JANE);
    app.put("/user/promote/jane")
        .await
        .exactly(200, r#"{"username":"jane","points":101,"status":"Gold"}"#);
    app.stop();
}
