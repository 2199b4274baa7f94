//! The `spin` backend: an `SQLite` file with Spin's schema, in WAL mode.
//!
//! One thread owns the connection that writes, so that no commit blocks the async runtime. Changes that
//! wait at the same time are committed as a group: one flush makes all of them durable. Reads have
//! connections of their own, so that none waits for a flush.

use super::{CompareAndSwap, KeyValue, MAX_RESULT_BYTES, StoreError};
use anyhow::{Context, Result};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, named_params, params, types::Value};
use std::{
    iter,
    path::{Path, PathBuf},
    rc::Rc,
    slice,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};
use tokio::sync::oneshot;

const GET: &str = "SELECT value FROM spin_key_value WHERE store = ?1 AND key = ?2";
const SET: &str = "INSERT INTO spin_key_value (store, key, value) VALUES (?1, ?2, ?3) \
                   ON CONFLICT (store, key) DO UPDATE SET value = ?3";

/// The most changes of one group, so that other processes get their turn.
const LARGEST_GROUP: usize = 128;

/// An open database file.
pub(super) struct Database {
    path: PathBuf,
    /// Connections that no read is using.
    readers: Mutex<Vec<Connection>>,
    changes: mpsc::Sender<Box<dyn Change>>,
}

/// Something to do in a transaction, and somebody who waits for it.
trait Change: Send {
    /// Does it; again, if the transaction came to nothing.
    fn run(&mut self, transaction: &Connection) -> rusqlite::Result<()>;

    /// Tells whoever waits how the transaction ended.
    fn end(self: Box<Self>, outcome: rusqlite::Result<()>);
}

struct Waiting<T, F> {
    work: F,
    value: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

/// One label in a database.
pub(super) struct Store {
    label: Arc<str>,
    database: Arc<Database>,
}

struct Swap {
    store: Store,
    key: String,
    /// What `current` saw. Never asked is the same as absent, as in Spin.
    old: Mutex<Option<Vec<u8>>>,
}

impl Database {
    /// Opens the file at `path`, creating it and its directory if needed.
    pub(super) fn open(path: &Path) -> Result<Self> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).context("cannot create its directory")?;
        }
        let writer = Connection::open(path)?;
        // The mode sticks to the file, so a Spin that opens it later uses it as well. With FULL, each
        // commit reaches the disk before the call returns.
        writer.pragma_update(None, "journal_mode", "wal")?;
        writer.pragma_update(None, "synchronous", "full")?;
        writer.execute(
            "CREATE TABLE IF NOT EXISTS spin_key_value (\
                 store TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (store, key))",
            [],
        )?;
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

    /// Reads at once, on the thread that asks.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
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
}

/// Makes changes until the last sender is gone.
#[expect(clippy::needless_pass_by_value, reason = "the thread owns both")]
fn commit_in_groups(mut connection: Connection, changes: mpsc::Receiver<Box<dyn Change>>) {
    while let Ok(first) = changes.recv() {
        let waiting = iter::once(first).chain(changes.try_iter());
        let mut group: Vec<_> = waiting.take(LARGEST_GROUP).collect();
        match commit(&mut connection, &mut group) {
            Ok(()) => group.into_iter().for_each(|change| change.end(Ok(()))),
            Err(error) => match <[_; 1]>::try_from(group) {
                Ok([change]) => change.end(Err(error)),
                // One of them may be to blame: each gets a transaction of its own, as with Spin.
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

/// Makes changes in one transaction: all or none.
fn commit(connection: &mut Connection, group: &mut [Box<dyn Change>]) -> rusqlite::Result<()> {
    // This waits for the lock. Spin's increments do not, and fail if another process writes at that moment; but
    // Spin has one connection, and here readers hold the lock for an instant now and then.
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
            (Ok(()), None) => Err(StoreError("a change was left out of its transaction".to_owned())),
            (Err(error), _) => Err(StoreError::new(error)),
        };
        // Nobody waits any more if the request was given up; the change is made all the same.
        let _ = reply.send(result);
    }
}

impl Store {
    pub(super) fn new(label: &str, database: Arc<Database>) -> Self {
        Self {
            label: label.into(),
            database,
        }
    }

    /// Reads one value, which takes less time than to have another thread do it.
    fn read<T>(&self, work: impl FnOnce(&Connection, &str) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        self.database
            .read(|connection| work(connection, &self.label))
            .map_err(StoreError::new)
    }

    /// Reads as many values as there may be.
    async fn read_many<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, &str) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (database, label) = (Arc::clone(&self.database), Arc::clone(&self.label));
        tokio::task::spawn_blocking(move || database.read(|connection| work(connection, &label)))
            .await
            .map_err(StoreError::new)?
            .map_err(StoreError::new)
    }

    async fn write<T: Send + 'static>(
        &self,
        mut work: impl FnMut(&Connection, &str) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let label = Arc::clone(&self.label);
        let (reply, value) = oneshot::channel();
        let change = Waiting {
            work: move |transaction: &Connection| work(transaction, &label),
            value: None,
            reply,
        };
        self.database
            .changes
            .send(Box::new(change))
            .map_err(|_| StoreError("the thread that writes has ended".to_owned()))?;
        value.await.map_err(StoreError::new)?
    }
}

