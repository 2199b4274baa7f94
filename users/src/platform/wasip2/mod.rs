//! WASI 0.2: `wasi:http/incoming-handler`, a fresh instance for each request, and calls that block.
//!
//! Every future here is ready when it is first polled, so running one never waits for anything else.
//!
//! Calls of the store have no time limit: they block the instance until the host returns. Spin itself tries for more than a
//! minute to reach a Redis server that is down; only a proxy in front of Spin can answer sooner.

use super::http::{Head, Incomplete, InvalidMethod, Reply, Response};
use super::{DISCARD_LIMIT, DISCARD_PATIENCE};
use http::{HeaderName, Method};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use wasip2::clocks::monotonic_clock;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasip2::io::poll::poll;
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

mod environment;
mod outbound;

pub use environment::{Spin, monotonic, now, variable};
pub use outbound::{post, redis};
pub use wasip2;

/// Exports `$serve`, a function of an [`Incoming`] request that returns a future of a [`Reply`], as the handler of
/// the component.
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($serve:expr) => {
        struct Function;

        impl $crate::platform::world::wasip2::exports::http::incoming_handler::Guest for Function {
            fn handle(
                request: $crate::platform::world::wasip2::http::types::IncomingRequest,
                response: $crate::platform::world::wasip2::http::types::ResponseOutparam,
            ) {
                $crate::platform::world::handle(request, response, $serve);
            }
        }

        use $crate::platform::world::wasip2;
        wasip2::http::proxy::export!(Function with_types_in wasip2);
    };
}

/// Serves one request.
pub fn handle<F: Future<Output = Reply>>(
    request: IncomingRequest,
    out: ResponseOutparam,
    serve: impl FnOnce(Incoming) -> F,
) {
    let Reply {
        response,
        unread,
        after,
    } = block_on(serve(Incoming(request)));
    send(response, out);
    if let Some(after) = after {
        block_on(after);
    }
    if let Some(body) = unread {
        body.discard();
    }
}

/// Runs a future that waits only by blocking.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A request as WASI passes it.
pub struct Incoming(IncomingRequest);

impl Incoming {
    /// Reads the head. Keeps only the header fields for whose names, in lower case, `known` returns a name.
    ///
    /// # Errors
    /// Returns [`InvalidMethod`] if the method is not a token.
    pub fn head(&self, known: impl Fn(&str) -> Option<HeaderName>) -> Result<Head, InvalidMethod> {
        use wasip2::http::types::Method as Wasi;
        let method = match self.0.method() {
            Wasi::Get => Method::GET,
            Wasi::Head => Method::HEAD,
            Wasi::Post => Method::POST,
            Wasi::Put => Method::PUT,
            Wasi::Delete => Method::DELETE,
            Wasi::Connect => Method::CONNECT,
            Wasi::Options => Method::OPTIONS,
            Wasi::Trace => Method::TRACE,
            Wasi::Patch => Method::PATCH,
            Wasi::Other(name) => Method::from_bytes(name.as_bytes()).map_err(|_| InvalidMethod)?,
        };
        let fields = self.0.headers().entries();
        Ok(Head::new(
            method,
            self.0.path_with_query(),
            fields,
            self.0.authority(),
            known,
        ))
    }

    /// The body.
    #[must_use]
    pub fn into_body(self) -> Body {
        let body = self.0.consume().ok();
        let stream = body.as_ref().and_then(|body| body.stream().ok());
        Body { stream, _body: body }
    }
}

/// The maximum number of bytes to read from a body at once.
const CHUNK: u64 = 16 * 1024;

/// The body of a request.
pub struct Body {
    /// `None` at the end. Declared first, because a stream must be dropped before its body.
    stream: Option<InputStream>,
    _body: Option<IncomingBody>,
}

impl Body {
    /// Appends the next bytes of the body to `bytes`. Returns `false` at the end of the body.
    ///
    /// # Errors
    /// Returns [`Incomplete`] if the body ended before it was complete.
    #[expect(clippy::unused_async, reason = "the other world awaits here")]
    pub async fn read(&mut self, bytes: &mut Vec<u8>) -> Result<bool, Incomplete> {
        let Some(stream) = &self.stream else {
            return Ok(false);
        };
        match stream.blocking_read(CHUNK) {
            Ok(read) => {
                bytes.extend_from_slice(&read);
                Ok(true)
            }
            Err(error) => {
                self.stream = None;
                match error {
                    StreamError::Closed => Ok(false),
                    StreamError::LastOperationFailed(_) => Err(Incomplete),
                }
            }
        }
    }

