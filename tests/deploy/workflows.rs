//! Checks the workflows in `.github`, which can run only on GitHub.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use harness::root;
use serde::Deserialize;
use serde_json::Value;

fn yaml(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every `uses` in a workflow that names an action of another repository.
fn actions(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(members) => {
            let own = members.get("uses").and_then(Value::as_str);
            let own = own.filter(|action| !action.starts_with("./"));
            own.into_iter()
                .chain(members.values().flat_map(actions))
                .collect()
        }
        Value::Array(items) => items.iter().flat_map(actions).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_action_is_pinned_by_its_commit() {
    let mut pinned = 0;
    for entry in fs::read_dir(root().join(".github/workflows")).unwrap() {
        let path = entry.unwrap().path();
        for action in actions(&yaml(&path)) {
            let commit = action.split_once('@').map(|(_, commit)| commit);
            assert!(
                commit.is_some_and(|commit| {
                    commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
                }),
                "{}: {action} can be moved to another commit",
                path.display()
            );
            pinned += 1;
        }
    }
    assert!(pinned > 4, "{pinned}");
}

#[derive(Deserialize)]
struct Dependabot {
    updates: Vec<Update>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Update {
    package_ecosystem: String,
    directory: Option<String>,
    #[serde(default)]
    directories: Vec<String>,
}

/// What Dependabot calls the packages that a file locks.
fn ecosystem(file: &Path) -> Option<&'static str> {
    match file.file_name()?.to_str()? {
        "Cargo.lock" => Some("cargo"),
        "package.json" => Some("npm"),
        "requirements.txt" => Some("pip"),
        _ => None,
    }
}

#[test]
fn dependabot_knows_every_list_of_packages() {
    let files = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(files.status.success());
    let files = String::from_utf8(files.stdout).unwrap();
    let mut there = BTreeSet::new();
    for file in files.split_terminator('\0').map(Path::new) {
        if let Some(ecosystem) = ecosystem(file) {
            let folder = file.parent().unwrap().to_str().unwrap();
            there.insert((ecosystem.to_owned(), format!("/{folder}")));
        }
    }
    there.insert(("github-actions".to_owned(), "/".to_owned()));

    let read = fs::read_to_string(root().join(".github/dependabot.yml")).unwrap();
    let Dependabot { updates } = serde_saphyr::from_str(&read).unwrap();
    let mut known = BTreeMap::new();
    for update in updates {
        for folder in update.directories.into_iter().chain(update.directory) {
            *known
                .entry((update.package_ecosystem.clone(), folder))
                .or_insert(0) += 1;
        }
    }
    assert!(known.values().all(|times| *times == 1), "{known:?}");
    assert_eq!(known.into_keys().collect::<BTreeSet<_>>(), there);
}
