//! The HTTP contract: what every function does before and after its own work.

mod access;
mod answer;
mod header_fields;
pub mod history;
pub mod idempotency_key;
pub mod list;
mod local_client;
mod log;
mod media_type;
mod nudge;
mod path;
pub mod preconditions;
pub mod problem;
mod problem_kind;
mod public;
pub mod query;
mod request;

pub use answer::Answer;
pub use history::EntryView;
pub use preconditions::Preconditions;
pub use problem::Problem;
pub use public::Public;
pub use request::Authorized;

// Re-exported so that the crates of functions need no other dependency for HTTP.
pub use http::header::{self, HeaderName};
pub use http::{Method, StatusCode};

use crate::platform::http::{Head, Reply, Response};
use crate::platform::{Body, Incoming};
use http::header::{ALLOW, CONTENT_LENGTH};
use log::Log;
use media_type::{ACCEPT_PATCH, MediaType};
use std::time::Duration;

/// Makes a crate a function: declares its methods, and the `async fn` that answers an [`Authorized`](crate::api::Authorized)
/// request.
///
/// A crate can have only one function. Requests with `OPTIONS` or another method do not reach it.
///
/// ```ignore
/// users::function!(GET, HEAD => answer);
///
/// async fn answer(request: Authorized<'_>) -> Result<Answer, Problem> {
///     let record = request.store().read(&request.username()?).await?;
///     // …
/// }
/// ```
#[macro_export]
macro_rules! function {
    ($($method:ident),+ => $answer:path) => {
        $crate::__export!(|request| $crate::api::serve(
            env!("CARGO_PKG_NAME"),
            &[$($crate::api::Method::$method),+],
            request,
            $answer,
        ));
    };
}

/// Makes a crate a function that anybody may use: declares its methods, and the `async fn` that answers a
/// [`Public`](crate::api::Public) request, which has no access to the store.
///
/// ```ignore
/// users::public_function!(GET, HEAD => answer);
///
/// async fn answer(request: Public<'_>) -> Result<Answer, Problem> {
///     let path = request.path();
///     // …
/// }
/// ```
#[macro_export]
macro_rules! public_function {
    ($($method:ident),+ => $answer:path) => {
        $crate::__export!(|request| $crate::api::serve_public(
            env!("CARGO_PKG_NAME"),
            &[$($crate::api::Method::$method),+],
            request,
            $answer,
        ));
    };
}

/// Serves a request to `function`: calls `answer` if the method is one of `methods` and the sender has access.
///
/// Nothing else makes an [`Authorized`] request, so no function can skip the check of access.
pub async fn serve(
    function: &'static str,
    methods: &[Method],
    request: Incoming,
    answer: impl AsyncFnOnce(Authorized<'_>) -> Result<Answer, Problem>,
) -> Reply {
    respond(function, request, async |head, body, log| {
        if !path::is_exact(&head.path) {
            return Err(Problem::no_such_route());
        }
        if !methods.contains(&head.method) {
            return without_function(&head.method, methods, methods.contains(&Method::GET));
        }
        answer(Authorized::new(head, body, &log.retries).await?).await
    })
    .await
}

/// Serves a request to `function`, which anybody may use: calls `answer` if the method is one of `methods`. `answer` decides
/// which paths exist.
pub async fn serve_public(
    function: &'static str,
    methods: &[Method],
    request: Incoming,
    answer: impl AsyncFnOnce(Public<'_>) -> Result<Answer, Problem>,
) -> Reply {
    respond(function, request, async |head, _, _| {
        if !methods.contains(&head.method) {
            return without_function(&head.method, methods, false);
        }
        answer(Public::new(head)).await
    })
    .await
}

/// A request that takes longer does no work after its answer.
///
/// Such work has no back-pressure: the client already sends its next request. On a host that is too busy to answer in this
/// time, it would pile up until it occupies every instance, and then requests fail.
const UNHURRIED: Duration = Duration::from_millis(250);

/// Serves a request to `function` by calling `answer`, and logs it.
async fn respond(
    function: &'static str,
    request: Incoming,
    answer: impl AsyncFnOnce(&Head, Option<&mut Body>, &Log) -> Result<Answer, Problem>,
) -> Reply {
    let Ok(head) = request.head(header_fields::known) else {
        return Response::empty(StatusCode::BAD_REQUEST).into();
    };
    let log = Log::new(function, &head.headers);
    let may_have_body =
        !matches!(head.method, Method::GET | Method::HEAD) || head.headers.contains_key(CONTENT_LENGTH);
    let mut body = may_have_body.then(|| request.into_body());
    let (response, after) = match answer(&head, body.as_mut(), &log).await {
        Ok(answer) => {
            if answer.is_change {
                log.change(answer.response.status);
            }
            if let Some(detail) = &answer.fault {
                log.fault(answer.response.status, detail);
            }
            let after = answer.after.filter(|_| log.elapsed() < UNHURRIED);
            (answer.response, after)
        }
        Err(problem) => {
            log.problem(&problem);
            (problem.into_response(&head.path), None)
        }
    };
    Reply {
        response,
        unread: body,
        after,
    }
}

/// Answers a request whose `method` is not one of the function's `methods`. `is_user_read` if the function only reads users:
/// then clients may look there for the operations that change them, which Spin cannot route to another function.
fn without_function(method: &Method, methods: &[Method], is_user_read: bool) -> Result<Answer, Problem> {
    let allow: Vec<_> = methods
        .iter()
        .chain([&Method::OPTIONS])
        .map(Method::as_str)
        .collect();
    let allow = allow.join(", ");
    if method != Method::OPTIONS {
        return Err(Problem::method_not_allowed(&allow, is_user_read));
    }
    let answer = Answer::empty(StatusCode::NO_CONTENT).with_header(&ALLOW, &allow);
    Ok(if methods.contains(&Method::PATCH) {
        answer.with_header(&ACCEPT_PATCH, MediaType::MergePatch.list())
    } else {
        answer
    })
}