fn select(connection: &Connection, label: &str, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .prepare_cached(GET)?
        .query_row(params![label, key], |row| row.get(0))
        .optional()
}

fn upsert(connection: &Connection, label: &str, key: &str, value: &[u8]) -> rusqlite::Result<()> {
    connection
        .prepare_cached(SET)?
        .execute(params![label, key, value])
        .map(drop)
}

fn array(keys: &[String]) -> Rc<Vec<Value>> {
    Rc::new(keys.iter().cloned().map(Value::from).collect())
}

fn limit<T>(value: T, size: usize) -> Result<T, StoreError> {
    if size > MAX_RESULT_BYTES {
        Err(StoreError::too_large())
    } else {
        Ok(value)
    }
}

#[async_trait]
impl KeyValue for Store {
    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.read(|connection, label| select(connection, label, &key))?;
        let size = value.as_ref().map_or(0, Vec::len);
        limit(value, size)
    }

    async fn set(&self, key: String, value: Vec<u8>) -> Result<(), StoreError> {
        self.write(move |connection, label| upsert(connection, label, &key, &value))
            .await
    }

    async fn delete(&self, key: String) -> Result<(), StoreError> {
        self.write(move |connection, label| {
            connection
                .prepare_cached("DELETE FROM spin_key_value WHERE store = ?1 AND key = ?2")?
                .execute(params![label, key])
                .map(drop)
        })
        .await
    }

    async fn exists(&self, key: String) -> Result<bool, StoreError> {
        self.read(|connection, label| connection.prepare_cached(GET)?.exists(params![label, key]))
    }

    async fn keys(&self) -> Result<Vec<String>, StoreError> {
        let keys: Vec<String> = self
            .read_many(|connection, label| {
                connection
                    .prepare_cached("SELECT key FROM spin_key_value WHERE store = ?1")?
                    .query_map([label], |row| row.get(0))?
                    .collect()
            })
            .await?;
        let size = keys.iter().map(|key| size_of::<String>() + key.len()).sum();
        limit(keys, size)
    }

    async fn get_many(&self, keys: Vec<String>) -> Result<Vec<(String, Option<Vec<u8>>)>, StoreError> {
        let pairs: Vec<(String, Option<Vec<u8>>)> = self
            .read_many(move |connection, label| {
                connection
                    .prepare_cached(
                        "SELECT key, value FROM spin_key_value WHERE store = ?1 AND key IN rarray(?2)",
                    )?
                    .query_map(params![label, array(&keys)], |row| Ok((row.get(0)?, row.get(1)?)))?
                    .collect()
            })
            .await?;
        let size = |(key, value): &(String, Option<Vec<u8>>)| key.len() + value.as_ref().map_or(0, Vec::len);
        let total = pairs.iter().map(size).sum();
        limit(pairs, total)
    }

    async fn set_many(&self, pairs: Vec<(String, Vec<u8>)>) -> Result<(), StoreError> {
        self.write(move |connection, label| {
            for (key, value) in &pairs {
                upsert(connection, label, key, value)?;
            }
            Ok(())
        })
        .await
    }

    async fn delete_many(&self, keys: Vec<String>) -> Result<(), StoreError> {
        self.write(move |connection, label| {
            connection
                .prepare_cached("DELETE FROM spin_key_value WHERE store = ?1 AND key IN rarray(?2)")?
                .execute(params![label, array(&keys)])
                .map(drop)
        })
        .await
    }

    async fn increment(&self, key: String, delta: i64) -> Result<i64, StoreError> {
        self.write(move |connection, label| {
            // Spin panics if the value is not of 8 bytes and takes the store with it; here the request alone fails.
            let old = connection
                .prepare_cached(GET)?
                .query_row(params![label, key], |row| row.get(0).map(i64::from_le_bytes))
                .optional()?;
            let new = old.unwrap_or(0).wrapping_add(delta);
            upsert(connection, label, &key, &new.to_le_bytes())?;
            Ok(new)
        })
        .await
    }

    async fn compare_and_swap(&self, key: String) -> Result<Arc<dyn CompareAndSwap>, StoreError> {
        let store = Self {
            label: Arc::clone(&self.label),
            database: Arc::clone(&self.database),
        };
        Ok(Arc::new(Swap {
            store,
            key,
            old: Mutex::new(None),
        }))
    }
}

