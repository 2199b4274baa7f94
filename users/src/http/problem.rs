//! Problem details: how every refusal and fault is told (RFC 9457).

use super::Response;
use crate::json::{Fault, InvalidDocument};
use crate::points::OutOfBounds;
use crate::settings::Misconfigured;
use crate::store::StoreError;
use crate::username::Username;
use http::StatusCode;
use http::header::{ALLOW, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;

/// The kinds of problem. Each has its type, a URN that stays the same, its title and its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table below says it all")]
pub enum Kind {
    MalformedJson,
    MalformedHeader,
    Unauthenticated,
    Forbidden,
    UserNotFound,
    MethodNotAllowed,
    UsernameTaken,
    InsufficientPoints,
    PreconditionFailed,
    BodyTooLarge,
    UnsupportedMediaType,
    InvalidUser,
    InvalidPoints,
    IdempotencyKeyReused,
    CorruptRecord,
    Misconfigured,
    StoreUnavailable,
    TryAgain,
}

impl Kind {
    /// Every kind. The application has one more, `no-such-route`, which `spin.toml` answers by itself.
    pub const ALL: [Self; 18] = [
        Self::MalformedJson,
        Self::MalformedHeader,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::UserNotFound,
        Self::MethodNotAllowed,
        Self::UsernameTaken,
        Self::InsufficientPoints,
        Self::PreconditionFailed,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::InvalidUser,
        Self::InvalidPoints,
        Self::IdempotencyKeyReused,
        Self::CorruptRecord,
        Self::Misconfigured,
        Self::StoreUnavailable,
        Self::TryAgain,
    ];

    /// The status, the type, and the title.
    #[must_use]
    pub fn table(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::MalformedJson => (
                StatusCode::BAD_REQUEST,
                "urn:problem:malformed-json",
                "Malformed JSON",
            ),
            Self::MalformedHeader => (
                StatusCode::BAD_REQUEST,
                "urn:problem:malformed-header",
                "Malformed header",
            ),
            Self::Unauthenticated => (
                StatusCode::UNAUTHORIZED,
                "urn:problem:unauthenticated",
                "Unauthenticated",
            ),
            Self::Forbidden => (StatusCode::FORBIDDEN, "urn:problem:forbidden", "Forbidden"),
            Self::UserNotFound => (
                StatusCode::NOT_FOUND,
                "urn:problem:user-not-found",
                "User not found",
            ),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "urn:problem:method-not-allowed",
                "Method not allowed",
            ),
            Self::UsernameTaken => (
                StatusCode::CONFLICT,
                "urn:problem:username-taken",
                "Username taken",
            ),
            Self::InsufficientPoints => (
                StatusCode::CONFLICT,
                "urn:problem:insufficient-points",
                "Insufficient points",
            ),
            Self::PreconditionFailed => (
                StatusCode::PRECONDITION_FAILED,
                "urn:problem:precondition-failed",
                "Precondition failed",
            ),
            Self::BodyTooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "urn:problem:body-too-large",
                "Body too large",
            ),
            Self::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "urn:problem:unsupported-media-type",
                "Unsupported media type",
            ),
            Self::InvalidUser => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "urn:problem:invalid-user",
                "Invalid user",
            ),
            Self::InvalidPoints => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "urn:problem:invalid-points",
                "Invalid points",
            ),
            Self::IdempotencyKeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "urn:problem:idempotency-key-reused",
                "Idempotency key reused",
            ),
            Self::CorruptRecord => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "urn:problem:corrupt-record",
                "Corrupt record",
            ),
            Self::Misconfigured => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "urn:problem:misconfigured",
                "Misconfigured",
            ),
            Self::StoreUnavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "urn:problem:store-unavailable",
                "Store unavailable",
            ),
            Self::TryAgain => (
                StatusCode::SERVICE_UNAVAILABLE,
                "urn:problem:try-again",
                "Try again",
            ),
        }
    }
}

/// One occurrence of a problem.
#[derive(Clone, Debug)]
pub struct Problem {
    kind: Kind,
    detail: String,
    faults: Vec<Fault>,
    header: Option<(HeaderName, String)>,
}

