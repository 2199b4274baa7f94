//! WASI 0.2: a fresh instance for each request, calls that block it, and a body that leaves with its head.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

pub(super) use bindings::wasi::keyvalue::{atomics, store};
pub use wasip2 as runtime;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};
pub(super) use wasip2::random::random::get_random_u64 as random;

use super::{Failed, bucket, name_in, response};

#[expect(clippy::pedantic, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({ path: "../../users/wit", world: "platform", generate_all });
}

/// Answers a request with what `answer` makes of the last segment of its path.
pub fn handle<F: Future<Output = Result<Option<Vec<u8>>, Failed>>>(
    request: &IncomingRequest,
    out: ResponseOutparam,
    answer: impl FnOnce(String) -> F,
) {
    // Nothing here ever waits, so one poll is enough.
    let mut answer = pin!(answer(name_in(request.path_with_query())));
    let Poll::Ready(answer) = answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        return;
    };
    let (status, bytes) = response(answer);
    let fields = Fields::new();
    let _ = fields.set("content-length", &[bytes.len().to_string().into_bytes()]);
    let response = OutgoingResponse::new(fields);
    let _ = response.set_status_code(status);
    if let Ok(body) = response.body() {
        if let Ok(stream) = body.write() {
            // As much as may be written at once: 4 KiB at least.
            let mut left = bytes.as_slice();
            while let Ok(room) = stream.check_write()
                && !left.is_empty()
            {
                let room = usize::try_from(room).unwrap_or(usize::MAX).min(left.len());
                let (now, later) = left.split_at(room);
                if room == 0 || stream.write(now).is_err() {
                    break;
                }
                left = later;
            }
        }
        let _ = OutgoingBody::finish(body, None);
    }
    ResponseOutparam::set(out, Ok(response));
}

/// The value of `key`.
///
/// # Errors
/// Returns [`Failed`] if the store failed.
pub async fn get(key: &str) -> Result<Option<Vec<u8>>, Failed> {
    bucket()?.get(key).map_err(|_| Failed)
}