#[async_trait]
impl CompareAndSwap for Swap {
    async fn current(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.store.get(self.key.clone()).await?;
        self.old
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&value);
        Ok(value)
    }

    /// With an old value, an update where it still stands. Without one, an upsert that compares
    /// nothing: two handles that both saw the key absent both succeed, as in Spin.
    async fn swap(&self, value: Vec<u8>) -> Result<bool, StoreError> {
        let old = self.old.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let key = self.key.clone();
        let rows = self
            .store
            .write(move |connection, label| match &old {
                None => upsert(connection, label, &key, &value).map(|()| 1),
                Some(old) => connection
                    .prepare_cached(
                        "UPDATE spin_key_value SET value = :new \
                         WHERE store = :store AND key = :key AND value = :old",
                    )?
                    .execute(named_params! { ":new": value, ":store": label, ":key": key, ":old": old }),
            })
            .await?;
        Ok(rows == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store in a directory of its own, which lives as long as the returned guard.
    fn store() -> (Store, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(&directory.path().join("state/kv.db")).unwrap();
        (Store::new("default", Arc::new(database)), directory)
    }

    fn key() -> String {
        "user/johndoe".to_owned()
    }

    #[tokio::test]
    async fn set_overwrites_and_delete_removes() {
        let (store, _directory) = store();
        assert_eq!(store.get(key()).await.unwrap(), None);
        store.set(key(), b"one".to_vec()).await.unwrap();
        store.set(key(), b"two".to_vec()).await.unwrap();
        assert_eq!(store.get(key()).await.unwrap().unwrap(), b"two");
        assert!(store.exists(key()).await.unwrap());
        store.delete(key()).await.unwrap();
        store.delete(key()).await.unwrap();
        assert!(!store.exists(key()).await.unwrap());
    }

    #[tokio::test]
    async fn labels_in_one_file_do_not_see_each_other() {
        let (store, _directory) = store();
        let other = Store::new("other", Arc::clone(&store.database));
        store.set(key(), b"one".to_vec()).await.unwrap();
        assert_eq!(other.get(key()).await.unwrap(), None);
        assert_eq!(other.keys().await.unwrap(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn batches_leave_absent_keys_out() {
        let (store, _directory) = store();
        let pair = |key: &str, value: &str| (key.to_owned(), value.as_bytes().to_vec());
        store
            .set_many(vec![pair("b", "2"), pair("a", "1"), pair("c", "3")])
            .await
            .unwrap();
        let keys = || vec!["b".to_owned(), "absent".to_owned(), "a".to_owned()];
        let found = store.get_many(keys()).await.unwrap();
        assert_eq!(
            found,
            [
                ("a".to_owned(), Some(b"1".to_vec())),
                ("b".to_owned(), Some(b"2".to_vec()))
            ]
        );
        store.delete_many(keys()).await.unwrap();
        assert_eq!(store.keys().await.unwrap(), ["c"]);
    }

    #[tokio::test]
    async fn increment_is_eight_bytes_little_endian() {
        let (store, _directory) = store();
        assert_eq!(store.increment(key(), 5).await.unwrap(), 5);
        assert_eq!(store.increment(key(), -7).await.unwrap(), -2);
        assert_eq!(store.get(key()).await.unwrap().unwrap(), (-2_i64).to_le_bytes());
    }

    #[tokio::test]
    async fn increment_of_a_record_fails_and_leaves_the_store_usable() {
        let (store, _directory) = store();
        store.set(key(), b"{}".to_vec()).await.unwrap();
        assert!(store.increment(key(), 1).await.is_err());
        assert_eq!(store.get(key()).await.unwrap().unwrap(), b"{}");
        assert_eq!(store.increment("other".to_owned(), 1).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn what_fails_in_a_group_fails_alone() {
        let (store, _directory) = store();
        store.set(key(), b"{}".to_vec()).await.unwrap();
        let (release, until_released) = mpsc::channel::<()>();
        // While this change holds up the thread, the others gather.
        let hold = store.write(move |_, _| {
            let _ = until_released.recv();
            Ok(())
        });
        let others = async {
            let changes = async {
                tokio::join!(
                    store.set("before".to_owned(), b"1".to_vec()),
                    store.increment(key(), 1),
                    store.increment("counter".to_owned(), 1),
                    store.set("after".to_owned(), b"2".to_vec()),
                )
            };
            tokio::join!(changes, async { drop(release) }).0
        };
        let (first, (before, record, counter, after)) = tokio::join!(hold, others);
        first.unwrap();
        before.unwrap();
        assert!(record.is_err());
        assert_eq!(counter.unwrap(), 1);
        after.unwrap();
        assert_eq!(store.get(key()).await.unwrap().unwrap(), b"{}");
        assert_eq!(store.get("before".to_owned()).await.unwrap().unwrap(), b"1");
        assert_eq!(store.get("after".to_owned()).await.unwrap().unwrap(), b"2");
    }

    #[tokio::test]
    async fn swaps_from_absent_both_succeed() {
        let (store, _directory) = store();
        let first = store.compare_and_swap(key()).await.unwrap();
        let second = store.compare_and_swap(key()).await.unwrap();
        assert_eq!(first.current().await.unwrap(), None);
        assert_eq!(second.current().await.unwrap(), None);
        assert!(first.swap(b"first".to_vec()).await.unwrap());
        assert!(second.swap(b"second".to_vec()).await.unwrap());
        assert_eq!(store.get(key()).await.unwrap().unwrap(), b"second");
    }

    #[tokio::test]
    async fn swap_without_current_overwrites() {
        let (store, _directory) = store();
        store.set(key(), b"old".to_vec()).await.unwrap();
        let swap = store.compare_and_swap(key()).await.unwrap();
        assert!(swap.swap(b"new".to_vec()).await.unwrap());
        assert_eq!(store.get(key()).await.unwrap().unwrap(), b"new");
    }

    #[tokio::test]
    async fn swap_of_an_existing_value_compares_it() {
        let (store, _directory) = store();
        store.set(key(), b"old".to_vec()).await.unwrap();
        let first = store.compare_and_swap(key()).await.unwrap();
        let second = store.compare_and_swap(key()).await.unwrap();
        first.current().await.unwrap();
        second.current().await.unwrap();
        assert!(first.swap(b"first".to_vec()).await.unwrap());
        assert!(!second.swap(b"second".to_vec()).await.unwrap());
        assert_eq!(store.get(key()).await.unwrap().unwrap(), b"first");
    }

    #[tokio::test]
    async fn two_hosts_share_one_file() {
        let (one, directory) = store();
        let database = Database::open(&directory.path().join("state/kv.db")).unwrap();
        let two = Store::new("default", Arc::new(database));
        one.set(key(), b"one".to_vec()).await.unwrap();
        assert_eq!(two.get(key()).await.unwrap().unwrap(), b"one");
        two.set(key(), b"two".to_vec()).await.unwrap();
        assert_eq!(one.get(key()).await.unwrap().unwrap(), b"two");
    }

    #[test]
    fn the_file_is_in_wal_mode() {
        let (_store, directory) = store();
        let connection = Connection::open(directory.path().join("state/kv.db")).unwrap();
        let mode: String = connection
            .pragma_query_value(None, "journal_mode", |row| row.get(0))
            .unwrap();
        assert_eq!(mode, "wal");
    }
}
