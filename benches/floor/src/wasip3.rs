//! WASI 0.3: instances that serve many requests, reads that wait, and a body that follows its head.

use std::sync::OnceLock;

pub(super) use spin_sdk_wasip3::experimental::wasi::keyvalue::{atomics, store};
use spin_sdk_wasip3::key_value;
pub use spin_sdk_wasip3::wasip3 as runtime;
use spin_sdk_wasip3::wasip3::http::types::{ErrorCode, Fields, Request, Response};
pub(super) use spin_sdk_wasip3::wasip3::random::random::get_random_u64 as random;
use spin_sdk_wasip3::wasip3::{self, wit_future, wit_stream};

use super::{Failed, STORE, name_in, response};

/// Answers a request with what `answer` makes of the last segment of its path.
///
/// # Errors
/// Fails only if the response violates WASI's rules.
pub async fn handle<F: Future<Output = Result<Option<Vec<u8>>, Failed>>>(
    request: &Request,
    answer: impl FnOnce(String) -> F,
) -> Result<Response, ErrorCode> {
    let (status, bytes) = response(answer(name_in(request.get_path_with_query())).await);
    let length = bytes.len().to_string().into_bytes();
    let fields = Fields::from_list(&[("content-length".to_owned(), length)])
        .map_err(|error| ErrorCode::InternalError(Some(error.to_string())))?;
    let (end, trailers) = wit_future::new(|| Ok(None));
    let (mut writer, contents) = wit_stream::new();
    wasip3::spawn(async move {
        writer.write_all(bytes).await;
        drop(end);
    });
    let (response, _sent) = Response::new(fields, Some(contents), trailers);
    let _ = response.set_status_code(status);
    Ok(response)
}

/// The value of `key`, by Spin's own interface, which lets the instance serve others in the meantime.
///
/// # Errors
/// Returns [`Failed`] if the store failed.
pub async fn get(key: &str) -> Result<Option<Vec<u8>>, Failed> {
    static OPEN: OnceLock<key_value::Store> = OnceLock::new();
    let store = if let Some(store) = OPEN.get() {
        store
    } else {
        let store = key_value::Store::open(STORE).await.map_err(|_| Failed)?;
        OPEN.get_or_init(|| store)
    };
    store.get(key).await.map_err(|_| Failed)
}
