//! The floor of a `GET`: one `get`.
// `cargo test` builds examples for this machine as well, and a component links for its own target alone.
#![cfg(target_family = "wasm")]

use floor::{Failed, get};

floor::component!(read);

async fn read(name: &str) -> Result<Option<Vec<u8>>, Failed> {
    get(&format!("user:{name}")).await
}
