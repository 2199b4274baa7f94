//! `spin:key-value`, the interface of `spin_sdk::key_value`.

use super::{KeyValue, Linked, OpenStore, StoreError, handles::OpenError};
use crate::{
    bindings::spin::key_value::key_value::{Error, Host, HostStore, HostStoreWithStore},
    state::State,
};
use std::{convert::Infallible, sync::Arc};
use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

impl From<StoreError> for Error {
    fn from(StoreError(message): StoreError) -> Self {
        Self::Other(message)
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::AccessDenied => Self::AccessDenied,
            OpenError::NoSuchStore => Self::NoSuchStore,
            OpenError::TableFull => Self::StoreTableFull,
        }
    }
}

impl Host for State {}

impl HostStore for State {
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
) -> Result<Arc<dyn KeyValue>, Error> {
    accessor
        .with(|mut access| access.get().key_value.store(handle, operation, commit))
        .ok_or(Error::NoSuchStore)
}

impl<T: Send> HostStoreWithStore<T> for Linked {
    async fn open(accessor: &Accessor<T, Self>, label: String) -> Result<Resource<OpenStore>, Error> {
        Ok(accessor.with(|mut access| access.get().key_value.open(&label))?)
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        handle: Resource<OpenStore>,
        key: String,
    ) -> Result<Option<Vec<u8>>, Error> {
        Ok(find(accessor, &handle, "get", false)?.get(key).await?)
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        handle: Resource<OpenStore>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), Error> {
        Ok(find(accessor, &handle, "set", true)?.set(key, value).await?)
    }

    async fn delete(
        accessor: &Accessor<T, Self>,
        handle: Resource<OpenStore>,
        key: String,
    ) -> Result<(), Error> {
        Ok(find(accessor, &handle, "delete", true)?.delete(key).await?)
    }

    async fn exists(
        accessor: &Accessor<T, Self>,
        handle: Resource<OpenStore>,
        key: String,
    ) -> Result<bool, Error> {
        Ok(find(accessor, &handle, "exists", false)?.exists(key).await?)
    }

    async fn get_keys(
        accessor: &Accessor<T, Self>,
        handle: Resource<OpenStore>,
    ) -> wasmtime::Result<(StreamReader<String>, FutureReader<Result<(), Error>>)> {
        let keys = find(accessor, &handle, "get-keys", false)?.keys().await;
        let (keys, end) = match keys {
            Ok(keys) => (keys, Ok(())),
            Err(error) => (Vec::new(), Err(Error::from(error))),
        };
        accessor.with(|mut access| {
            let stream = StreamReader::new(&mut access, keys)?;
            let end = FutureReader::new(&mut access, async { Ok::<_, Infallible>(end) })?;
            Ok((stream, end))
        })
    }
}
