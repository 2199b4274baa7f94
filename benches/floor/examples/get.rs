//! The floor of a `GET`: one `get`.
// `cargo test` builds examples for this machine as well, and a component links for its own target alone.
#![cfg(target_family = "wasm")]

use floor::{Failed, Response, answer, name, store};
use spin_sdk::http::Request;
use spin_sdk::http_service;

#[http_service]
async fn get(request: Request) -> Response {
    answer(read(name(&request)).await)
}

async fn read(name: &str) -> Result<Option<Vec<u8>>, Failed> {
    let store = store().await?;
    store.get(format!("user/{name}")).await.map_err(|_| Failed)
}
