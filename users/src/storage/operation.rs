//! Operations: identified writes, so that none is applied twice and each can be found again.

use crate::domain::user::User;
use crate::domain::username::Username;
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// A client's name for one request that it may send more than once (draft-ietf-httpapi-idempotency-key-header):
/// 1 to 255 printable ASCII characters, compared byte by byte.
///
/// ```
/// use users::storage::operation::{IdempotencyKey, InvalidKey};
///
/// assert!("order-7".parse::<IdempotencyKey>().is_ok());
/// assert_eq!("".parse::<IdempotencyKey>(), Err(InvalidKey));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl FromStr for IdempotencyKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        if (1..=255).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidKey)
        }
    }
}

/// The error for a text that is not an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidKey;

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be 1 to 255 printable ASCII characters")
    }
}

impl std::error::Error for InvalidKey {}

/// One write of one record, with an id by which a repetition of it is recognized.
///
/// ```
/// use users::storage::operation::Operation;
///
/// let key = "order-7".parse().unwrap();
/// let username = "jane".parse().unwrap();
/// let award = Operation::change_of_points(&key, &username, 1, r#"{"points":30}"#);
/// let other = Operation::change_of_points(&key, &username, 1, r#"{"points":31}"#);
/// assert_eq!(award.id(), other.id());
/// assert_ne!(award.fingerprint(), other.fingerprint());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    id: String,
    /// The fingerprint of the request, if it has an idempotency key; differs for a different request under the same key.
    fingerprint: Option<String>,
}

impl Operation {
    /// The number of hexadecimal digits in the id of an operation with a key: 96 bits, since all keys share one space.
    const KEYED_ID_LENGTH: usize = 24;
    /// The number of hexadecimal digits in other ids: 48 bits, since they only differ from concurrent operations.
    const FRESH_ID_LENGTH: usize = 12;
    /// The number of hexadecimal digits in a fingerprint: 32 bits.
    const FINGERPRINT_LENGTH: usize = 8;

    /// Creates an operation that no other request shares, from the lower 48 of these random bits.
    #[must_use]
    pub fn fresh(random: u64) -> Self {
        let id = format!(
            "{:0width$x}",
            random & 0xffff_ffff_ffff,
            width = Self::FRESH_ID_LENGTH
        );
        Self {
            id,
            fingerprint: None,
        }
    }

    /// Creates the operation that creates a user under `key`. All creations share one space of keys: the username is part
    /// of the request.
    #[must_use]
    pub fn creation(key: &IdempotencyKey, user: &User) -> Self {
        Self::keyed(&["create-user", &key.0], &user.to_json())
    }

    /// Creates the operation of the change of points `request` under `key`, for the user of this name whose creation has the
    /// sequence number `first`. Each user has a separate space of keys.
    #[must_use]
    pub fn change_of_points(key: &IdempotencyKey, username: &Username, first: u64, request: &str) -> Self {
        let first = first.to_string();
        Self::keyed(
            &["award-points", &username.case_folded(), &first, &key.0],
            request,
        )
    }

    /// Only the last part of `scope` may contain spaces; `request` is any text.
    fn keyed(scope: &[&str], request: &str) -> Self {
        Self {
            id: hexadecimal(&Sha256::digest(scope.join(" ")), Self::KEYED_ID_LENGTH),
            fingerprint: Some(hexadecimal(&Sha256::digest(request), Self::FINGERPRINT_LENGTH)),
        }
    }

    /// The id: 24 hexadecimal digits if the operation has a key, else 12.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The fingerprint of the request: 8 hexadecimal digits, if the operation has a key.
    #[must_use]
    pub fn fingerprint(&self) -> Option<&str> {
        self.fingerprint.as_deref()
    }
}

