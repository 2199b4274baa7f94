//! Problem details (RFC 9457): the answers to requests that were refused or failed.

pub use super::problem_kind::Kind;

use super::media_type::MediaType;
use super::path;
use crate::domain::json::{InvalidDocument, VIOLATION_LIMIT, Violation};
use crate::domain::username::Username;
use crate::platform::http::Response;
use crate::platform::settings::Misconfigured;
use crate::storage::StoreError;
use http::header::{ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;
use std::fmt;

/// One occurrence of a problem.
#[derive(Clone, Debug)]
pub struct Problem {
    kind: Kind,
    detail: String,
    violations: Vec<Violation>,
    header: Option<(HeaderName, String)>,
}

impl Problem {
    fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            violations: Vec::new(),
            header: None,
        }
    }

    fn with_header(self, name: HeaderName, value: &str) -> Self {
        Self {
            header: Some((name, value.to_owned())),
            ..self
        }
    }

    /// A header field is malformed. `expected` is a predicate: "must be given once".
    pub(super) fn malformed_header(name: &str, expected: &str) -> Self {
        let detail = format!("The header field {name} {expected}.");
        Self::new(Kind::MalformedHeader, detail)
    }

    /// A parameter of the query is invalid. `expected` is a predicate: "must be given once".
    #[must_use]
    pub fn malformed_query(parameter: &str, expected: &str) -> Self {
        let detail = format!("The query parameter {parameter} {expected}.");
        Self::new(Kind::MalformedQuery, detail)
    }

    /// The request has no token that is accepted. `error` is the error code of RFC 6750, section 3.1, if there was
    /// anything like a token.
    pub(super) fn unauthenticated(detail: &str, error: Option<&str>) -> Self {
        Self::new(Kind::Unauthenticated, detail).challenging(error)
    }

    /// The token of the request does not allow writing.
    pub(super) fn forbidden() -> Self {
        let detail = "The bearer token allows reading, but not writing. Use one of write_tokens.";
        Self::new(Kind::Forbidden, detail).challenging(Some("insufficient_scope"))
    }

    fn challenging(self, error: Option<&str>) -> Self {
        let challenge = match error {
            Some(error) => format!(r#"Bearer realm="users", error="{error}""#),
            None => r#"Bearer realm="users""#.to_owned(),
        };
        self.with_header(WWW_AUTHENTICATE, &challenge)
    }

    /// No function serves the path. Has the same detail as the static answer in `spin.toml`.
    pub(super) fn no_such_route() -> Self {
        Self::new(Kind::NoSuchRoute, "No function serves this path.")
    }

    /// The function does not serve the method; `allow` lists the methods that it serves. `is_user_read` if it only reads users.
    pub(super) fn method_not_allowed(allow: &str, is_user_read: bool) -> Self {
        let elsewhere = if is_user_read {
            " PATCH /user/update/{username} changes a user, DELETE /user/erase/{username} erases one."
        } else {
            ""
        };
        let detail = format!("This resource serves {allow}.{elsewhere}");
        Self::new(Kind::MethodNotAllowed, detail).with_header(ALLOW, allow)
    }

    /// The body has more than `limit` bytes.
    pub(super) fn body_too_large(limit: usize) -> Self {
        let detail = format!("The body must have at most {limit} bytes.");
        Self::new(Kind::BodyTooLarge, detail)
    }

    /// The body is not declared as `expected`.
    pub(super) fn unsupported_media_type(expected: MediaType) -> Self {
        let types = expected.alternatives();
        let detail = format!("The request needs one header field Content-Type: {types}.");
        Self::new(Kind::UnsupportedMediaType, detail).with_header(expected.header(), expected.list())
    }

    /// The body is compressed, or encoded in another way.
    pub(super) fn unsupported_content_coding() -> Self {
        let detail = "The body must be sent without a Content-Encoding.";
        Self::new(Kind::UnsupportedMediaType, detail).with_header(ACCEPT_ENCODING, "identity")
    }

    /// The body was cut off.
    pub(super) fn incomplete_body() -> Self {
        Self::new(Kind::MalformedJson, "The body ended before it was complete.")
    }

    /// A precondition of the request does not hold.
    pub(super) fn precondition_failed() -> Self {
        let detail = "The record is not in the state that the request asks for.";
        Self::new(Kind::PreconditionFailed, detail)
    }

    /// A creation has an `If-Match`, which asks for a state of an existing record.
    pub(super) fn nothing_to_match() -> Self {
        let detail = "If-Match never matches a user that does not exist yet. Leave it out.";
        Self::new(Kind::PreconditionFailed, detail)
    }

    /// No user has this name.
    #[must_use]
    pub fn user_not_found(username: &Username) -> Self {
        Self::new(Kind::UserNotFound, format!("There is no user called {username}."))
    }

    /// No user can have such a name.
    pub(super) fn no_username() -> Self {
        let detail = "The path does not end in a valid username, so there is no such user.";
        Self::new(Kind::UserNotFound, detail)
    }

    /// Another user has this name.
    #[must_use]
    pub fn username_taken(username: &Username) -> Self {
        let detail = format!("There is already a user called {username}.");
        Self::new(Kind::UsernameTaken, detail)
    }

    /// This repeats a creation whose user has been erased since.
    #[must_use]
    pub fn user_erased(username: &Username) -> Self {
        let detail = format!(
            "This request created {username}, who was erased since. Use another idempotency key to create the user again."
        );
        Self::new(Kind::UserErased, detail)
    }

    /// The user has fewer points than the request takes away.
    #[must_use]
    pub fn insufficient_points() -> Self {
        let detail = "The user has fewer points than the request takes away. Nothing was changed.";
        Self::new(Kind::InsufficientPoints, detail)
    }

    /// The stored record of a user cannot be read.
    #[must_use]
    pub fn corrupt_record(username: &Username) -> Self {
        let detail = format!("The stored record of the user {username} is damaged.");
        Self::new(Kind::CorruptRecord, detail)
    }

    /// The change of points was reversed before, by the entry with this sequence number.
    #[must_use]
    pub fn already_reversed(reversal: u64) -> Self {
        let detail = format!("The change was already reversed by entry {reversal} of the user's history.");
        Self::new(Kind::AlreadyReversed, detail)
    }

    /// The entry to be reversed is not an award or a redemption of this user.
    #[must_use]
    pub fn not_reversible() -> Self {
        let detail = "must be the sequence number of an award or a redemption in this user's history";
        Self::invalid_points_member("reverses", detail)
    }

    /// The change, in this `member` of the request, would give the user too many points.
    #[must_use]
    pub fn too_many_points(member: &str) -> Self {
        let detail = "would give the user more than 9007199254740991 points";
        Self::invalid_points_member(member, detail)
    }

    fn invalid_points_member(member: &str, detail: &str) -> Self {
        Self::invalid_points(InvalidDocument::Invalid(vec![Violation::of_member(
            member, detail,
        )]))
    }

    /// The body is not a valid user record.
    #[must_use]
    pub fn invalid_user(why: InvalidDocument) -> Self {
        Self::invalid(Kind::InvalidUser, "The body is not a valid user record.", why)
    }

    /// The body is not a valid merge patch of the user's record.
    #[must_use]
    pub fn invalid_patch(why: InvalidDocument) -> Self {
        Self::invalid(
            Kind::InvalidUser,
            "The body is not a valid patch of a user record.",
            why,
        )
    }

    /// The body is not a change of points.
    #[must_use]
    pub fn invalid_points(why: InvalidDocument) -> Self {
        Self::invalid(
            Kind::InvalidPoints,
            "The body is not a valid change of points.",
            why,
        )
    }

    fn invalid(kind: Kind, detail: &str, why: InvalidDocument) -> Self {
        match why {
            InvalidDocument::Malformed(why) => {
                Self::new(Kind::MalformedJson, format!("The body is not JSON: {why}."))
            }
            InvalidDocument::Invalid(violations) => {
                let detail = if violations.len() < VIOLATION_LIMIT {
                    detail.to_owned()
                } else {
                    format!("{detail} The first {VIOLATION_LIMIT} errors are listed.")
                };
                Self {
                    violations,
                    ..Self::new(kind, detail)
                }
            }
        }
    }

    /// The idempotency key was used for a different request.
    #[must_use]
    pub fn idempotency_key_reused() -> Self {
        let detail =
            "This idempotency key was used for a different request. Give each request a key of its own.";
        Self::new(Kind::IdempotencyKeyReused, detail)
    }

    /// The kind of the problem.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What went wrong, for people to read.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Converts the problem to the response to a request for `path`.
    ///
    /// The response must not be cached: a cached 404 would outlive the creation of the user, and a cached 401 would answer a
    /// request with a valid token.
    pub(super) fn into_response(self, path: &str) -> Response {
        #[derive(Serialize)]
        struct Body<'a> {
            r#type: &'a str,
            title: &'a str,
            status: u16,
            detail: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            instance: Option<String>,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            errors: &'a [Violation],
        }

        let body = Body {
            r#type: self.kind.urn(),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            detail: &self.detail,
            instance: match self.kind {
                // Like the static answer in `spin.toml`, which cannot know the path.
                Kind::NoSuchRoute => None,
                _ => path::to_reference(path),
            },
            errors: &self.violations,
        };
        // Strings and numbers always serialize.
        let json = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = Response::with_body(self.kind.status(), "application/problem+json", json);
        response.insert_header(&CACHE_CONTROL, "no-store");
        if let Some((name, value)) = self.header {
            response.insert_header(&name, &value);
        }
        response
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.title(), self.detail)
    }
}

