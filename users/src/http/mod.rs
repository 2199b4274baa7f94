//! The HTTP contract: what every function does before and after its own work.

mod access;
mod log;
pub mod preconditions;
pub mod problem;
mod request;
mod wire;

pub use preconditions::Preconditions;
pub use problem::Problem;
pub use request::Authorized;

use crate::envelope::Envelope;
use crate::operation::Operation;
use crate::store::{Created, Updated};
use crate::user::User;
use crate::username::Username;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, ETAG, LAST_MODIFIED, LOCATION};
use http::{Method, StatusCode};
use log::Log;
use spin_sdk::wasip3::http::types::{self, ErrorCode};
use wire::{Body, Head, Response};

/// What a function makes of a request that was not refused.
pub struct Answer {
    response: Response,
    /// Whether the request changed something.
    is_change: bool,
}

/// Serves a request to `function` with what `answer` makes of it, once its method is one of `methods` and its sender
/// may use it.
///
/// This is the one way into a function: an [`Authorized`] request comes from nowhere else.
///
/// # Errors
/// The request or the response is none by WASI's rules. No host that keeps them comes here.
pub async fn serve(
    function: &'static str,
    request: types::Request,
    methods: &[Method],
    answer: impl AsyncFnOnce(Authorized<'_>) -> Result<Answer, Problem>,
) -> Result<types::Response, ErrorCode> {
    let head = Head::of(&request)?;
    let log = Log::new(function, &head.headers);
    let may_have_body =
        !matches!(head.method, Method::GET | Method::HEAD) || head.headers.contains_key(CONTENT_LENGTH);
    let mut body = may_have_body.then(|| Body::of(request));
    let response = match dispatch(&head, body.as_mut(), &log, methods, answer).await {
        Ok(Answer { response, is_change }) => {
            if is_change {
                log.change(response.status);
            }
            response
        }
        Err(problem) => {
            log.problem(&problem);
            problem.into_response(&head.path)
        }
    };
    if let Some(body) = body {
        request::discard(body);
    }
    response.send()
}

async fn dispatch(
    head: &Head,
    body: Option<&mut Body>,
    log: &Log,
    methods: &[Method],
    answer: impl AsyncFnOnce(Authorized<'_>) -> Result<Answer, Problem>,
) -> Result<Answer, Problem> {
    if methods.contains(&head.method) {
        return answer(Authorized::new(head, body, &log.retries).await?).await;
    }
    let allow: Vec<_> = methods
        .iter()
        .chain([&Method::OPTIONS])
        .map(Method::as_str)
        .collect();
    let allow = allow.join(", ");
    if head.method != Method::OPTIONS {
        return Err(Problem::method_not_allowed(&allow));
    }
    let mut response = Response::empty(StatusCode::NO_CONTENT);
    response.set(&ALLOW, &allow);
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
    let mut response = Response::with_body(StatusCode::CREATED, "application/json", user.to_json().into());
    response.set(&LOCATION, &format!("/user/{}", user.username()));
    response.set(&ETAG, &entity_tag(&Envelope::first_revision(operation)));
    Ok(Answer { response, is_change })
}

/// 200: the record as it is.
#[must_use]
pub fn record(envelope: &Envelope) -> Answer {
    let mut response = Response::with_body(StatusCode::OK, "application/json", envelope.record().into());
    set_validators(&mut response, envelope);
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
    let mut response = Response::empty(StatusCode::NOT_MODIFIED);
    set_validators(&mut response, envelope);
    unchanged(response)
}

fn unchanged(response: Response) -> Answer {
    Answer {
        response,
        is_change: false,
    }
}

fn set_validators(response: &mut Response, envelope: &Envelope) {
    response.set(&ETAG, &entity_tag(&envelope.revision()));
    response.set(&LAST_MODIFIED, &httpdate::fmt_http_date(envelope.changed()));
    response.set(&CACHE_CONTROL, "private, no-cache");
}

/// The strong entity tag of a revision (RFC 9110, section 8.8.3).
fn entity_tag(revision: &str) -> String {
    format!("\"{revision}\"")
}
