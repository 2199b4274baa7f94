//! Outbound requests: to other functions of the application, by local service chaining, and to receivers of events.

use super::{nanoseconds, write_without_waiting};
use crate::platform::outgoing::{Post, PostError, Posted};
use http::StatusCode;
use spin_sdk::redis::{Connection, Error, RedisParameter};
use std::time::Duration;
use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{ErrorCode, Fields, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme};
use wasip2::io::poll::poll;

/// Sends a request, and waits at most `limit` for the head of the response.
///
/// If the request goes to another function of the application, that function keeps running after the limit.
///
/// # Errors
/// Returns a [`PostError`] if there is no response.
pub async fn post(post: &Post<'_>, limit: Duration) -> Posted {
    let fields = Fields::from_list(&post.fields).map_err(|_| PostError::Invalid)?;
    let request = OutgoingRequest::new(fields);
    let scheme = if post.is_encrypted {
        Scheme::Https
    } else {
        Scheme::Http
    };
    request
        .set_method(&Method::Post)
        .and_then(|()| request.set_scheme(Some(&scheme)))
        .and_then(|()| request.set_authority(Some(post.authority)))
        .and_then(|()| request.set_path_with_query(Some(post.path)))
        .map_err(|()| PostError::Invalid)?;
    if !post.body.is_empty() {
        let body = request.body().map_err(|()| PostError::Invalid)?;
        let stream = body.write().map_err(|()| PostError::Invalid)?;
        // Spin accepts 1 MiB before it sends anything.
        let rest = write_without_waiting(&stream, post.body);
        drop(stream);
        if !rest.is_empty() {
            return Err(PostError::Invalid);
        }
        OutgoingBody::finish(body, None).map_err(|_| PostError::Invalid)?;
    }
    let nanoseconds = nanoseconds(limit);
    let options = RequestOptions::new();
    // If a host does not support one of them, the poll below enforces the limit.
    let _ = options.set_connect_timeout(Some(nanoseconds));
    let _ = options.set_first_byte_timeout(Some(nanoseconds));
    let response = outgoing_handler::handle(request, Some(options)).map_err(|error| reason(&error))?;
    poll(&[&response.subscribe(), &subscribe_duration(nanoseconds)]);
    match response.get() {
        None => Err(PostError::TimedOut),
        Some(Ok(Ok(response))) => StatusCode::from_u16(response.status()).map_err(|_| PostError::Unreachable),
        Some(Ok(Err(error))) => Err(reason(&error)),
        Some(Err(())) => Err(PostError::Unreachable),
    }
}

fn reason(error: &ErrorCode) -> PostError {
    match error {
        ErrorCode::HttpRequestDenied => PostError::NotAllowed,
        ErrorCode::HttpRequestUriInvalid => PostError::Invalid,
        ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => PostError::TimedOut,
        _ => PostError::Unreachable,
    }
}

/// Sends a command with these arguments to the Redis server at `address`. In this world the call has no time limit.
///
/// # Errors
/// Returns a [`PostError`] if the server did not execute the command.
pub async fn redis(
    address: &str,
    command: &str,
    arguments: &[&str],
    _limit: Duration,
) -> Result<(), PostError> {
    let arguments: Vec<_> = arguments
        .iter()
        .map(|argument| RedisParameter::Binary(argument.as_bytes().to_vec()))
        .collect();
    let connection = Connection::open(address).map_err(|error| match error {
        Error::InvalidAddress => PostError::NotAllowed,
        _ => PostError::Unreachable,
    })?;
    connection
        .execute(command, &arguments)
        .map(|_| ())
        .map_err(|_| PostError::Unreachable)
}
