//! The floor of a creation: every call that the protocol of `docs/CONSISTENCY.md` makes of the store, in its order.
// `cargo test` builds examples for this machine as well, and a component links for its own target alone.
#![cfg(target_family = "wasm")]

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use floor::{Failed, Response, answer, bucket, fresh_value, name, store};
use spin_sdk::experimental::wasi::keyvalue::{atomics, batch};
use spin_sdk::http::Request;
use spin_sdk::{http_service, time, wasip3};

#[http_service]
async fn create(request: Request) -> Response {
    answer(write(name(&request)).await)
}

/// Nothing stands in the way of a name that is used once, so the answers of the store are not looked at.
async fn write(name: &str) -> Result<Option<Vec<u8>>, Failed> {
    let record = format!("user/{name}");
    store().await?.get(&record).await.map_err(|_| Failed)?;
    let bucket = bucket()?;
    let since_1970 = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_err(|_| Failed)?;
    let minute = since_1970.as_secs() / 60;
    let claim = |minute: u64| format!("claim/{name}/{minute}");
    atomics::increment(bucket, &claim(minute), 1).map_err(|_| Failed)?;
    for neighbour in [minute - 1, minute + 1] {
        bucket.exists(&claim(neighbour)).map_err(|_| Failed)?;
    }
    let swap = atomics::Cas::new(bucket, &record).map_err(|_| Failed)?;
    swap.current().map_err(|_| Failed)?;
    let value = fresh_value();
    atomics::swap(swap, &value).map_err(|_| Failed)?;
    remove_later(claim(minute));
    Ok(Some(value))
}

/// Removes the claims of half a second together, 25 in one commit.
fn remove_later(claim: String) {
    thread_local!(static CLAIMS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) });

    let is_first = CLAIMS.with_borrow_mut(|claims| {
        claims.push(claim);
        claims.len() == 1
    });
    if is_first {
        wasip3::spawn(async {
            time::sleep(Duration::from_millis(500)).await;
            if let Ok(bucket) = bucket() {
                for claims in CLAIMS.take().chunks(25) {
                    // What stays behind is in nobody's way here.
                    let _ = batch::delete_many(bucket, claims);
                }
            }
        });
    }
}
