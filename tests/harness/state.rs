//! The state directory of one or more hosts, and the database in it.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, params};
use tempfile::TempDir;

/// A state directory; it goes away with its last clone.
#[derive(Clone, Debug)]
pub struct State(Arc<TempDir>);

impl State {
    /// An empty one.
    #[expect(
        clippy::new_without_default,
        reason = "it makes a folder, which a default value should not"
    )]
    pub fn new() -> Self {
        Self(Arc::new(tempfile::tempdir().expect("a temporary folder")))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The database, opened beside the hosts that use it.
    pub fn database(&self) -> Connection {
        Connection::open(self.path().join("sqlite_key_value.db")).expect("the database opens")
    }

    /// Writes a value behind the functions' back.
    pub fn overwrite(&self, key: &str, value: &[u8]) {
        let changed = self
            .database()
            .execute(
                "UPDATE spin_key_value SET value = ?2 WHERE store = 'default' AND key = ?1",
                params![key, value],
            )
            .expect("the database takes the value");
        assert_eq!(changed, 1, "there is no {key} to overwrite");
    }

    /// As `cargo xtask up` does it before it starts Spin.
    pub(crate) fn use_write_ahead_log(&self) {
        self.database()
            .pragma_update(None, "journal_mode", "WAL")
            .expect("the database changes its mode");
    }
}
