//! The state directory of one or more hosts, and the database in it.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, params};
use tempfile::TempDir;

/// A state directory, which is deleted with its last clone.
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

    /// Opens the database while hosts use it.
    pub fn database(&self) -> Connection {
        Connection::open(self.path().join("sqlite_key_value.db")).expect("the database opens")
    }

    /// A value that is text, as the functions wrote it.
    pub fn value(&self, key: &str) -> String {
        let value: Vec<u8> = self
            .database()
            .query_row(
                "SELECT value FROM spin_key_value WHERE store = 'default' AND key = ?1",
                params![key],
                |row| row.get(0),
            )
            .unwrap_or_else(|error| panic!("{key}: {error}"));
        String::from_utf8(value).unwrap_or_else(|error| panic!("{key}: {error}"))
    }

    /// Every key with its value, both as far as they are text.
    pub fn all(&self) -> Vec<(String, String)> {
        let database = self.database();
        let mut all = database
            .prepare("SELECT key, value FROM spin_key_value WHERE store = 'default'")
            .expect("the table is there");
        let rows = all.query_map([], |row| {
            let value: Vec<u8> = row.get(1)?;
            Ok((row.get(0)?, String::from_utf8_lossy(&value).into_owned()))
        });
        rows.and_then(Iterator::collect).expect("the table is read")
    }

    /// Writes a value directly, without the functions.
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

    /// Writes a new value directly.
    pub fn insert(&self, key: &str, value: &[u8]) {
        self.database()
            .execute(
                "INSERT INTO spin_key_value (store, key, value) VALUES ('default', ?1, ?2)",
                params![key, value],
            )
            .expect("the database takes the value");
    }

    /// As `cargo xtask up` does it before it starts Spin.
    pub(crate) fn use_write_ahead_log(&self) {
        self.database()
            .pragma_update(None, "journal_mode", "WAL")
            .expect("the database changes its mode");
    }
}