/// The stored form: the id, followed by a colon and the fingerprint if there is one.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)?;
        match &self.fingerprint {
            Some(fingerprint) => write!(f, ":{fingerprint}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Operation {
    type Err = NotAnOperation;

    fn from_str(text: &str) -> Result<Self, NotAnOperation> {
        let (id, fingerprint) = match text.split_once(':') {
            Some((id, fingerprint)) => (id, Some(fingerprint)),
            None => (text, None),
        };
        let is_hexadecimal = |text: &str, length| {
            text.len() == length
                && text
                    .bytes()
                    .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let is_valid = match fingerprint {
            Some(text) => {
                is_hexadecimal(id, Self::KEYED_ID_LENGTH) && is_hexadecimal(text, Self::FINGERPRINT_LENGTH)
            }
            None => is_hexadecimal(id, Self::FRESH_ID_LENGTH),
        };
        if is_valid {
            Ok(Self {
                id: id.to_owned(),
                fingerprint: fingerprint.map(str::to_owned),
            })
        } else {
            Err(NotAnOperation)
        }
    }
}

/// The error for a text that is not the stored form of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnOperation;

impl std::fmt::Display for NotAnOperation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the text is not the stored form of an operation")
    }
}

impl std::error::Error for NotAnOperation {}

/// The first `length` hexadecimal digits of `bytes`.
pub(super) fn hexadecimal(bytes: &[u8], length: usize) -> String {
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles
        .take(length)
        .filter_map(|nibble| char::from_digit(nibble.into(), 16))
        .collect()
}

/// Decides whether two requests are one request that was sent twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The request has no key, so no other request repeats it.
    Fresh(Operation),
    /// Requests with the same key and the same text are one request.
    Keyed {
        /// The idempotency key.
        key: IdempotencyKey,
        /// The request in a canonical spelling, which differs for different requests.
        request: String,
    },
}

impl Identity {
    /// The operation of the request on the user of this name whose creation has the sequence number `first`.
    pub(super) fn operation(&self, username: &Username, first: u64) -> Operation {
        match self {
            Self::Fresh(operation) => operation.clone(),
            Self::Keyed { key, request } => Operation::change_of_points(key, username, first, request),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> IdempotencyKey {
        text.parse().unwrap()
    }

    #[test]
    fn a_key_is_printable_ascii() {
        assert!("x".repeat(255).parse::<IdempotencyKey>().is_ok());
        assert!("a b".parse::<IdempotencyKey>().is_ok());
        for text in [String::new(), "x".repeat(256), "a\t".to_owned(), "ä".to_owned()] {
            assert_eq!(text.parse::<IdempotencyKey>(), Err(InvalidKey), "{text:?}");
        }
    }

    #[test]
    fn a_key_names_one_operation_in_its_scope() {
        let award = |text: &str, username: &str, points: &str| {
            Operation::change_of_points(&key(text), &username.parse().unwrap(), 1, points)
        };
        let first = award("k", "John", "30");
        assert_eq!(first, award("k", "john", "30"));
        assert_eq!(first.id(), award("k", "john", "31").id());
        assert_ne!(first.fingerprint(), award("k", "john", "31").fingerprint());
        assert_ne!(first.id(), award("k", "jane", "30").id());
        assert_ne!(first.id(), award("l", "john", "30").id());
        let again = Operation::change_of_points(&key("k"), &"john".parse().unwrap(), 9, "30");
        assert_ne!(first.id(), again.id());
        let user = User::from_client(br#"{"username":"john"}"#).unwrap();
        assert_ne!(first.id(), Operation::creation(&key("k"), &user).id());
    }

    #[test]
    fn ids_stay_the_same_from_build_to_build() {
        // If they changed, a request that is retried after an upgrade would be applied again.
        let award = Operation::change_of_points(&key("k"), &"john".parse().unwrap(), 1, "30");
        assert_eq!(award.to_string(), "87bb37fbee0f4a019ade6c9e:624b60c5");
    }

    #[test]
    fn the_stored_form_is_read_back() {
        for operation in [
            Operation::fresh(0),
            Operation::fresh(u64::MAX),
            Operation::keyed(&["a", "b"], "c"),
        ] {
            assert_eq!(operation.to_string().parse(), Ok(operation));
        }
        for text in [
            "",
            ":",
            "0123",
            "0123456789AB",
            "0123456789ab:01234567",
            "0123456789abcdef01234567",
            "0123456789abcdef01234567:",
        ] {
            assert_eq!(text.parse::<Operation>(), Err(NotAnOperation), "{text}");
        }
    }
}
