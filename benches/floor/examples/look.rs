//! The floor of a promotion that changes nothing: a compare-and-swap is begun, the record read, nothing written.
// `cargo test` builds examples for this machine as well, and a component links for its own target alone.
#![cfg(target_family = "wasm")]

use floor::{Failed, look};

floor::component!(read);

async fn read(name: &str) -> Result<Option<Vec<u8>>, Failed> {
    look(&format!("user:{name}"))
}
