//! The `spin` backend: Spin's table in an `SQLite` file.

use super::{CompareAndSwap, KeyValue, StoreError, database::Database, limit};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, named_params, params, types::Value};
use std::{
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
};

const GET: &str = "SELECT value FROM spin_key_value WHERE store = ?1 AND key = ?2";
const SET: &str = "INSERT INTO spin_key_value (store, key, value) VALUES (?1, ?2, ?3) \
                   ON CONFLICT (store, key) DO UPDATE SET value = ?3";

/// One label in a database.
pub(super) struct Store {
    label: Arc<str>,
    database: Arc<Database>,
}

struct Swap {
    store: Store,
    key: String,
    /// The value that `current` returned. As in Spin, not having called it counts as an absent key.
    old: Mutex<Option<Vec<u8>>>,
}

impl Store {
    pub(super) fn new(label: &str, database: Arc<Database>) -> Self {
        Self {
            label: label.into(),
            database,
        }
    }

    /// Reads one value on this thread: handing it to another would take longer.
    fn read<T>(&self, work: impl FnOnce(&Connection, &str) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        self.database
            .read(|connection| work(connection, &self.label))
            .map_err(StoreError::new)
    }

    /// Reads any number of values, on a thread that may block.
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
        self.database
            .write(move |transaction| work(transaction, &label))
            .await
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
            // If the value is not 8 bytes long, Spin panics and loses the store; here only the request fails.
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

    /// Updates the row if it still has the old value. Without an old value it overwrites whatever is there: as in Spin,
    /// two handles that both saw the key absent both succeed.
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
mod tests;
