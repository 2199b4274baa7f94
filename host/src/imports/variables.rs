//! `spin:variables` and `fermyon:spin/variables`, with which Spin's SDKs read variables, and `wasi:config`.

use super::{
    Linked,
    bindings::{
        fermyon::spin::variables as v2, spin::variables::variables as v3, wasi::config::store as config,
    },
};
use crate::{state::State, variables::VariableError};
use std::sync::Arc;
use wasmtime::component::Accessor;

impl From<VariableError> for v2::Error {
    fn from(error: VariableError) -> Self {
        match error {
            VariableError::InvalidName(message) => Self::InvalidName(message),
            VariableError::Undefined(message) => Self::Undefined(message),
            VariableError::Provider(message) => Self::Provider(message),
        }
    }
}

impl From<VariableError> for v3::Error {
    fn from(error: VariableError) -> Self {
        match error {
            VariableError::InvalidName(message) => Self::InvalidName(message),
            VariableError::Undefined(message) => Self::Undefined(message),
            VariableError::Provider(message) => Self::Provider(message),
        }
    }
}

impl v2::Host for State {
    async fn get(&mut self, name: String) -> Result<String, v2::Error> {
        Ok(self.variables.get(&name)?)
    }
}

impl v3::Host for State {}

impl<T: Send> v3::HostWithStore<T> for Linked {
    async fn get(accessor: &Accessor<T, Self>, name: String) -> Result<String, v3::Error> {
        let variables = accessor.with(|mut access| Arc::clone(&access.get().variables));
        Ok(variables.get(&name)?)
    }
}

impl config::Host for State {
    /// Like Spin, treats a malformed name as one that has no value.
    async fn get(&mut self, key: String) -> Result<Option<String>, config::Error> {
        match self.variables.get(&key) {
            Ok(value) => Ok(Some(value)),
            Err(VariableError::Undefined(_) | VariableError::InvalidName(_)) => Ok(None),
            Err(VariableError::Provider(message)) => Err(config::Error::Upstream(message)),
        }
    }

    async fn get_all(&mut self) -> Result<Vec<(String, String)>, config::Error> {
        let names = self.variables.names();
        names
            .map(|name| match self.variables.get(name) {
                Ok(value) => Ok((name.to_owned(), value)),
                Err(error) => Err(config::Error::Upstream(error.to_string())),
            })
            .collect()
    }
}
