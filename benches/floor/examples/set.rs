//! The floor of any durable write: one `set` of a key and a value that were not there.
// `cargo test` builds examples for this machine as well, and a component links for its own target alone.
#![cfg(target_family = "wasm")]

use floor::{Failed, Response, answer, fresh_value, name, store};
use spin_sdk::http::Request;
use spin_sdk::http_service;

#[http_service]
async fn set(request: Request) -> Response {
    answer(write(name(&request)).await)
}

async fn write(name: &str) -> Result<Option<Vec<u8>>, Failed> {
    let store = store().await?;
    let value = fresh_value();
    store
        .set(format!("user/{name}"), &value)
        .await
        .map_err(|_| Failed)?;
    Ok(Some(value))
}