    /// Reads the rest of the body after the client has its answer, for a limited time.
    ///
    /// Spin closes a connection on which part of a request was not read, and a client that is still sending then may never
    /// see the answer.
    fn discard(self) {
        let Some(stream) = &self.stream else {
            return;
        };
        let arrival = stream.subscribe();
        let end = monotonic_clock::subscribe_duration(nanoseconds(DISCARD_PATIENCE));
        let mut read = 0;
        while read <= DISCARD_LIMIT
            && let Ok(bytes) = stream.read(CHUNK)
        {
            read += bytes.len();
            if bytes.is_empty() {
                poll(&[&arrival, &end]);
                if end.ready() {
                    break;
                }
            }
        }
    }
}

/// Sends the response.
///
/// As much of the body as the host accepts is written before the head is handed over, so that both leave in one segment.
/// Spin does not set `TCP_NODELAY`, so on a keep-alive connection a body that follows its head would wait until the
/// client has acknowledged the head, which clients delay by 40 ms. Spin accepts at least 1 MiB.
fn send(response: Response, out: ResponseOutparam) {
    let Response { status, fields, body } = response;
    let fields = match Fields::from_list(&fields) {
        Ok(fields) => fields,
        Err(error) => {
            let error = ErrorCode::InternalError(Some(error.to_string()));
            return ResponseOutparam::set(out, Err(error));
        }
    };
    let response = OutgoingResponse::new(fields);
    // Neither call can fail: every status here is valid, and the body is requested only once.
    let _ = response.set_status_code(status.as_u16());
    let writer = body.and_then(|bytes| Some((response.body().ok()?, bytes)));
    let Some((body, bytes)) = writer else {
        return ResponseOutparam::set(out, Ok(response));
    };
    let Ok(stream) = body.write() else {
        return ResponseOutparam::set(out, Ok(response));
    };
    let rest = write_without_waiting(&stream, &bytes);
    if rest.is_empty() {
        drop(stream);
        // Fails only if the length of the body differs from its `Content-Length`, which was computed from it.
        let _ = OutgoingBody::finish(body, None);
        ResponseOutparam::set(out, Ok(response));
    } else {
        ResponseOutparam::set(out, Ok(response));
        let sent = write(&stream, rest);
        drop(stream);
        // If the client is gone, dropping the unfinished body tells the host that it is incomplete.
        if sent.is_ok() {
            let _ = OutgoingBody::finish(body, None);
        }
    }
}

/// Writes as much of `bytes` as the stream accepts without blocking. Returns the rest.
fn write_without_waiting<'a>(stream: &OutputStream, mut bytes: &'a [u8]) -> &'a [u8] {
    while !bytes.is_empty()
        && let Ok(permit @ 1..) = stream.check_write()
    {
        let (now, rest) = bytes.split_at(bytes.len().min(usize::try_from(permit).unwrap_or(usize::MAX)));
        if stream.write(now).is_err() {
            break;
        }
        bytes = rest;
    }
    bytes
}

/// Writes all `bytes`, waiting for the client if necessary.
fn write(stream: &OutputStream, mut bytes: &[u8]) -> Result<(), StreamError> {
    while !bytes.is_empty() {
        stream.subscribe().block();
        // Detects a closed stream, which would never accept anything.
        stream.check_write()?;
        bytes = write_without_waiting(stream, bytes);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_future_that_is_ready_is_run_to_its_end() {
        let twice = async { (async { 1 }).await + (async { 2 }).await };
        assert_eq!(block_on(twice), 3);
    }

    #[test]
    fn a_duration_beyond_the_clock_is_cut_to_it() {
        assert_eq!(nanoseconds(Duration::from_millis(3)), 3_000_000);
        assert_eq!(nanoseconds(Duration::MAX), u64::MAX);
    }
}
