//! The scripts of `deploy/`, run as an operator runs them.

use std::ffi::OsStr;
use std::process::Command;

/// The outcome of a script.
pub(crate) struct Ran {
    success: bool,
    stdout: String,
    stderr: String,
}

/// Runs a script to its end.
pub(crate) async fn run<const N: usize>(name: &str, args: [impl AsRef<OsStr>; N]) -> Ran {
    let mut command = Command::new(harness::root().join("deploy").join(name));
    command.args(args);
    tokio::task::spawn_blocking(move || {
        let output = command.output().expect("the script runs");
        Ran {
            success: output.status.success(),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    })
    .await
    .expect("the script ends")
}

impl Ran {
    /// Checks that it succeeded without messages, and returns its output.
    #[track_caller]
    pub(crate) fn succeeded(&self) -> &str {
        assert!(self.success, "{}", self.stderr);
        assert_eq!(self.stderr, "");
        &self.stdout
    }

    /// Checks that it failed with a message that contains `why`.
    #[track_caller]
    pub(crate) fn refused(&self, why: &str) {
        assert!(!self.success, "{}", self.stdout);
        assert!(self.stderr.contains(why), "{:?} is not in {:?}", why, self.stderr);
    }
}
