//! `spin:key-value` and `fermyon:spin/key-value`, with which Spin's SDKs reach the stores.

use super::{
    Linked,
    bindings::{fermyon::spin::key_value as v2, spin::key_value::key_value as v3},
};
use crate::{
    state::State,
    store::{KeyValue, OpenError, OpenStore, StoreError},
};
use std::{convert::Infallible, sync::Arc};
use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

impl From<StoreError> for v2::Error {
    fn from(error: StoreError) -> Self {
        Self::Other(error.into_message())
    }
}

impl From<StoreError> for v3::Error {
    fn from(error: StoreError) -> Self {
        Self::Other(error.into_message())
    }
}

impl From<OpenError> for v2::Error {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::AccessDenied => Self::AccessDenied,
            OpenError::NoSuchStore => Self::NoSuchStore,
            OpenError::TableFull => Self::StoreTableFull,
        }
    }
}

impl From<OpenError> for v3::Error {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::AccessDenied => Self::AccessDenied,
            OpenError::NoSuchStore => Self::NoSuchStore,
            OpenError::TableFull => Self::StoreTableFull,
        }
    }
}

impl State {
    fn open_store(
        &self,
        handle: &Resource<OpenStore>,
        operation: &str,
        commit: bool,
    ) -> Result<Arc<dyn KeyValue>, v2::Error> {
        self.key_value
            .store(handle, operation, commit)
            .ok_or(v2::Error::NoSuchStore)
    }
}

impl v2::Host for State {}

impl v2::HostStore for State {
    async fn open(&mut self, label: String) -> Result<Resource<OpenStore>, v2::Error> {
        Ok(self.key_value.open(&label)?)
    }

    async fn get(&mut self, handle: Resource<OpenStore>, key: String) -> Result<Option<Vec<u8>>, v2::Error> {
        Ok(self.open_store(&handle, "get", false)?.get(key).await?)
    }

    async fn set(
        &mut self,
        handle: Resource<OpenStore>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), v2::Error> {
        Ok(self.open_store(&handle, "set", true)?.set(key, value).await?)
    }

    async fn delete(&mut self, handle: Resource<OpenStore>, key: String) -> Result<(), v2::Error> {
        Ok(self.open_store(&handle, "delete", true)?.delete(key).await?)
    }

    async fn exists(&mut self, handle: Resource<OpenStore>, key: String) -> Result<bool, v2::Error> {
        Ok(self.open_store(&handle, "exists", false)?.exists(key).await?)
    }

    async fn get_keys(&mut self, handle: Resource<OpenStore>) -> Result<Vec<String>, v2::Error> {
        Ok(self.open_store(&handle, "get-keys", false)?.keys().await?)
    }

    async fn drop(&mut self, handle: Resource<OpenStore>) -> wasmtime::Result<()> {
        self.key_value.close(handle);
        Ok(())
    }
}

impl v3::Host for State {}

impl v3::HostStore for State {
    async fn drop(&mut self, handle: Resource<OpenStore>) -> wasmtime::Result<()> {
        self.key_value.close(handle);
        Ok(())
    }
}

/// The store behind a handle of the concurrent interface.
fn find<T>(
    accessor: &Accessor<T, Linked>,
    handle: &Resource<OpenStore>,
    operation: &str,
    commit: bool,
) -> Result<Arc<dyn KeyValue>, v3::Error> {
    accessor
        .with(|mut access| access.get().key_value.store(handle, operation, commit))
        .ok_or(v3::Error::NoSuchStore)
}

impl<T: Send> v3::HostStoreWithStore<T> for Linked {
    async fn open(accessor: &Accessor<T, Self>, label: String) -> Result<Resource<OpenStore>, v3::Error> {
        Ok(accessor.with(|mut access| access.get().key_value.open(&label))?)
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        handle: Resource<OpenStore>,
        key: String,
    ) -> Result<Option<Vec<u8>>, v3::Error> {
        Ok(find(accessor, &handle, "get", false)?.get(key).await?)
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        handle: Resource<OpenStore>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), v3::Error> {
        Ok(find(accessor, &handle, "set", true)?.set(key, value).await?)
    }

    async fn delete(
        accessor: &Accessor<T, Self>,
        handle: Resource<OpenStore>,
        key: String,
    ) -> Result<(), v3::Error> {
        Ok(find(accessor, &handle, "delete", true)?.delete(key).await?)
    }

    async fn exists(
        accessor: &Accessor<T, Self>,
        handle: Resource<OpenStore>,
        key: String,
    ) -> Result<bool, v3::Error> {
        Ok(find(accessor, &handle, "exists", false)?.exists(key).await?)
    }

    async fn get_keys(
        accessor: &Accessor<T, Self>,
        handle: Resource<OpenStore>,
    ) -> wasmtime::Result<(StreamReader<String>, FutureReader<Result<(), v3::Error>>)> {
        let keys = find(accessor, &handle, "get-keys", false)?.keys().await;
        let (keys, end) = match keys {
            Ok(keys) => (keys, Ok(())),
            Err(error) => (Vec::new(), Err(v3::Error::from(error))),
        };
        accessor.with(|mut access| {
            let stream = StreamReader::new(&mut access, keys)?;
            let end = FutureReader::new(&mut access, async { Ok::<_, Infallible>(end) })?;
            Ok((stream, end))
        })
    }
}
