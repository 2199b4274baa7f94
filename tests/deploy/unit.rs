//! The systemd units.

use std::fs;
use std::path::Path;
use std::process::Command;

use harness::{root, without};

/// The units in `deploy/`, and the programs that they start, which need not be installed.
const UNITS: [(&str, &str); 4] = [
    ("users@.service", "/usr/local/bin/spin"),
    ("users-sweep.service", "/usr/local/lib/users/sweep"),
    ("users-sweep.timer", ""),
    ("amqp/users-amqp@.service", "/usr/local/lib/users/venv/bin/python"),
];

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    if without("systemd-analyze") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (path, program) in UNITS {
        let mut unit = fs::read_to_string(root().join("deploy").join(path)).unwrap();
        if !program.is_empty() {
            let start = format!("ExecStart={program} ");
            assert_eq!(unit.matches(&start).count(), 1, "{path}");
            // Stands for a program that is not installed.
            unit = unit.replace(program, "/bin/sh");
        }
        let file = folder.path().join(Path::new(path).file_name().unwrap());
        fs::write(&file, unit).unwrap();
        files.push(file);
    }
    // Together, since the timer starts one of them.
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .args(&files)
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "{complaints}");
}

#[test]
fn every_unit_is_checked() {
    let known: Vec<_> = UNITS.iter().map(|(path, _)| *path).collect();
    for folder in ["", "amqp/"] {
        for entry in fs::read_dir(root().join("deploy").join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let is_unit = [".service", ".timer"].iter().any(|end| name.ends_with(end));
            let path = format!("{folder}{name}");
            assert!(!is_unit || known.contains(&path.as_str()), "{path}");
        }
    }
}
