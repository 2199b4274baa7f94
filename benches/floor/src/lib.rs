//! What the components of the floor share: they take a key from the path, call the store, and answer.
//!
//! They are built for the same two worlds as the functions, and answer as the functions do in each: in WASI 0.2 in one
//! segment, in WASI 0.3 with a body that follows its head.

#[cfg(not(feature = "wasip3"))]
mod wasip2;
#[cfg(feature = "wasip3")]
mod wasip3;

#[cfg(not(feature = "wasip3"))]
use wasip2 as world;
#[cfg(feature = "wasip3")]
use wasip3 as world;

use std::sync::OnceLock;

use world::{atomics, random, store};
pub use world::{get, handle, runtime};

/// The store that the functions use as well.
const STORE: &str = "default";

/// The store failed; nothing more is to be said of it here.
#[derive(Debug)]
pub struct Failed;

/// Makes a component of the asynchronous function `$answer`, which gets the last segment of the path.
#[cfg(not(feature = "wasip3"))]
#[macro_export]
macro_rules! component {
    ($answer:path) => {
        struct Component;

        use $crate::runtime as wasip2;
        wasip2::http::proxy::export!(Component with_types_in wasip2);

        impl wasip2::exports::http::incoming_handler::Guest for Component {
            fn handle(
                request: wasip2::http::types::IncomingRequest,
                response: wasip2::http::types::ResponseOutparam,
            ) {
                $crate::handle(&request, response, async |name: String| $answer(&name).await);
            }
        }
    };
}

/// Makes a component of the asynchronous function `$answer`, which gets the last segment of the path.
#[cfg(feature = "wasip3")]
#[macro_export]
macro_rules! component {
    ($answer:path) => {
        struct Component;

        use $crate::runtime as wasip3;
        wasip3::http::service::export!(Component with_types_in wasip3);

        impl wasip3::exports::http::handler::Guest for Component {
            async fn handle(
                request: wasip3::http::types::Request,
            ) -> Result<wasip3::http::types::Response, wasip3::http::types::ErrorCode> {
                $crate::handle(&request, async |name: String| $answer(&name).await).await
            }
        }
    };
}

/// The store with the atomic operations, opened by the first call.
fn bucket() -> Result<&'static store::Bucket, Failed> {
    static BUCKET: OnceLock<store::Bucket> = OnceLock::new();
    if let Some(bucket) = BUCKET.get() {
        return Ok(bucket);
    }
    let bucket = store::open(STORE).map_err(|_| Failed)?;
    Ok(BUCKET.get_or_init(|| bucket))
}

/// The last segment of the path.
fn name_in(path: Option<String>) -> String {
    let path = path.unwrap_or_default();
    path.rsplit_once('/')
        .map_or(path.as_str(), |(_, name)| name)
        .to_owned()
}

/// Status and body of an answer: 404 without a body, 500 if the store failed.
fn response(answer: Result<Option<Vec<u8>>, Failed>) -> (u16, Vec<u8>) {
    match answer {
        Ok(Some(bytes)) => (200, bytes),
        Ok(None) => (404, Vec::new()),
        Err(Failed) => (500, Vec::new()),
    }
}

/// A value that was never written before, of about the size of a stored user.
#[must_use]
pub fn fresh_value() -> Vec<u8> {
    let mut value = vec![b' '; 180];
    make_fresh(&mut value);
    value
}

/// The length of the random mark by which a write is recognized.
const MARK: usize = 8;

/// Changes a value of at least 8 bytes, since `SQLite` does not write a value that has not changed. Keeps its length,
/// and as many marks of earlier writes as fit. Returns the mark of this write.
fn make_fresh(value: &mut [u8]) -> [u8; MARK] {
    let mark = random().to_be_bytes();
    if value.len() >= MARK {
        value.rotate_right(MARK);
        value[..MARK].copy_from_slice(&mark);
    }
    mark
}

/// Reads the value of `key` by beginning a compare-and-swap that is never completed.
///
/// # Errors
/// Returns [`Failed`] if the store failed.
pub fn look(key: &str) -> Result<Option<Vec<u8>>, Failed> {
    let cas = atomics::Cas::new(bucket()?, key).map_err(|_| Failed)?;
    cas.current().map_err(|_| Failed)
}

/// Gives `key` a new value of the same size by compare-and-swap; if the key is absent, starts from `first`, if that is
/// given. On a conflict it tries again immediately. Redis reports a conflict even if it wrote the value, so the stored
/// value is first searched for the mark of this write.
///
/// # Errors
/// Returns [`Failed`] if the store failed.
pub fn update(key: &str, first: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, Failed> {
    let mut cas = atomics::Cas::new(bucket()?, key).map_err(|_| Failed)?;
    let mut standing = cas.current().map_err(|_| Failed)?.or(first);
    loop {
        let Some(mut value) = standing else {
            return Ok(None);
        };
        let mark = make_fresh(&mut value);
        cas = match atomics::swap(cas, &value) {
            Ok(()) => return Ok(Some(value)),
            Err(atomics::CasError::CasFailed(next)) => next,
            Err(atomics::CasError::StoreError(_)) => return Err(Failed),
        };
        standing = cas.current().map_err(|_| Failed)?;
        let is_marked = |value: &Vec<u8>| value.chunks_exact(MARK).any(|one| one == mark);
        if standing.as_ref().is_some_and(is_marked) {
            return Ok(standing);
        }
    }
}
