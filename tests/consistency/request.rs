//! Requests of clients, and what came of them.

use std::time::Duration;

use http::header::{CONTENT_TYPE, ETAG, RETRY_AFTER};
use serde_json::Value;

use crate::linearizability::{Action, Seen};

/// The prefix of the names of users who are erased and created again.
pub(crate) const MORTAL: &str = "mortal";

/// One request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) user: &'a str,
    pub(crate) action: Action,
    pub(crate) key: Option<&'a str>,
}

impl<'a> Request<'a> {
    /// A request without an idempotency key.
    pub(crate) fn new(user: &'a str, action: Action) -> Self {
        Self {
            user,
            action,
            key: None,
        }
    }

    /// Whether the user may be erased during the load.
    pub(crate) fn is_of_mortal(&self) -> bool {
        self.user.starts_with(MORTAL)
    }

    /// The request with an idempotency key.
    pub(crate) fn under(self, key: &'a str) -> Self {
        Self {
            key: Some(key),
            ..self
        }
    }
}

/// The answer to a request, with the times of both.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) result: Outcome,
    pub(crate) called: Duration,
    pub(crate) answered: Duration,
    /// The number of changes in the `ETag`.
    pub(crate) sequence: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// 200 or 201.
    Done(Seen),
    /// 204.
    Erased,
    /// 409.
    Refused,
    /// 410: what this repeated creation created was erased.
    Gone,
    /// 404.
    NoSuchUser,
    /// 503 `try-again`: nothing was done.
    TryAgain,
    /// 503 `store-unavailable`: the request may have been carried out.
    Unavailable,
    /// There was no answer.
    Lost,
    /// The host could not be reached.
    NotSent,
    /// Any other answer, which is wrong.
    Unexpected(String),
}

impl Outcome {
    /// Whether the request has an answer that will not change.
    pub(crate) fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Done(_) | Self::Erased | Self::Refused | Self::Gone | Self::NoSuchUser
        )
    }
}

/// The sequence number at the start of an `ETag`.
pub(crate) fn sequence_of(response: &reqwest::Response) -> Option<u64> {
    let tag = response.headers().get(ETAG)?.to_str().ok()?;
    tag.trim_matches('"').split_once('-')?.0.parse().ok()
}

/// Reads an answer. A 503 must be a problem with `Retry-After`.
pub(crate) async fn read(response: reqwest::Response) -> Outcome {
    let status = response.status().as_u16();
    let is_problem = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind == "application/problem+json");
    let has_retry_after = response.headers().contains_key(RETRY_AFTER);
    let Ok(body) = response.bytes().await else {
        return Outcome::Lost;
    };
    let unexpected = || Outcome::Unexpected(format!("{status} {}", String::from_utf8_lossy(&body)));
    if status == 204 {
        return Outcome::Erased;
    }
    if status == 504 {
        // The host gave up waiting for the function.
        return Outcome::Lost;
    }
    let Ok(json) = serde_json::from_slice::<Value>(&body) else {
        return unexpected();
    };
    match (status, json["type"].as_str()) {
        (200 | 201, _) => seen(&json).map_or_else(unexpected, Outcome::Done),
        (
            409,
            Some(
                "urn:problem:username-taken"
                | "urn:problem:insufficient-points"
                | "urn:problem:already-reversed",
            ),
        ) if is_problem => Outcome::Refused,
        (410, Some("urn:problem:user-erased")) if is_problem => Outcome::Gone,
        (404, Some("urn:problem:user-not-found")) if is_problem => Outcome::NoSuchUser,
        (503, Some("urn:problem:try-again")) if is_problem && has_retry_after => Outcome::TryAgain,
        (503, Some("urn:problem:store-unavailable")) if is_problem && has_retry_after => Outcome::Unavailable,
        _ => unexpected(),
    }
}

fn seen(record: &Value) -> Option<Seen> {
    let status = match record.get("status") {
        Some(status) => Some(
            *["Bronze", "Silver", "Gold"]
                .iter()
                .find(|name| status == **name)?,
        ),
        None => None,
    };
    Some(Seen {
        points: record.get("points").map_or(Some(0), Value::as_i64)?,
        status,
        note: record.get("note").and_then(Value::as_i64),
    })
}
