//! The floor of any durable write: one `set` of a key and a value that were not there.
// `cargo test` builds examples for this machine as well, and a component links for its own target alone.
#![cfg(target_family = "wasm")]

use floor::{Failed, Response, STORE, answer, fresh_value, name};
use spin_sdk::http::Request;
use spin_sdk::http_service;
use spin_sdk::key_value::Store;

#[http_service]
async fn set(request: Request) -> Response {
    answer(write(name(&request)).await)
}

async fn write(name: &str) -> Result<Option<Vec<u8>>, Failed> {
    let store = Store::open(STORE).await.map_err(|_| Failed)?;
    let value = fresh_value();
    store
        .set(format!("user/{name}"), &value)
        .await
        .map_err(|_| Failed)?;
    Ok(Some(value))
}
