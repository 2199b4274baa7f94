//! `wasi:keyvalue`, the interface of `spin_sdk::experimental::wasi::keyvalue`.

use super::bindings::wasi::keyvalue::{
    atomics::{self, CasError},
    batch,
    store::{self, Error, KeyResponse},
};
use crate::{
    state::State,
    store::{KeyValue, OpenError, OpenStore, OpenSwap, StoreError},
};
use std::sync::Arc;
use wasmtime::component::Resource;

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Other(error.into_message())
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::AccessDenied => Self::AccessDenied,
            OpenError::NoSuchStore => Self::NoSuchStore,
            OpenError::TableFull => Self::Other("store table full".to_owned()),
        }
    }
}

impl State {
    fn bucket(
        &self,
        bucket: &Resource<OpenStore>,
        operation: &str,
        commit: bool,
    ) -> Result<Arc<dyn KeyValue>, Error> {
        self.key_value
            .store(bucket, operation, commit)
            .ok_or(Error::NoSuchStore)
    }
}

impl store::Host for State {
    async fn open(&mut self, label: String) -> Result<Resource<OpenStore>, Error> {
        Ok(self.key_value.open(&label)?)
    }
}

impl store::HostBucket for State {
    async fn get(&mut self, bucket: Resource<OpenStore>, key: String) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.bucket(&bucket, "get", false)?.get(key).await?)
    }

    async fn set(&mut self, bucket: Resource<OpenStore>, key: String, value: Vec<u8>) -> Result<(), Error> {
        Ok(self.bucket(&bucket, "set", true)?.set(key, value).await?)
    }

    async fn delete(&mut self, bucket: Resource<OpenStore>, key: String) -> Result<(), Error> {
        Ok(self.bucket(&bucket, "delete", true)?.delete(key).await?)
    }

    async fn exists(&mut self, bucket: Resource<OpenStore>, key: String) -> Result<bool, Error> {
        Ok(self.bucket(&bucket, "exists", false)?.exists(key).await?)
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<OpenStore>,
        cursor: Option<String>,
    ) -> Result<KeyResponse, Error> {
        if cursor.is_some() {
            return Err(Error::Other("list_keys: cursor not supported".to_owned()));
        }
        let keys = self.bucket(&bucket, "list-keys", false)?.keys().await?;
        Ok(KeyResponse { keys, cursor: None })
    }

    async fn drop(&mut self, bucket: Resource<OpenStore>) -> wasmtime::Result<()> {
        self.key_value.close(bucket);
        Ok(())
    }
}

impl batch::Host for State {
    async fn get_many(
        &mut self,
        bucket: Resource<OpenStore>,
        keys: Vec<String>,
    ) -> Result<Vec<(String, Option<Vec<u8>>)>, Error> {
        let store = self.bucket(&bucket, "get-many", false)?;
        if keys.is_empty() {
            Ok(Vec::new())
        } else {
            Ok(store.get_many(keys).await?)
        }
    }

    async fn set_many(
        &mut self,
        bucket: Resource<OpenStore>,
        pairs: Vec<(String, Vec<u8>)>,
    ) -> Result<(), Error> {
        let store = self.bucket(&bucket, "set-many", true)?;
        if pairs.is_empty() {
            Ok(())
        } else {
            Ok(store.set_many(pairs).await?)
        }
    }

    async fn delete_many(&mut self, bucket: Resource<OpenStore>, keys: Vec<String>) -> Result<(), Error> {
        let store = self.bucket(&bucket, "delete-many", true)?;
        if keys.is_empty() {
            Ok(())
        } else {
            Ok(store.delete_many(keys).await?)
        }
    }
}

impl atomics::HostCas for State {
    async fn new(&mut self, bucket: Resource<OpenStore>, key: String) -> Result<Resource<OpenSwap>, Error> {
        let store = self.bucket(&bucket, "cas", false)?;
        let swap = store.compare_and_swap(key.clone()).await?;
        self.key_value
            .swaps
            .push(OpenSwap {
                swap,
                key,
                store: bucket.rep(),
            })
            .map_err(|_| Error::Other("too many compare_and_swaps opened".to_owned()))
    }

    async fn current(&mut self, handle: Resource<OpenSwap>) -> Result<Option<Vec<u8>>, Error> {
        self.key_value.access.log("current", false);
        let open = self.key_value.swaps.get(&handle).map_err(|_| no_such_swap())?;
        Ok(open.swap.current().await?)
    }

    async fn drop(&mut self, handle: Resource<OpenSwap>) -> wasmtime::Result<()> {
        // A handle that is not in the table is already closed.
        let _ = self.key_value.swaps.delete(handle);
        Ok(())
    }
}

impl atomics::Host for State {
    async fn increment(
        &mut self,
        bucket: Resource<OpenStore>,
        key: String,
        delta: i64,
    ) -> Result<i64, Error> {
        Ok(self
            .bucket(&bucket, "increment", true)?
            .increment(key, delta)
            .await?)
    }

    /// Takes the handle but leaves its entry in the table, as Spin does: each swap uses up one entry
    /// for the life of the instance.
    async fn swap(&mut self, handle: Resource<OpenSwap>, value: Vec<u8>) -> Result<(), CasError> {
        self.key_value.access.log("swap", true);
        let open = self
            .key_value
            .swaps
            .get(&handle)
            .map_err(|_| CasError::StoreError(no_such_swap()))?;
        let (store, key) = (open.store, open.key.clone());
        let written = open.swap.swap(value).await;
        if written.map_err(|error| CasError::StoreError(error.into()))? {
            return Ok(());
        }
        let retry = atomics::HostCas::new(self, Resource::new_borrow(store), key).await;
        let retry = retry.map_err(CasError::StoreError)?;
        atomics::HostCas::current(self, Resource::new_borrow(retry.rep()))
            .await
            .map_err(CasError::StoreError)?;
        Err(CasError::CasFailed(retry))
    }
}

fn no_such_swap() -> Error {
    Error::Other("compare and swap not found".to_owned())
}
