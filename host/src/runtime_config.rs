//! The runtime configuration, which assigns a backend to each key-value label.

use crate::document;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// What the file defines; empty if there is no file.
#[derive(Default)]
pub(crate) struct RuntimeConfig {
    pub(crate) stores: BTreeMap<String, Backend>,
}

/// Where a store keeps its data.
#[derive(Debug, PartialEq)]
pub(crate) enum Backend {
    Sqlite(PathBuf),
    Redis(String),
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    key_value_store: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    r#type: String,
    path: Option<PathBuf>,
    url: Option<String>,
}

impl RuntimeConfig {
    /// Reads the file at `path`; paths in it are relative to its directory.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{}: cannot read the runtime config", path.display()))?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self> {
        let document: Document = document::parse(text, path)?;
        let directory = path.parent().unwrap_or(Path::new(""));
        let mut stores = BTreeMap::new();
        for (label, entry) in document.key_value_store {
            let backend = entry
                .check(directory)
                .with_context(|| format!("{}: key_value_store.{label}", path.display()))?;
            stores.insert(label, backend);
        }
        Ok(Self { stores })
    }
}

impl Entry {
    fn check(self, directory: &Path) -> Result<Backend> {
        match (self.r#type.as_str(), self.path, self.url) {
            ("spin", Some(path), None) => Ok(Backend::Sqlite(directory.join(path))),
            ("redis", None, Some(url)) => Ok(Backend::Redis(url)),
            ("spin", ..) => bail!("type \"spin\" needs `path` and nothing else"),
            ("redis", ..) => bail!("type \"redis\" needs `url` and nothing else"),
            (other, ..) => bail!(
                "type {other:?} is not supported by the embedded host, which has \"spin\" and \"redis\"; use --host spin"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<BTreeMap<String, Backend>, String> {
        RuntimeConfig::parse(text, Path::new("conf/runtime.toml"))
            .map(|config| config.stores)
            .map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn both_backends_are_read() {
        let stores = parse(
            "[key_value_store.default]\ntype = 'redis'\nurl = 'redis://localhost'\n\
             [key_value_store.other]\ntype = 'spin'\npath = 'other.db'",
        )
        .unwrap();
        assert_eq!(stores["default"], Backend::Redis("redis://localhost".to_owned()));
        assert_eq!(stores["other"], Backend::Sqlite("conf/other.db".into()));
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        for (text, expected) in [
            (
                "[sqlite_database.default]\ntype = 'spin'",
                "conf/runtime.toml: key `sqlite_database` is not supported by the embedded host; use --host spin",
            ),
            (
                "[key_value_store.default]\ntype = 'redis'\nurl = 'x'\npoints = 1",
                "conf/runtime.toml: key_value_store.default: key `points` is not supported by the embedded host; use --host spin",
            ),
            (
                "[key_value_store.default]\ntype = 'azure_cosmos'",
                "conf/runtime.toml: key_value_store.default: type \"azure_cosmos\" is not supported by the embedded host, which has \"spin\" and \"redis\"; use --host spin",
            ),
            (
                "[key_value_store.default]\ntype = 'spin'",
                "conf/runtime.toml: key_value_store.default: type \"spin\" needs `path` and nothing else",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), expected);
        }
    }
}
