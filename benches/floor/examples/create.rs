//! The floor of a creation: every call that the protocol of `docs/CONSISTENCY.md` makes of the store, in its order.
// `cargo test` builds examples for this machine as well, and a component links for its own target alone.
#![cfg(target_family = "wasm")]

use floor::{Failed, fresh_value, get, update};

floor::component!(write);

/// Nothing stands in the way of a name that is used once, so nothing is decided by the answers of the store.
async fn write(name: &str) -> Result<Option<Vec<u8>>, Failed> {
    let record = format!("user:{name}");
    get(&record).await?;
    // One of the 256 leaves of the directory.
    let leaf = name
        .bytes()
        .fold(0_u8, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte));
    update(&format!("directory:{leaf:02x}"), Some(fresh_value()))?;
    update(&record, Some(fresh_value()))
}
