//! Reads TOML files so that no key is silently ignored and every error fits on one line.

use anyhow::{Result, anyhow};
use serde::de::DeserializeOwned;
use std::path::Path;

/// Parses `text`, the content of `path`.
///
/// # Errors
///
/// Returns an error with file, line and column if `text` is malformed, and with the key if `T` does not have it.
pub(crate) fn parse<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T> {
    let explain = |error: toml::de::Error| {
        let before = &text[..error.span().map_or(0, |span| span.start.min(text.len()))];
        let line = before.matches('\n').count() + 1;
        let column = before.len() - before.rfind('\n').map_or(0, |newline| newline + 1) + 1;
        let message = error.message().replace('\n', " ");
        anyhow!("{}: line {line}, column {column}: {message}", path.display())
    };
    let deserializer = toml::Deserializer::parse(text).map_err(explain)?;
    let mut unknown = None;
    let parsed = serde_ignored::deserialize(deserializer, |key| {
        // An optional value adds a step `?` to the path of a key.
        unknown.get_or_insert(key.to_string().replace(".?", ""));
    })
    .map_err(explain)?;
    match unknown {
        None => Ok(parsed),
        Some(key) => {
            let place = match key.rsplit_once('.') {
                Some((table, key)) => format!("{table}: key `{key}`"),
                None => format!("key `{key}`"),
            };
            Err(anyhow!(
                "{}: {place} is not supported by the embedded host; use --host spin",
                path.display()
            ))
        }
    }
}
