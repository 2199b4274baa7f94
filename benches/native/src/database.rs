//! The table of Spin's key-value store, read and written directly.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use anyhow::Result;
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::oneshot;

/// An open database file.
///
/// Reads run on the calling thread, which has its own connection: reading a cached row is faster than switching
/// threads. Writes go to one thread, since `SQLite` allows only one writer at a time.
pub(crate) struct Database {
    path: PathBuf,
    writes: mpsc::Sender<Write>,
}

/// A write; it returns what is to be done once it is durable.
type Write = Box<dyn FnOnce(&Records) -> Reply + Send>;
type Reply = Box<dyn FnOnce() + Send>;

thread_local!(static READER: RefCell<Option<Connection>> = const { RefCell::new(None) });

impl Database {
    /// Opens the file at `path`, creating the table if needed.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let writer = Connection::open(path)?;
        writer.pragma_update(None, "journal_mode", "wal")?;
        writer.pragma_update(None, "synchronous", "full")?;
        writer.execute(include_str!("../../../host/src/store/schema.sql"), [])?;
        let (sender, queue) = mpsc::channel();
        thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || write_all(&Records(writer), &queue))?;
        Ok(Self {
            path: path.to_owned(),
            writes: sender,
        })
    }

    /// The value of `key`.
    pub(crate) fn read(&self, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
        READER.with_borrow_mut(|reader| {
            let connection = match reader {
                Some(connection) => connection,
                None => reader.insert(Connection::open(&self.path)?),
            };
            select(connection, key)
        })
    }

    /// Runs `work` in a transaction and returns what it made once that is durable. Work that fails writes nothing.
    pub(crate) async fn write<T, E>(
        &self,
        work: impl FnOnce(&Records) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<rusqlite::Error> + Send + 'static,
    {
        let (sender, outcome) = oneshot::channel();
        let write: Write = Box::new(move |records| {
            let result = work(records);
            // Nobody waits any more if the client has gone.
            Box::new(move || drop(sender.send(result)))
        });
        let failed = || E::from(rusqlite::Error::InvalidQuery);
        self.writes.send(write).map_err(|_| failed())?;
        outcome.await.map_err(|_| failed())?
    }
}

/// Commits the writes of `queue`, each alone, as a hand-written server would.
fn write_all(records: &Records, queue: &mpsc::Receiver<Write>) {
    for write in queue {
        match commit(records, write) {
            Ok(reply) => reply(),
            // The reply is gone, so whoever waits for it learns that there will be none.
            Err(error) => eprintln!("cannot write: {error}"),
        }
    }
}

fn commit(records: &Records, write: Write) -> rusqlite::Result<Reply> {
    let run = |sql| records.0.prepare_cached(sql)?.execute([]).map(drop);
    run("BEGIN IMMEDIATE")?;
    let reply = write(records);
    run("COMMIT").inspect_err(|_| {
        // It may have ended already, and the error that counts is the first one.
        let _ = run("ROLLBACK");
    })?;
    Ok(reply)
}

/// The records, as a transaction that writes sees them.
pub(crate) struct Records(Connection);

impl Records {
    /// The value of `key`.
    pub(crate) fn get(&self, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
        select(&self.0, key)
    }

    /// Gives `key` a value unless it has one. Returns whether it had none.
    pub(crate) fn insert(&self, key: &str, value: &[u8]) -> rusqlite::Result<bool> {
        self.execute(
            "INSERT INTO spin_key_value (store, key, value) VALUES ('default', ?1, ?2) ON CONFLICT DO NOTHING",
            key,
            value,
        )
    }

    /// Gives `key` another value. Returns whether it had one.
    pub(crate) fn update(&self, key: &str, value: &[u8]) -> rusqlite::Result<bool> {
        self.execute(
            "UPDATE spin_key_value SET value = ?2 WHERE store = 'default' AND key = ?1",
            key,
            value,
        )
    }

    fn execute(&self, sql: &str, key: &str, value: &[u8]) -> rusqlite::Result<bool> {
        let rows = self.0.prepare_cached(sql)?.execute(params![key, value])?;
        Ok(rows == 1)
    }
}

fn select(connection: &Connection, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .prepare_cached("SELECT value FROM spin_key_value WHERE store = 'default' AND key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()
}
