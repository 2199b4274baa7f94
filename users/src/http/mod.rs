//! The HTTP contract: what every function does before and after its own work.

mod access;
mod log;
pub mod preconditions;
pub mod problem;
mod request;

pub use preconditions::Preconditions;
pub use problem::Problem;
pub use request::Authorized;

use crate::envelope::Envelope;
use crate::operation::Operation;
use crate::store::{Created, Updated};
use crate::user::User;
use crate::username::Username;
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, LAST_MODIFIED, LOCATION};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use log::Log;
use spin_sdk::http::{FullBody, Request};
use spin_sdk::wasip3::http_compat::IncomingRequestBody;

/// What a function responds with.
pub type Response = http::Response<FullBody<Bytes>>;

/// What a function makes of a request that was not refused.
pub struct Answer {
    response: Response,
    /// Whether the request changed something.
    is_change: bool,
}

impl From<Answer> for Response {
    fn from(answer: Answer) -> Self {
        answer.response
    }
}

/// Serves a request to `function` with what `answer` makes of it, once its method is one of `methods` and its sender
/// may use it.
///
/// This is the one way into a function: an [`Authorized`] request comes from nowhere else.
pub async fn serve(
    function: &'static str,
    request: Request,
    methods: &[Method],
    answer: impl AsyncFnOnce(Authorized<'_>) -> Result<Answer, Problem>,
) -> Response {
    let (parts, mut body) = request.into_parts();
    let log = Log::new(function, &parts.headers);
    let instance = parts.uri.path().to_owned();
    let may_have_body =
        !matches!(parts.method, Method::GET | Method::HEAD) || parts.headers.contains_key(CONTENT_LENGTH);
    let response = match dispatch(parts, &mut body, &log, methods, answer).await {
        Ok(Answer { response, is_change }) => {
            if is_change {
                log.change(response.status());
            }
            response
        }
        Err(problem) => {
            log.problem(&problem);
            problem.into_response(&instance)
        }
    };
    if may_have_body {
        request::discard(body);
    }
    response
}

async fn dispatch(
    parts: Parts,
    body: &mut IncomingRequestBody,
    log: &Log,
    methods: &[Method],
    answer: impl AsyncFnOnce(Authorized<'_>) -> Result<Answer, Problem>,
) -> Result<Answer, Problem> {
    if methods.contains(&parts.method) {
        return answer(Authorized::new(parts, body, &log.retries).await?).await;
    }
    let allow: Vec<_> = methods
        .iter()
        .chain([&Method::OPTIONS])
        .map(Method::as_str)
        .collect();
    let allow = allow.join(", ");
    if parts.method != Method::OPTIONS {
        return Err(Problem::method_not_allowed(&allow));
    }
    let mut response = empty(StatusCode::NO_CONTENT);
    set(response.headers_mut(), ALLOW, &allow);
    Ok(unchanged(response))
}

/// 201 with the user that `operation` created, now or when it was sent before, or why there is none.
///
/// # Errors
/// The username is taken, or the idempotency key belongs to another request.
pub fn created(user: &User, operation: &Operation, outcome: Created) -> Result<Answer, Problem> {
    let is_change = match outcome {
        Created::Created => true,
        Created::Repeated => false,
        Created::Taken => return Err(Problem::username_taken(user.username())),
        Created::KeyReused => return Err(Problem::idempotency_key_reused()),
    };
    let mut response = respond(StatusCode::CREATED, "application/json", user.to_json().into());
    set(
        response.headers_mut(),
        LOCATION,
        &format!("/user/{}", user.username()),
    );
    set(
        response.headers_mut(),
        ETAG,
        &entity_tag(&Envelope::first_revision(operation)),
    );
    Ok(Answer { response, is_change })
}

/// 200: the record as it is.
#[must_use]
pub fn record(envelope: &Envelope) -> Answer {
    let mut response = respond(
        StatusCode::OK,
        "application/json",
        envelope.record().to_owned().into(),
    );
    set_validators(response.headers_mut(), envelope);
    unchanged(response)
}

/// 200 with the record as a change left it, or why there was no change.
///
/// # Errors
/// There is no such user, the idempotency key belongs to another request, or the change was refused.
pub fn updated(username: &Username, outcome: Updated<Problem>) -> Result<Answer, Problem> {
    match outcome {
        Updated::Done(envelope) => Ok(Answer {
            is_change: true,
            ..record(&envelope)
        }),
        Updated::Unchanged(envelope) => Ok(record(&envelope)),
        Updated::NoSuchUser => Err(Problem::user_not_found(username)),
        Updated::KeyReused => Err(Problem::idempotency_key_reused()),
        Updated::Refused(problem) => Err(problem),
    }
}

/// 304: the client has the record as it is.
#[must_use]
pub fn not_modified(envelope: &Envelope) -> Answer {
    let mut response = empty(StatusCode::NOT_MODIFIED);
    set_validators(response.headers_mut(), envelope);
    unchanged(response)
}

fn unchanged(response: Response) -> Answer {
    Answer {
        response,
        is_change: false,
    }
}

fn set_validators(headers: &mut HeaderMap, envelope: &Envelope) {
    set(headers, ETAG, &entity_tag(&envelope.revision()));
    set(
        headers,
        LAST_MODIFIED,
        &httpdate::fmt_http_date(envelope.changed()),
    );
    set(headers, CACHE_CONTROL, "private, no-cache");
}

/// The strong entity tag of a revision (RFC 9110, section 8.8.3).
fn entity_tag(revision: &str) -> String {
    format!("\"{revision}\"")
}

/// A response with a body. Its length is always given: without it Spin sends the body in chunks, which is slower.
fn respond(status: StatusCode, media_type: &'static str, body: Vec<u8>) -> Response {
    let length = HeaderValue::from(body.len());
    let mut response = http::Response::new(FullBody::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}

/// A response of a status that has no body.
fn empty(status: StatusCode) -> Response {
    let mut response = http::Response::new(FullBody::default());
    *response.status_mut() = status;
    response
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    // All values given here are plain ASCII, so none is lost.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
