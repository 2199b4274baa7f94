//! WASI 0.3: `wasi:http/handler`, instances that serve many requests at the same time, and calls that wait.

use super::http::{Head, Incomplete, InvalidMethod, Reply, Response};
use super::{DISCARD_LIMIT, DISCARD_PATIENCE};
use http::{HeaderName, Method};
use spin_sdk_wasip3::wasip3::http::types::{self, ErrorCode};
use spin_sdk_wasip3::wasip3::wit_bindgen::{FutureReader, FutureWriter, StreamReader, StreamResult};
use spin_sdk_wasip3::wasip3::{self, wit_future, wit_stream};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

mod environment;
mod outbound;

pub use environment::{Spin, monotonic, now, variable};
pub use outbound::{post, redis};
pub use spin_sdk_wasip3;

/// Exports `$serve`, a function of an [`Incoming`] request that returns a future of a [`Reply`], as the handler of
/// the component.
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($serve:expr) => {
        struct Function;

        use $crate::platform::world::spin_sdk_wasip3::wasip3;
        wasip3::http::service::export!(Function with_types_in wasip3);

        impl wasip3::exports::http::handler::Guest for Function {
            async fn handle(
                request: wasip3::http::types::Request,
            ) -> Result<wasip3::http::types::Response, wasip3::http::types::ErrorCode> {
                $crate::platform::world::handle(request, $serve).await
            }
        }
    };
}

/// The minimum number of bytes to read from a body at once.
const CHUNK: usize = 1024;

/// Serves one request.
///
/// # Errors
/// Fails only if the response violates WASI's rules.
pub async fn handle<F: Future<Output = Reply>>(
    request: types::Request,
    serve: impl FnOnce(Incoming) -> F,
) -> Result<types::Response, ErrorCode> {
    let Reply {
        response,
        unread,
        after,
    } = serve(Incoming(request)).await;
    if let Some(after) = after {
        wasip3::spawn(after);
    }
    send(response, unread)
}

/// A request as WASI passes it.
pub struct Incoming(types::Request);

impl Incoming {
    /// Reads the head. Keeps only the header fields for whose names, in lower case, `known` returns a name.
    ///
    /// # Errors
    /// Returns [`InvalidMethod`] if the method is not a token.
    pub fn head(&self, known: impl Fn(&str) -> Option<HeaderName>) -> Result<Head, InvalidMethod> {
        let method: Method = self.0.get_method().try_into().map_err(|_| InvalidMethod)?;
        let fields = self.0.get_headers().copy_all();
        Ok(Head::new(
            method,
            self.0.get_path_with_query(),
            fields,
            self.0.get_authority(),
            known,
        ))
    }

    /// The body.
    #[must_use]
    pub fn into_body(self) -> Body {
        let (wanted, result) = wit_future::new(|| Ok(()));
        let (bytes, end) = types::Request::consume_body(self.0, result);
        Body {
            bytes,
            end: Some(end),
            _wanted: wanted,
        }
    }
}

/// The body of a request.
pub struct Body {
    bytes: StreamReader<u8>,
    /// Resolves to whether the body is complete; `None` after that.
    end: Option<FutureReader<Result<Option<types::Trailers>, ErrorCode>>>,
    /// Dropping this tells the host that the body is no longer wanted.
    _wanted: FutureWriter<Result<(), ErrorCode>>,
}

impl Body {
    /// Appends the next bytes of the body to `bytes`. Returns `false` at the end of the body.
    ///
    /// # Errors
    /// Returns [`Incomplete`] if the body ended before it was complete.
    pub async fn read(&mut self, bytes: &mut Vec<u8>) -> Result<bool, Incomplete> {
        let Some(end) = self.end.take() else {
            return Ok(false);
        };
        let mut buffer = std::mem::take(bytes);
        if buffer.len() == buffer.capacity() {
            buffer.reserve(CHUNK);
        }
        let result;
        (result, *bytes) = self.bytes.read(buffer).await;
        if let StreamResult::Complete(_) = result {
            self.end = Some(end);
            return Ok(true);
        }
        end.await.map(|_| false).map_err(|_| Incomplete)
    }
}

/// Reads the rest of a body after the client has its answer, for a limited time.
///
/// Spin 4.1 sometimes loses the body of an answer if that of the request was not read completely.
async fn discard(mut body: Body) {
    within(DISCARD_PATIENCE, async {
        let mut read = 0;
        let mut bytes = Vec::new();
        while let Ok(true) = body.read(&mut bytes).await {
            read += bytes.len();
            bytes.clear();
            if read > DISCARD_LIMIT {
                break;
            }
        }
    })
    .await;
}

/// Returns the output of `future`, or `None` if it takes longer than `limit`; then it is dropped.
async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut end = pin!(spin_sdk_wasip3::time::sleep(limit));
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        // The timer starts only now: most calls are ready at once and need none.
        Poll::Pending => end.as_mut().poll(context).map(|()| None),
    })
    .await
}

/// Sends the response, whose body is streamed after the head, and then reads the rest of the request's body.
///
/// If both bodies were streamed at once, Spin 4.1 would always send the head by itself, and a client that delays its
/// acknowledgements would wait for the body.
fn send(response: Response, unread: Option<Body>) -> Result<types::Response, ErrorCode> {
    let Response { status, fields, body } = response;
    let fields = types::Fields::from_list(&fields)
        .map_err(|error| ErrorCode::InternalError(Some(error.to_string())))?;
    let (end, trailers) = wit_future::new(|| Ok(None));
    let contents = if let Some(body) = body {
        let (mut writer, contents) = wit_stream::new();
        wasip3::spawn(async move {
            // Fails only if the client is gone.
            writer.write_all(body.into_owned()).await;
            drop(end);
            if let Some(unread) = unread {
                discard(unread).await;
            }
        });
        Some(contents)
    } else {
        drop(end);
        if let Some(unread) = unread {
            wasip3::spawn(discard(unread));
        }
        None
    };
    let (response, _sent) = types::Response::new(fields, contents, trailers);
    // Every status here is valid.
    let _ = response.set_status_code(status.as_u16());
    Ok(response)
}
