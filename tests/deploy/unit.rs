//! The systemd unit.

use std::fs;
use std::process::Command;

use harness::{root, without};

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    if without("systemd-analyze") {
        return;
    }
    let unit = fs::read_to_string(root().join("deploy/users@.service")).unwrap();
    // There need not be a Spin here; any program is one that can be started.
    assert_eq!(unit.matches("ExecStart=/usr/local/bin/spin ").count(), 1);
    assert_eq!(
        unit.matches(" --max-instance-concurrent-reuse-count 1 ").count(),
        1
    );
    let unit = unit.replace("/usr/local/bin/spin", "/bin/sh");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users@.service");
    fs::write(&file, unit).unwrap();
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&file)
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "{complaints}");
}