impl std::error::Error for Problem {}

impl From<InvalidDocument> for Problem {
    fn from(why: InvalidDocument) -> Self {
        Self::invalid_patch(why)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable => Self::new(
                Kind::StoreUnavailable,
                "The store failed. A change may or may not have been made; with an idempotency key it is safe to retry.",
            )
            .with_header(RETRY_AFTER, "5"),
            StoreError::TryAgain => Self::new(
                Kind::TryAgain,
                "Too many requests changed the same user at the same time. Nothing was changed; try again.",
            )
            .with_header(RETRY_AFTER, "1"),
            StoreError::PagesRemain => Self::new(
                Kind::TryAgain,
                "The history of the erased user is too long for one request to delete. Send the request again to continue.",
            )
            .with_header(RETRY_AFTER, "1"),
            StoreError::Corrupt { key, why } => {
                Self::new(Kind::CorruptRecord, format!("The stored value {key} {why}."))
            }
        }
    }
}

impl From<Misconfigured> for Problem {
    fn from(Misconfigured { variable, why }: Misconfigured) -> Self {
        Self::new(Kind::Misconfigured, format!("The variable {variable} {why}."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_kind_has_a_type_of_its_own() {
        let types: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.urn()).collect();
        assert_eq!(types.len(), Kind::ALL.len());
    }

    #[test]
    fn a_list_that_was_cut_short_says_so() {
        let violations = |count: usize| {
            let all = (0..count).map(|index| Violation::of_member(&index.to_string(), "is wrong"));
            Problem::invalid_user(InvalidDocument::Invalid(all.collect()))
        };
        assert!(!violations(VIOLATION_LIMIT - 1).detail().contains("first"));
        assert!(violations(VIOLATION_LIMIT).detail().contains("first 20"));
    }
}
