//! The floor of every change of a record, an erasure among them: read, and swap for another value.
// `cargo test` builds examples for this machine as well, and a component links for its own target alone.
#![cfg(target_family = "wasm")]

use floor::{Failed, update};

floor::component!(write);

async fn write(name: &str) -> Result<Option<Vec<u8>>, Failed> {
    update(&format!("user:{name}"), None)
}
