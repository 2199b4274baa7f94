//! The floor of an award, and of a promotion that changes the record: read, and swap for another value.
// `cargo test` builds examples for this machine as well, and a component links for its own target alone.
#![cfg(target_family = "wasm")]

use floor::{Failed, Response, answer, bucket, make_fresh, name};
use spin_sdk::experimental::wasi::keyvalue::atomics;
use spin_sdk::http::Request;
use spin_sdk::http_service;

#[http_service]
async fn update(request: Request) -> Response {
    answer(write(name(&request)))
}

/// Where another request came between, it tries again at once.
fn write(name: &str) -> Result<Option<Vec<u8>>, Failed> {
    let mut swap = atomics::Cas::new(bucket()?, &format!("user/{name}")).map_err(|_| Failed)?;
    loop {
        let Some(mut value) = swap.current().map_err(|_| Failed)? else {
            return Ok(None);
        };
        make_fresh(&mut value);
        swap = match atomics::swap(swap, &value) {
            Ok(()) => return Ok(Some(value)),
            Err(atomics::CasError::CasFailed(next)) => next,
            Err(atomics::CasError::StoreError(_)) => return Err(Failed),
        };
    }
}
