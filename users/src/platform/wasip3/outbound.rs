//! Outbound requests: to other functions of the application, by local service chaining, and to receivers of events.

use super::within;
use crate::platform::outgoing::{Post, PostError, Posted};
use http::StatusCode;
use spin_sdk_wasip3::redis::{Connection, Error, RedisParameter};
use spin_sdk_wasip3::wasip3::http::client;
use spin_sdk_wasip3::wasip3::http::types::{ErrorCode, Fields, Method, Request, Scheme};
use spin_sdk_wasip3::wasip3::{self, wit_future, wit_stream};
use std::time::Duration;

/// Sends a request, and waits at most `limit` for the head of the response.
///
/// If the request goes to another function of the application, that function keeps running after the limit.
///
/// # Errors
/// Returns a [`PostError`] if there is no response.
pub async fn post(post: &Post<'_>, limit: Duration) -> Posted {
    let fields = Fields::from_list(&post.fields).map_err(|_| PostError::Invalid)?;
    let (end, trailers) = wit_future::new(|| Ok(None));
    let contents = (!post.body.is_empty()).then(|| {
        let (mut writer, contents) = wit_stream::new();
        let body = post.body.to_owned();
        wasip3::spawn(async move {
            // Fails only if the receiver is gone.
            writer.write_all(body).await;
            drop(end);
        });
        contents
    });
    let (request, _sent) = Request::new(fields, contents, trailers, None);
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
    match within(limit, client::send(request)).await {
        None => Err(PostError::TimedOut),
        Some(Ok(response)) => {
            StatusCode::from_u16(response.get_status_code()).map_err(|_| PostError::Unreachable)
        }
        Some(Err(ErrorCode::HttpRequestDenied)) => Err(PostError::NotAllowed),
        Some(Err(ErrorCode::HttpRequestUriInvalid)) => Err(PostError::Invalid),
        Some(Err(_)) => Err(PostError::Unreachable),
    }
}

/// Sends a command with these arguments to the Redis server at `address`, and waits at most `limit` for its answer.
///
/// # Errors
/// Returns a [`PostError`] if the server did not execute the command in time.
pub async fn redis(
    address: &str,
    command: &str,
    arguments: &[&str],
    limit: Duration,
) -> Result<(), PostError> {
    let arguments: Vec<_> = arguments
        .iter()
        .map(|argument| RedisParameter::Binary(argument.as_bytes().to_vec()))
        .collect();
    let executed = within(limit, async {
        let connection = Connection::open(address).await.map_err(|error| match error {
            Error::InvalidAddress => PostError::NotAllowed,
            _ => PostError::Unreachable,
        })?;
        let executed = connection.execute(command, arguments).await;
        executed.map(|_| ()).map_err(|_| PostError::Unreachable)
    });
    executed.await.unwrap_or(Err(PostError::TimedOut))
}
