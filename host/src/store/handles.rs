//! The key-value imports of a component: which stores it may open, and its open handles.

use super::{CompareAndSwap, KeyValue, Stores};
use crate::state::State;
use std::{collections::BTreeSet, sync::Arc};
use wasmtime::component::{HasData, Resource, ResourceTable};

/// An open store.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct OpenStore(Arc<dyn KeyValue>);

/// An open compare-and-swap, and the handle of the store that it belongs to.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct OpenSwap {
    pub(super) swap: Arc<dyn CompareAndSwap>,
    pub(super) key: String,
    pub(super) store: u32,
}

/// Key-value state of one instance.
pub(crate) struct KeyValueState {
    pub(super) access: Arc<Access>,
    stores: ResourceTable,
    pub(super) swaps: ResourceTable,
}

/// What one component may open.
pub(crate) struct Access {
    pub(crate) component: String,
    pub(crate) labels: BTreeSet<String>,
    pub(crate) stores: Arc<Stores>,
}

/// Why a store was not opened.
pub(super) enum OpenError {
    AccessDenied,
    NoSuchStore,
    TableFull,
}

impl Access {
    /// Says that a component called the store, and whether it was a durable write; what it read or wrote
    /// stays unsaid.
    pub(super) fn log(&self, operation: &str, commit: bool) {
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

    pub(super) fn open(&mut self, label: &str) -> Result<Resource<OpenStore>, OpenError> {
        if !self.access.labels.contains(label) {
            return Err(OpenError::AccessDenied);
        }
        let store = self.access.stores.get(label).ok_or(OpenError::NoSuchStore)?;
        self.stores
            .push(OpenStore(Arc::clone(store)))
            .map_err(|_| OpenError::TableFull)
    }

    /// The store behind a handle, for an operation that is logged as `operation`.
    pub(super) fn store(
        &self,
        handle: &Resource<OpenStore>,
        operation: &str,
        commit: bool,
    ) -> Option<Arc<dyn KeyValue>> {
        self.access.log(operation, commit);
        self.stores.get(handle).ok().map(|open| Arc::clone(&open.0))
    }

    pub(super) fn close(&mut self, handle: Resource<OpenStore>) {
        // A handle that is not in the table is already closed.
        let _ = self.stores.delete(handle);
    }
}

/// Tells the linker where in the state the key-value imports are.
pub(crate) struct Linked;

impl HasData for Linked {
    type Data<'a> = &'a mut State;
}
