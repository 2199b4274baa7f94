//! The floor of a page out of the archived history: the envelope, which tells where it is, and the page.
// `cargo test` builds examples for this machine as well, and a component links for its own target alone.
#![cfg(target_family = "wasm")]

use floor::{Failed, get};

floor::component!(read);

/// The page with the entries 26 to 49, which every user with so long a history has.
async fn read(name: &str) -> Result<Option<Vec<u8>>, Failed> {
    get(&format!("user:{name}")).await?;
    get(&format!("page:{name}:26")).await
}
