//! An `SQLite` database whose writes are committed in groups.
//!
//! One thread owns the connection that writes, so that no commit blocks the async runtime. Changes that wait at the same time
//! are committed as a group: one flush makes all of them durable. Reads use other connections, so that none waits for a
//! flush.

use super::StoreError;
use anyhow::{Context, Result};
use rusqlite::{Connection, TransactionBehavior};
use std::{
    iter,
    path::{Path, PathBuf},
    slice,
    sync::{Mutex, PoisonError, mpsc},
    thread,
};
use tokio::sync::oneshot;

/// The maximum number of changes in one group, so that other processes get their turn.
const LARGEST_GROUP: usize = 128;

/// An open database file.
pub(super) struct Database {
    path: PathBuf,
    /// Connections that no read is using.
    readers: Mutex<Vec<Connection>>,
    changes: mpsc::Sender<Box<dyn Change>>,
}

/// A queued write and the channel for its result.
trait Change: Send {
    /// Makes the change; called again if the transaction was rolled back.
    fn run(&mut self, transaction: &Connection) -> rusqlite::Result<()>;

    /// Sends the result once the transaction has ended.
    fn end(self: Box<Self>, outcome: rusqlite::Result<()>);
}

/// A [`Change`] that returns a `T`.
struct Waiting<T, F> {
    work: F,
    value: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl Database {
    /// Opens the file at `path`, creating it and its directory if needed.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be created or is not a database.
    pub(super) fn open(path: &Path) -> Result<Self> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).context("cannot create its directory")?;
        }
        let writer = Connection::open(path)?;
        // The file keeps the mode, so Spin uses it too if it opens the file later. With FULL, each commit reaches the disk
        // before the call returns.
        writer.pragma_update(None, "journal_mode", "wal")?;
        writer.pragma_update(None, "synchronous", "full")?;
        writer.execute(include_str!("schema.sql"), [])?;
        rusqlite::vtab::array::load_module(&writer)?;
        let (changes, receiver) = mpsc::channel();
        thread::Builder::new()
            .name("sqlite-write".to_owned())
            .spawn(move || commit_in_groups(writer, receiver))?;
        Ok(Self {
            path: path.to_owned(),
            readers: Mutex::default(),
            changes,
        })
    }

    /// Reads on the calling thread.
    ///
    /// # Errors
    ///
    /// Returns the error of `work`, or one of a connection that cannot be opened.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let idle = || self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let unused = idle().pop();
        let reader = if let Some(reader) = unused {
            reader
        } else {
            let reader = Connection::open(&self.path)?;
            rusqlite::vtab::array::load_module(&reader)?;
            reader
        };
        let value = work(&reader);
        idle().push(reader);
        value
    }

    /// Queues `work` and waits until it is durable. It runs again if its transaction is rolled back.
    ///
    /// # Errors
    ///
    /// Returns the error of `work` or of the commit.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, value) = oneshot::channel();
        let change = Waiting {
            work,
            value: None,
            reply,
        };
        self.changes
            .send(Box::new(change))
            .map_err(|_| StoreError("the thread that writes has ended".to_owned()))?;
        value.await.map_err(StoreError::new)?
    }
}

/// Commits queued changes until the last sender is dropped.
#[expect(clippy::needless_pass_by_value, reason = "the thread owns both")]
fn commit_in_groups(mut connection: Connection, changes: mpsc::Receiver<Box<dyn Change>>) {
    while let Ok(first) = changes.recv() {
        let waiting = iter::once(first).chain(changes.try_iter());
        let mut group: Vec<_> = waiting.take(LARGEST_GROUP).collect();
        match commit(&mut connection, &mut group) {
            Ok(()) => group.into_iter().for_each(|change| change.end(Ok(()))),
            Err(error) => match <[_; 1]>::try_from(group) {
                Ok([change]) => change.end(Err(error)),
                // One change may have made the whole group fail, so each gets a transaction of its own, as in Spin.
                Err(group) => {
                    for mut change in group {
                        let outcome = commit(&mut connection, slice::from_mut(&mut change));
                        change.end(outcome);
                    }
                }
            },
        }
    }
}

/// Commits all changes of a group in one transaction, or none.
fn commit(connection: &mut Connection, group: &mut [Box<dyn Change>]) -> rusqlite::Result<()> {
    // This waits for the lock. Spin's increments do not wait, and fail if another process writes at that moment. But Spin has
    // only one connection, and here readers sometimes hold the lock for an instant.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for change in group {
        change.run(&transaction)?;
    }
    transaction.commit()
}

impl<T: Send, F: FnMut(&Connection) -> rusqlite::Result<T> + Send> Change for Waiting<T, F> {
    fn run(&mut self, transaction: &Connection) -> rusqlite::Result<()> {
        self.value = Some((self.work)(transaction)?);
        Ok(())
    }

    fn end(self: Box<Self>, outcome: rusqlite::Result<()>) {
        let Self { value, reply, .. } = *self;
        let result = match (outcome, value) {
            (Ok(()), Some(value)) => Ok(value),
            (Ok(()), None) => Err(StoreError("the transaction left this change out".to_owned())),
            (Err(error), _) => Err(StoreError::new(error)),
        };
        // If the request was given up, the receiver is gone, but the change is made nevertheless.
        let _ = reply.send(result);
    }
}
