//! The key-value imports of a component: which stores it may open, and its open handles.

use super::{CompareAndSwap, KeyValue, Stores};
use std::{collections::BTreeSet, sync::Arc};
use wasmtime::component::{Resource, ResourceTable};

/// An open store.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct OpenStore(Arc<dyn KeyValue>);

/// An open compare-and-swap, and the handle of the store that it belongs to.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct OpenSwap {
    pub(crate) swap: Arc<dyn CompareAndSwap>,
    pub(crate) key: String,
    pub(crate) store: u32,
}

/// Key-value state of one instance.
pub(crate) struct KeyValueState {
    pub(crate) access: Arc<Access>,
    stores: ResourceTable,
    pub(crate) swaps: ResourceTable,
}

/// What one component may open.
pub(crate) struct Access {
    pub(crate) component: String,
    pub(crate) labels: BTreeSet<String>,
    pub(crate) stores: Arc<Stores>,
}

/// Why a store was not opened.
pub(crate) enum OpenError {
    AccessDenied,
    NoSuchStore,
    TableFull,
}

impl Access {
    /// Logs that the component called the store, and whether the call commits. Never logs keys or values.
    pub(crate) fn log(&self, operation: &str, commit: bool) {
        tracing::debug!(target: "host::store", component = %self.component, operation, commit);
    }
}

impl KeyValueState {
    pub(crate) fn new(access: Arc<Access>) -> Self {
        Self {
            access,
            stores: ResourceTable::new(),
            swaps: ResourceTable::new(),
        }
    }

    pub(crate) fn open(&mut self, label: &str) -> Result<Resource<OpenStore>, OpenError> {
        if !self.access.labels.contains(label) {
            return Err(OpenError::AccessDenied);
        }
        let store = self.access.stores.get(label).ok_or(OpenError::NoSuchStore)?;
        self.stores
            .push(OpenStore(Arc::clone(store)))
            .map_err(|_| OpenError::TableFull)
    }

    /// Returns the store behind a handle, and logs the call as `operation`.
    pub(crate) fn store(
        &self,
        handle: &Resource<OpenStore>,
        operation: &str,
        commit: bool,
    ) -> Option<Arc<dyn KeyValue>> {
        self.access.log(operation, commit);
        self.stores.get(handle).ok().map(|open| Arc::clone(&open.0))
    }

    pub(crate) fn close(&mut self, handle: Resource<OpenStore>) {
        // A handle that is not in the table is already closed.
        let _ = self.stores.delete(handle);
    }
}
