//! The `redis` backend, with the same defects as Spin's.

use super::{CompareAndSwap, KeyValue, StoreError, limit};
use async_trait::async_trait;
use redis::{
    AsyncCommands, Client, RedisResult,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use std::sync::Arc;
use tokio::sync::OnceCell;

/// A Redis database. Its connection is opened at the first use.
pub(super) struct Store {
    client: Client,
    connection: OnceCell<ConnectionManager>,
}

/// A compare-and-swap on a connection of its own, since WATCH belongs to a connection.
struct Swap {
    connection: ConnectionManager,
    key: String,
}

impl Store {
    pub(super) fn new(url: &str) -> RedisResult<Self> {
        Ok(Self {
            client: Client::open(url)?,
            connection: OnceCell::new(),
        })
    }

    /// Opens a connection without a time limit for responses, as Spin does.
    async fn connect(&self) -> Result<ConnectionManager, StoreError> {
        let config = ConnectionManagerConfig::new().set_response_timeout(None);
        self.client
            .get_connection_manager_with_config(config)
            .await
            .map_err(StoreError::new)
    }

    async fn connection(&self) -> Result<ConnectionManager, StoreError> {
        let connect = || self.client.get_connection_manager();
        self.connection
            .get_or_try_init(connect)
            .await
            .cloned()
            .map_err(StoreError::new)
    }
}

#[async_trait]
impl KeyValue for Store {
    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        let value: Option<Vec<u8>> = self.connection().await?.get(key).await.map_err(StoreError::new)?;
        let size = value.as_ref().map_or(0, Vec::len);
        limit(value, size)
    }

    async fn set(&self, key: String, value: Vec<u8>) -> Result<(), StoreError> {
        self.connection()
            .await?
            .set(key, value)
            .await
            .map_err(StoreError::new)
    }

    async fn delete(&self, key: String) -> Result<(), StoreError> {
        self.connection().await?.del(key).await.map_err(StoreError::new)
    }

    async fn exists(&self, key: String) -> Result<bool, StoreError> {
        self.connection()
            .await?
            .exists(key)
            .await
            .map_err(StoreError::new)
    }

    /// Returns every key of the database, whoever wrote it.
    async fn keys(&self) -> Result<Vec<String>, StoreError> {
        let keys: Vec<String> = self
            .connection()
            .await?
            .keys("*")
            .await
            .map_err(StoreError::new)?;
        let size = keys.iter().map(|key| size_of::<String>() + key.len()).sum();
        limit(keys, size)
    }

    /// Sends `KEYS` with all the keys, as Spin does. The server refuses that unless there is exactly one.
    async fn get_many(&self, keys: Vec<String>) -> Result<Vec<(String, Option<Vec<u8>>)>, StoreError> {
        let mut connection = self.connection().await?;
        redis::cmd("KEYS")
            .arg(keys)
            .query_async(&mut connection)
            .await
            .map_err(StoreError::new)
    }

    async fn set_many(&self, pairs: Vec<(String, Vec<u8>)>) -> Result<(), StoreError> {
        self.connection()
            .await?
            .mset(&pairs)
            .await
            .map_err(StoreError::new)
    }

    async fn delete_many(&self, keys: Vec<String>) -> Result<(), StoreError> {
        self.connection().await?.del(keys).await.map_err(StoreError::new)
    }

    async fn increment(&self, key: String, delta: i64) -> Result<i64, StoreError> {
        self.connection()
            .await?
            .incr(key, delta)
            .await
            .map_err(StoreError::new)
    }

    async fn compare_and_swap(&self, key: String) -> Result<Arc<dyn CompareAndSwap>, StoreError> {
        let connection = self.connect().await?;
        Ok(Arc::new(Swap { connection, key }))
    }
}

#[async_trait]
impl CompareAndSwap for Swap {
    async fn current(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let mut connection = self.connection.clone();
        let watch: RedisResult<()> = redis::cmd("WATCH")
            .arg(&self.key)
            .query_async(&mut connection)
            .await;
        watch.map_err(StoreError::new)?;
        let value: Option<Vec<u8>> = connection.get(&self.key).await.map_err(StoreError::new)?;
        let size = value.as_ref().map_or(0, Vec::len);
        limit(value, size)
    }

    /// Ends with `UNWATCH <key>`, as Spin does. Redis accepts no argument there and refuses it, so this always returns
    /// `false`, whether or not the transaction wrote.
    async fn swap(&self, value: Vec<u8>) -> Result<bool, StoreError> {
        let mut connection = self.connection.clone();
        let written: RedisResult<()> = redis::pipe()
            .atomic()
            .set(&self.key, value)
            .query_async(&mut connection)
            .await;
        let unwatched: RedisResult<()> = redis::cmd("UNWATCH")
            .arg(&self.key)
            .query_async(&mut connection)
            .await;
        Ok(unwatched.is_ok() && written.is_ok())
    }
}
