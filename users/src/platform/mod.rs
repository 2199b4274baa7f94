//! What Spin provides: requests and responses, the key-value store, clocks, randomness, variables, and requests to
//! other functions.
//!
//! Only this module names WASI and the SDKs, in one submodule per WASI world. Both have the same interface, and the feature
//! `wasip3` chooses between them. They differ in how a host runs the component:
//!
//! | | `wasip2`, the default | `wasip3` |
//! |---|---|---|
//! | runs on | Spin 3.5 and later | Spin 4.1 |
//! | an instance serves | one request | up to 128, several of them at the same time |
//! | a call of the host | blocks the instance | lets its other requests continue, except for `wasi:keyvalue` |
//! | the head of an answer | leaves in one segment with the body | leaves first |
//! | a store that hangs | delays the request as long as Spin waits | is given up after 3 s, except for `wasi:keyvalue` |
//!
//! Statics cache what an instance reads once, such as variables. They are useful only where an instance serves several
//! requests, and harmless elsewhere, so both worlds use them.

use std::time::Duration;

pub mod http;
pub mod outgoing;
pub mod settings;

#[cfg(not(feature = "wasip3"))]
pub mod wasip2;
#[cfg(feature = "wasip3")]
pub mod wasip3;

#[cfg(not(feature = "wasip3"))]
pub use wasip2 as world;
#[cfg(feature = "wasip3")]
pub use wasip3 as world;
pub use world::{Body, Incoming, Spin, monotonic, now, post, redis, variable};

/// The maximum number of bytes to read of a body that the function did not read: 1 MiB.
const DISCARD_LIMIT: usize = 1024 * 1024;
/// The time limit for reading such a body.
const DISCARD_PATIENCE: Duration = Duration::from_secs(1);
