//! An open database file: who reads and writes it, and when what is written is durable.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use anyhow::Result;
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::directory;
use crate::records::Records;

/// An open database file.
///
/// Reads run on the calling thread, which has its own connection: reading a cached row is faster than switching
/// threads. Writes go to one thread, since `SQLite` allows only one writer at a time.
pub(crate) struct Database {
    path: PathBuf,
    writes: mpsc::Sender<Write>,
}

/// A queued write.
type Write = Box<dyn FnOnce(&Records) -> Outcome + Send>;

/// What a write came to.
struct Outcome {
    is_ok: bool,
    /// Sends the result to whoever waits for it, once it is durable.
    reply: Box<dyn FnOnce() + Send>,
}

thread_local!(static READER: RefCell<Option<Records>> = const { RefCell::new(None) });

impl Database {
    /// Opens the file at `path`, creating the tables if needed.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let mut writer = Connection::open(path)?;
        writer.pragma_update(None, "journal_mode", "wal")?;
        writer.pragma_update(None, "synchronous", "full")?;
        writer.execute(include_str!("../../../host/src/store/schema.sql"), [])?;
        directory::open(&mut writer)?;
        let (sender, queue) = mpsc::channel();
        thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || write_all(&Records::new(writer), &queue))?;
        Ok(Self {
            path: path.to_owned(),
            writes: sender,
        })
    }

    /// Runs `work`, which only reads, on this thread.
    pub(crate) fn read<T, E>(&self, work: impl FnOnce(&Records) -> Result<T, E>) -> Result<T, E>
    where
        E: From<rusqlite::Error>,
    {
        READER.with_borrow_mut(|reader| {
            let records = match reader {
                Some(records) => records,
                None => reader.insert(Records::new(Connection::open(&self.path)?)),
            };
            work(records)
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
            Outcome {
                is_ok: result.is_ok(),
                // Nobody waits any more if the client has gone.
                reply: Box::new(move || drop(sender.send(result))),
            }
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
            Ok(outcome) => (outcome.reply)(),
            // The reply is gone, so whoever waits for it learns that there will be none.
            Err(error) => eprintln!("cannot write: {error}"),
        }
    }
}

fn commit(records: &Records, write: Write) -> rusqlite::Result<Outcome> {
    records.run("BEGIN IMMEDIATE")?;
    let outcome = write(records);
    let end = if outcome.is_ok { "COMMIT" } else { "ROLLBACK" };
    records.run(end).inspect_err(|_| {
        // It may have ended already, and the error that counts is the first one.
        let _ = records.run("ROLLBACK");
    })?;
    Ok(outcome)
}
