//! What the components of the floor share: they take a key from the path, call the store, and answer.

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, StatusCode};
use spin_sdk::experimental::wasi::keyvalue::store::{self, Bucket};
use spin_sdk::http::{FullBody, Request};
use spin_sdk::key_value::Store;
use spin_sdk::wasip3::random::random::get_random_u64;
use std::sync::OnceLock;

/// The store that the functions use as well.
const STORE: &str = "default";

/// What a component answers.
pub type Response = http::Response<FullBody<Bytes>>;

/// The store failed; nothing more is to be said of it here.
#[derive(Debug)]
pub struct Failed;

/// The store by Spin's own interface, opened once for all requests of an instance, as in the functions.
///
/// # Errors
/// It cannot be opened.
pub async fn store() -> Result<&'static Store, Failed> {
    static OPEN: OnceLock<Store> = OnceLock::new();
    if let Some(store) = OPEN.get() {
        return Ok(store);
    }
    let store = Store::open(STORE).await.map_err(|_| Failed)?;
    Ok(OPEN.get_or_init(|| store))
}

/// The store by `wasi:keyvalue`, opened once.
///
/// # Errors
/// It cannot be opened.
pub fn bucket() -> Result<&'static Bucket, Failed> {
    static OPEN: OnceLock<Bucket> = OnceLock::new();
    if let Some(bucket) = OPEN.get() {
        return Ok(bucket);
    }
    let bucket = store::open(STORE).map_err(|_| Failed)?;
    Ok(OPEN.get_or_init(|| bucket))
}

/// The last segment of the path.
#[must_use]
pub fn name(request: &Request) -> &str {
    let path = request.uri().path();
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// A value that was never written before, of about the size of a stored user.
#[must_use]
pub fn fresh_value() -> Vec<u8> {
    let mut value = vec![b' '; 180];
    make_fresh(&mut value);
    value
}

/// Changes a value, since `SQLite` does not write one that is as it was; its length stays.
pub fn make_fresh(value: &mut [u8]) {
    for (old, new) in value.iter_mut().zip(get_random_u64().to_be_bytes()) {
        *old = new;
    }
}

/// Answers with `body` and its length; 404 without one, 500 if the store failed.
pub fn answer(body: Result<Option<Vec<u8>>, Failed>) -> Response {
    let (status, body) = match body {
        Ok(Some(body)) => (StatusCode::OK, body),
        Ok(None) => (StatusCode::NOT_FOUND, Vec::new()),
        Err(Failed) => (StatusCode::INTERNAL_SERVER_ERROR, Vec::new()),
    };
    let length = HeaderValue::from(body.len());
    let mut response = http::Response::new(FullBody::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}
