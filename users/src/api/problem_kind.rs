//! The kinds of problem, one line each.

use http::StatusCode;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident: $status:ident, $name:literal, $title:literal;)+) => {
        /// A kind of problem. Each has a status, a type, which is a URN that stays the same, and a title.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $(
                #[doc = concat!("`urn:problem:", $name, "`: ", $title)]
                $(#[$doc])*
                $kind,
            )+
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// The status that every problem of this kind is answered with.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self {
                    $(Self::$kind => StatusCode::$status,)+
                }
            }

            /// The `type` of every problem of this kind.
            #[must_use]
            pub fn urn(self) -> &'static str {
                match self {
                    $(Self::$kind => concat!("urn:problem:", $name),)+
                }
            }

            /// The `title` of every problem of this kind.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self {
                    $(Self::$kind => $title,)+
                }
            }
        }
    };
}

kinds! {
    MalformedJson: BAD_REQUEST, "malformed-json", "Malformed JSON";
    MalformedHeader: BAD_REQUEST, "malformed-header", "Malformed header";
    MalformedQuery: BAD_REQUEST, "malformed-query", "Malformed query";
    Unauthenticated: UNAUTHORIZED, "unauthenticated", "Unauthenticated";
    Forbidden: FORBIDDEN, "forbidden", "Forbidden";
    UserNotFound: NOT_FOUND, "user-not-found", "User not found";
    /// Where no function is, `spin.toml` gives the same answer.
    NoSuchRoute: NOT_FOUND, "no-such-route", "No such route";
    MethodNotAllowed: METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed";
    UsernameTaken: CONFLICT, "username-taken", "Username taken";
    InsufficientPoints: CONFLICT, "insufficient-points", "Insufficient points";
    AlreadyReversed: CONFLICT, "already-reversed", "Already reversed";
    UserErased: GONE, "user-erased", "User erased";
    PreconditionFailed: PRECONDITION_FAILED, "precondition-failed", "Precondition failed";
    BodyTooLarge: PAYLOAD_TOO_LARGE, "body-too-large", "Body too large";
    UnsupportedMediaType: UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "Unsupported media type";
    InvalidUser: UNPROCESSABLE_ENTITY, "invalid-user", "Invalid user";
    InvalidPoints: UNPROCESSABLE_ENTITY, "invalid-points", "Invalid points";
    IdempotencyKeyReused: UNPROCESSABLE_ENTITY, "idempotency-key-reused", "Idempotency key reused";
    CorruptRecord: INTERNAL_SERVER_ERROR, "corrupt-record", "Corrupt record";
    Misconfigured: INTERNAL_SERVER_ERROR, "misconfigured", "Misconfigured";
    StoreUnavailable: SERVICE_UNAVAILABLE, "store-unavailable", "Store unavailable";
    TryAgain: SERVICE_UNAVAILABLE, "try-again", "Try again";
}
