//! The names of all keys in the store. No other module spells one.
//!
//! The parts of a key are separated by `:` and contain none of `/ \ ? #`, which Azure Cosmos DB refuses. Claims are
//! counters. Every other key is written either only by compare-and-swap, and then never deleted, or only by `set`: on
//! DynamoDB a `set` or a deletion resets the version that a stale compare-and-swap relies on, and on SQLite one that
//! found the key absent overwrites the value.
//!
//! ```
//! use users::storage::keys;
//!
//! let username = "Jane".parse().unwrap();
//! assert_eq!(keys::user(&username), "user:jane");
//! assert_eq!(keys::page(&username, 26), "page:jane:26");
//! ```

use super::operation::Operation;
use crate::domain::username::Username;

/// A user's envelope or tombstone; written by compare-and-swap.
#[must_use]
pub fn user(username: &Username) -> String {
    format!("user:{}", username.case_folded())
}

/// A page of archived entries of a user, beginning with the sequence number `first`; written by `set`.
#[must_use]
pub fn page(username: &Username, first: u64) -> String {
    format!("page:{}:{first}", username.case_folded())
}

/// The fingerprint of the request that made an archived change of points under an idempotency key; written by `set`.
pub(super) fn operation(operation: &Operation) -> String {
    format!("operation:{}", operation.id())
}

/// The sequence number of the archived entry that reversed the entry `reversed` of a user; written by `set`.
#[must_use]
pub fn reversal(username: &Username, reversed: u64) -> String {
    format!("reversal:{}:{reversed}", username.case_folded())
}

/// The fingerprint of the request that a creation's idempotency key is bound to; written by compare-and-swap.
pub(super) fn binding(creation: &Operation) -> String {
    format!("creation:{}", creation.id())
}

/// How far the publisher got with a user; written by compare-and-swap.
pub(super) fn published(username: &Username) -> String {
    format!("published:{}", username.case_folded())
}

/// The state of the receiver of events; written by `set`.
pub(super) const RECEIVER: &str = "receiver";

/// A counter; the caller who gets 1 may create `key` in that minute.
pub(super) fn claim(key: &str, minute: u64) -> String {
    format!("claim:{key}:{minute}")
}

/// A leaf of the directory, or the pointer that replaced it; written by compare-and-swap. `nonce` is empty for the 256
/// roots.
pub(super) fn leaf(nonce: &str, prefix: &str) -> String {
    if nonce.is_empty() {
        format!("directory:{prefix}")
    } else {
        format!("directory:{prefix}:{nonce}")
    }
}
