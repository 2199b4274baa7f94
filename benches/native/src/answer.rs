//! The answers of the contract, and the faults that prevent them.

use std::time::SystemTime;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LAST_MODIFIED, LOCATION};
use users::api::preconditions::last_modified;
use users::domain::user::User;
use users::domain::username::Username;
use users::storage::Unreadable;
use users::storage::envelope::Envelope;

/// Why there is no answer of the contract.
pub(crate) enum Fault {
    Malformed,
    NotFound,
    Conflict,
    Unprocessable,
    Precondition,
    Store(rusqlite::Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error)
    }
}

impl From<Unreadable> for Fault {
    fn from(_: Unreadable) -> Self {
        damaged()
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Conflict => StatusCode::CONFLICT,
            Self::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Precondition => StatusCode::PRECONDITION_FAILED,
            Self::Store(error) => {
                eprintln!("{error}");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        let body = format!(
            r#"{{"type":"about:blank","title":"{}","status":{}}}"#,
            status.canonical_reason().unwrap_or_default(),
            status.as_u16()
        );
        (status, [(CONTENT_TYPE, "application/problem+json")], body).into_response()
    }
}

/// A stored value cannot be read.
pub(crate) fn damaged() -> Fault {
    Fault::Store(rusqlite::Error::InvalidQuery)
}

/// 201 with the user that this request created.
pub(crate) fn created(user: &User, envelope: &Envelope) -> Result<Response, Fault> {
    let response = Response::builder()
        .status(StatusCode::CREATED)
        .header(CONTENT_TYPE, "application/json")
        .header(LOCATION, format!("/user/{}", user.username()))
        .header(ETAG, entity_tag(envelope));
    finish(response, user.to_json())
}

/// 200 with the current record.
pub(crate) fn record(envelope: &Envelope) -> Result<Response, Fault> {
    described(envelope, envelope.record().to_owned())
}

/// 200 with JSON about the user, with the validators of the record.
pub(crate) fn described(envelope: &Envelope, json: impl Into<Body>) -> Result<Response, Fault> {
    let response = describe(envelope).header(CONTENT_TYPE, "application/json");
    finish(response, json)
}

/// 200 with a page of users.
pub(crate) fn list(json: Vec<u8>) -> Result<Response, Fault> {
    let response = Response::builder()
        .header(CONTENT_TYPE, "application/json")
        .header(CACHE_CONTROL, "private, no-store");
    finish(response, json)
}

/// 204: the user is erased.
pub(crate) fn erased() -> Result<Response, Fault> {
    finish(Response::builder().status(StatusCode::NO_CONTENT), Body::empty())
}

/// 304: the client already has what it asks for.
pub(crate) fn not_modified(envelope: &Envelope) -> Result<Response, Fault> {
    finish(describe(envelope).status(StatusCode::NOT_MODIFIED), Body::empty())
}

/// Reads a username from a path.
pub(crate) fn parse_username(text: &str) -> Result<Username, Fault> {
    text.parse().map_err(|_| Fault::NotFound)
}

/// A response with the validators of a record, without its date until that has come (RFC 9110, 8.8.2.2).
fn describe(envelope: &Envelope) -> http::response::Builder {
    let response = Response::builder()
        .header(ETAG, entity_tag(envelope))
        .header(CACHE_CONTROL, "private, no-cache");
    let date = last_modified(envelope);
    if date <= SystemTime::now() {
        response.header(LAST_MODIFIED, httpdate::fmt_http_date(date))
    } else {
        response
    }
}

fn entity_tag(envelope: &Envelope) -> String {
    format!("\"{}\"", envelope.revision())
}

fn finish(response: http::response::Builder, body: impl Into<Body>) -> Result<Response, Fault> {
    // All headers given here are plain ASCII.
    response.body(body.into()).map_err(|_| damaged())
}
