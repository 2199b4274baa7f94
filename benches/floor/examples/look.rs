//! The floor of a promotion that changes nothing: a compare-and-swap is begun, the record read, nothing written.
// `cargo test` builds examples for this machine as well, and a component links for its own target alone.
#![cfg(target_family = "wasm")]

use floor::{Failed, Response, answer, bucket, name};
use spin_sdk::experimental::wasi::keyvalue::atomics;
use spin_sdk::http::Request;
use spin_sdk::http_service;

#[http_service]
async fn look(request: Request) -> Response {
    answer(read(name(&request)))
}

fn read(name: &str) -> Result<Option<Vec<u8>>, Failed> {
    let swap = atomics::Cas::new(bucket()?, &format!("user/{name}")).map_err(|_| Failed)?;
    swap.current().map_err(|_| Failed)
}
