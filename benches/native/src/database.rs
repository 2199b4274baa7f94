//! The table that the functions' key-value store keeps its values in, read and written without a store between.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use anyhow::Result;
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::oneshot;

/// The most writes that share one commit.
const GROUP: usize = 256;

/// An open database file.
///
/// Reads run where they are asked for, each thread with a connection of its own: a row that is in memory comes sooner
/// than another thread would. Writes go to one thread, since `SQLite` has one writer at a time anyhow.
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
    pub(crate) fn open(path: &Path, group_commit: bool) -> Result<Self> {
        let writer = Connection::open(path)?;
        writer.pragma_update(None, "journal_mode", "wal")?;
        writer.pragma_update(None, "synchronous", "full")?;
        writer.execute(
            "CREATE TABLE IF NOT EXISTS spin_key_value (\
                 store TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (store, key))",
            [],
        )?;
        let (sender, queue) = mpsc::channel();
        let others = if group_commit { GROUP - 1 } else { 0 };
        thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || write_all(&Records(writer), &queue, others))?;
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

/// Commits the writes of `queue`, each alone or together with up to so many `others` that wait already.
fn write_all(records: &Records, queue: &mpsc::Receiver<Write>, others: usize) {
    for first in queue {
        let writes = std::iter::once(first).chain(queue.try_iter().take(others));
        match commit(records, writes) {
            Ok(replies) => replies.into_iter().for_each(|reply| reply()),
            // The replies are gone, so whoever waits for one learns that there will be none.
            Err(error) => eprintln!("cannot write: {error}"),
        }
    }
}

fn commit(records: &Records, writes: impl Iterator<Item = Write>) -> rusqlite::Result<Vec<Reply>> {
    let run = |sql| records.0.prepare_cached(sql)?.execute([]).map(drop);
    run("BEGIN IMMEDIATE")?;
    let replies = writes.map(|write| write(records)).collect();
    run("COMMIT").inspect_err(|_| {
        // It may have ended already, and the error that counts is the first one.
        let _ = run("ROLLBACK");
    })?;
    Ok(replies)
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