impl Problem {
    fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            faults: Vec::new(),
            header: None,
        }
    }

    fn with_header(self, name: HeaderName, value: &str) -> Self {
        Self {
            header: Some((name, value.to_owned())),
            ..self
        }
    }

    /// A header field that is not of its grammar.
    pub(super) fn malformed_header(name: &str, expected: &str) -> Self {
        Self::new(
            Kind::MalformedHeader,
            format!("The header field {name} {expected}."),
        )
    }

    /// A request without a token that is accepted; `challenge` says how to come by one (RFC 6750, section 3).
    pub(super) fn unauthenticated(detail: &str, challenge: &str) -> Self {
        Self::new(Kind::Unauthenticated, detail).with_header(WWW_AUTHENTICATE, challenge)
    }

    /// A request with a token that does not suffice.
    pub(super) fn forbidden() -> Self {
        Self::new(Kind::Forbidden, "This token may read, but not write.")
            .with_header(WWW_AUTHENTICATE, "Bearer error=\"insufficient_scope\"")
    }

    /// A method that the function does not serve; `allow` lists those that it does.
    pub(super) fn method_not_allowed(allow: &str) -> Self {
        Self::new(Kind::MethodNotAllowed, format!("This resource serves {allow}.")).with_header(ALLOW, allow)
    }

    /// A body of more than `limit` bytes.
    pub(super) fn body_too_large(limit: usize) -> Self {
        Self::new(
            Kind::BodyTooLarge,
            format!("The body must have at most {limit} bytes."),
        )
    }

    /// A body that is not declared to be plain JSON.
    pub(super) fn unsupported_media_type(expected: &str) -> Self {
        Self::new(
            Kind::UnsupportedMediaType,
            format!("The body must be sent with {expected}."),
        )
    }

    /// A body that broke off.
    pub(super) fn incomplete_body() -> Self {
        Self::new(Kind::MalformedJson, "The body could not be read to its end.")
    }

    /// A precondition of the request that does not hold.
    pub(super) fn precondition_failed() -> Self {
        Self::new(
            Kind::PreconditionFailed,
            "The record is not in the state that the request asks for.",
        )
    }

    /// No user has this name.
    #[must_use]
    pub fn user_not_found(username: &Username) -> Self {
        Self::new(Kind::UserNotFound, format!("There is no user called {username}."))
    }

    /// No user can have such a name.
    pub(super) fn no_username() -> Self {
        Self::new(
            Kind::UserNotFound,
            "The path does not end in a valid username, so it names no user.",
        )
    }

    /// Another user has this name.
    #[must_use]
    pub fn username_taken(username: &Username) -> Self {
        Self::new(
            Kind::UsernameTaken,
            format!("There is a user called {username} already."),
        )
    }

    /// A body that is not a user record.
    #[must_use]
    pub fn invalid_user(why: InvalidDocument) -> Self {
        Self::invalid(Kind::InvalidUser, "The body is not a valid user record.", why)
    }

    /// A body that is not a change of points.
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
            InvalidDocument::Invalid(faults) => Self {
                faults,
                ..Self::new(kind, detail)
            },
        }
    }

    /// An idempotency key that came with another request before.
    #[must_use]
    pub fn idempotency_key_reused() -> Self {
        Self::new(
            Kind::IdempotencyKeyReused,
            "Another request was sent under this idempotency key before.",
        )
    }

    /// The kind of the problem.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What happened, for a person to read.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The response that tells the client, who asked for the path `instance`.
    pub(super) fn into_response(self, instance: &str) -> Response {
        #[derive(Serialize)]
        struct Body<'a> {
            r#type: &'a str,
            title: &'a str,
            status: u16,
            detail: &'a str,
            instance: &'a str,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            errors: &'a [Fault],
        }

        let (status, r#type, title) = self.kind.table();
        let body = Body {
            r#type,
            title,
            status: status.as_u16(),
            detail: &self.detail,
            instance,
            errors: &self.faults,
        };
        // Strings and numbers always serialize; a body that is empty would still have its status.
        let json = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = Response::with_body(status, "application/problem+json", json);
        if let Some((name, value)) = self.header {
            response.set(&name, &value);
        }
        response
    }
}

impl From<OutOfBounds> for Problem {
    fn from(error: OutOfBounds) -> Self {
        match error {
            OutOfBounds::BelowZero => Self::new(
                Kind::InsufficientPoints,
                "The user has fewer points than are to be redeemed.",
            ),
            OutOfBounds::AboveMaximum => {
                let detail = "would give the user more than 9007199254740991 points";
                Self::invalid_points(InvalidDocument::Invalid(vec![Fault::of_member("points", detail)]))
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable => Self::new(
                Kind::StoreUnavailable,
                "The store failed. A change may have been made or not; an idempotency key makes it safe to retry.",
            )
            .with_header(RETRY_AFTER, "5"),
            StoreError::TryAgain => Self::new(
                Kind::TryAgain,
                "Other requests for the same user stood in the way. Nothing was changed.",
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
