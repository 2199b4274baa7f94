//! Variants of the shipped `spin.toml`.

use std::fmt::{Display, Formatter};
use std::path::Path;

use toml::{Table, Value};

/// A manifest, made from the one that is shipped.
#[derive(Clone, Debug)]
pub struct Manifest(Table);

impl Manifest {
    /// The shipped one, of the WASI world that is tested.
    pub fn shipped() -> Self {
        Self::read(if crate::in_wasip3() {
            "spin-wasip3.toml"
        } else {
            "spin.toml"
        })
    }

    /// The shipped one of a function that is deployed apart from the others.
    pub fn apart(function: &str) -> Self {
        Self::read(&format!("deploy/apps/{function}.toml"))
    }

    /// A manifest of the project with absolute paths, so that a copy works anywhere.
    fn read(path: &str) -> Self {
        let file = crate::root().join(path);
        let text =
            std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut manifest = Self(text.parse().unwrap_or_else(|error| panic!("{path}: {error}")));
        let folder = Path::new(path).parent().expect("it is in a folder");
        for function in manifest.functions() {
            let component = &manifest.0["component"][&function];
            let source = crate::built(folder.join(component["source"].as_str().expect("a path")));
            manifest = manifest.source(&function, &source);
        }
        manifest
    }

    /// The functions that it deploys.
    pub fn functions(&self) -> Vec<String> {
        let components = self.0["component"].as_table();
        components.expect("a table").keys().cloned().collect()
    }

    /// Keeps one function and the routes that lead to it.
    #[must_use]
    pub fn only(mut self, function: &str) -> Self {
        let components = self.0["component"].as_table_mut().expect("a table");
        components.retain(|name, _| name == function);
        let triggers = self.0["trigger"]["http"].as_array_mut().expect("a list");
        triggers.retain(|trigger| trigger.get("component").and_then(Value::as_str) == Some(function));
        self
    }

    /// Deploys another file instead of a function.
    #[must_use]
    pub fn source(self, function: &str, wasm: &Path) -> Self {
        self.set(function, "source", wasm.to_str().expect("a path in UTF-8"))
    }

    /// Sets one key of a function.
    #[must_use]
    pub fn set(mut self, function: &str, key: &str, value: impl Into<Value>) -> Self {
        let component = self.0["component"][function].as_table_mut().expect("a table");
        component.insert(key.to_owned(), value.into());
        self
    }
}

impl Display for Manifest {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}
