//! Key-value stores: the interface of a backend, and the store of each label.
//!
//! Each backend is exactly as strong and as weak as Spin's, so that tests here prove something for Spin.

mod database;
mod handles;
mod redis;
mod sqlite;

pub(crate) use handles::{Access, KeyValueState, OpenError};
#[expect(unreachable_pub, reason = "the generated bindings re-export them")]
pub use handles::{OpenStore, OpenSwap};

use crate::{
    manifest::Component,
    runtime_config::{Backend, RuntimeConfig},
};
use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// The maximum number of bytes that one call may return; Spin's limit.
const MAX_RESULT_BYTES: usize = 128 << 20;

/// Why a backend failed, as text for the component.
#[derive(Debug)]
pub(crate) struct StoreError(String);

/// One key-value store.
#[async_trait]
pub(crate) trait KeyValue: Send + Sync {
    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, StoreError>;
    async fn set(&self, key: String, value: Vec<u8>) -> Result<(), StoreError>;
    async fn delete(&self, key: String) -> Result<(), StoreError>;
    async fn exists(&self, key: String) -> Result<bool, StoreError>;
    async fn keys(&self) -> Result<Vec<String>, StoreError>;
    /// The pairs that exist among `keys`; the others are left out, as in Spin.
    async fn get_many(&self, keys: Vec<String>) -> Result<Vec<(String, Option<Vec<u8>>)>, StoreError>;
    async fn set_many(&self, pairs: Vec<(String, Vec<u8>)>) -> Result<(), StoreError>;
    async fn delete_many(&self, keys: Vec<String>) -> Result<(), StoreError>;
    async fn increment(&self, key: String, delta: i64) -> Result<i64, StoreError>;
    /// Starts a compare-and-swap of `key`.
    async fn compare_and_swap(&self, key: String) -> Result<Arc<dyn CompareAndSwap>, StoreError>;
}

/// A compare-and-swap that has not written yet.
#[async_trait]
pub(crate) trait CompareAndSwap: Send + Sync {
    /// Returns the current value, with which `swap` will compare.
    async fn current(&self) -> Result<Option<Vec<u8>>, StoreError>;
    /// Writes `value` if the key still has the value that `current` returned. Returns whether the backend reports success.
    async fn swap(&self, value: Vec<u8>) -> Result<bool, StoreError>;
}

/// All stores, by label.
pub(crate) type Stores = BTreeMap<String, Arc<dyn KeyValue>>;

impl StoreError {
    pub(crate) fn into_message(self) -> String {
        self.0
    }

    fn new(error: impl std::fmt::Debug) -> Self {
        tracing::warn!(target: "host::store", "key-value error: {error:?}");
        Self(format!("{error:?}"))
    }
}

/// Returns `value`, whose size is `size` bytes.
///
/// # Errors
///
/// Returns an error if that exceeds [`MAX_RESULT_BYTES`].
pub(crate) fn limit<T>(value: T, size: usize) -> Result<T, StoreError> {
    if size > MAX_RESULT_BYTES {
        Err(StoreError(format!(
            "query result exceeds limit of {MAX_RESULT_BYTES} bytes"
        )))
    } else {
        Ok(value)
    }
}

/// Opens the stores that `components` name.
///
/// # Errors
///
/// Returns an error that names the component and the label if nothing defines a label, or if its store cannot be opened.
pub(crate) fn open(
    config: RuntimeConfig,
    state_dir: &Path,
    components: &BTreeMap<String, Component>,
) -> Result<Stores> {
    let mut backends = config.stores;
    backends
        .entry("default".to_owned())
        .or_insert_with(|| Backend::Sqlite(state_dir.join("sqlite_key_value.db")));
    let mut stores = Stores::new();
    let mut databases = BTreeMap::new();
    for (id, component) in components {
        for label in &component.key_value_stores {
            let Some(backend) = backends.get(label) else {
                bail!(
                    "component.{id}: key-value store {label:?} is not defined; \
                     add [key_value_store.{label}] to the runtime config (--runtime-config-file)"
                );
            };
            if !stores.contains_key(label) {
                stores.insert(label.clone(), connect(label, backend, &mut databases)?);
            }
        }
    }
    Ok(stores)
}

/// Connects a label to its backend. Labels with the same file share its connections in `databases`.
fn connect<'b>(
    label: &str,
    backend: &'b Backend,
    databases: &mut BTreeMap<&'b Path, Arc<database::Database>>,
) -> Result<Arc<dyn KeyValue>> {
    match backend {
        Backend::Sqlite(path) => {
            let database = match databases.get(path.as_path()) {
                Some(database) => Arc::clone(database),
                None => Arc::new(database::Database::open(path).with_context(|| {
                    format!(
                        "cannot open the key-value store {} (--state-dir or the runtime config places it)",
                        path.display()
                    )
                })?),
            };
            databases.insert(path, Arc::clone(&database));
            Ok(Arc::new(sqlite::Store::new(label, database)))
        }
        Backend::Redis(url) => {
            let store = redis::Store::new(url)
                .with_context(|| format!("key_value_store.{label}: cannot use the Redis `url`"))?;
            Ok(Arc::new(store))
        }
    }
}
