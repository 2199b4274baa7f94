//! Operations: one identified write each, so that none is applied twice and each can be found again.

use crate::points::Change;
use crate::user::User;
use crate::username::Username;
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// A client's name for one request that it may send more than once (draft-ietf-httpapi-idempotency-key-header):
/// 1 to 255 visible ASCII characters, compared as they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl FromStr for IdempotencyKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        if (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidKey)
        }
    }
}

/// A text is not an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidKey;

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be 1 to 255 visible ASCII characters")
    }
}

impl std::error::Error for InvalidKey {}

/// One write of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    id: String,
    /// Of the request, where an idempotency key could bring it again; tells another request under the same key.
    fingerprint: Option<String>,
}

impl Operation {
    /// How many hexadecimal digits the id of an operation with a key has: 96 bits, since all keys share one space.
    const KEYED_ID_LENGTH: usize = 24;
    /// How many hexadecimal digits other ids have: 48 bits, since one is only ever compared with its rivals.
    const FRESH_ID_LENGTH: usize = 12;
    /// How many hexadecimal digits a fingerprint has: 32 bits.
    const FINGERPRINT_LENGTH: usize = 8;

    /// An operation that no other request shares. Of the random bits the lower 48 count.
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

    /// The creation of a user under `key`. Keys of creations are one space, whatever the username: that is part of
    /// the request.
    #[must_use]
    pub fn creation(key: &IdempotencyKey, user: &User) -> Self {
        Self::keyed(&["create-user", &key.0], &user.to_json())
    }

    /// The change of a user's points under `key`. Each user's keys are a space of their own.
    #[must_use]
    pub fn award(key: &IdempotencyKey, username: &Username, change: Change) -> Self {
        Self::keyed(
            &["award-points", &username.folded(), &key.0],
            &change.get().to_string(),
        )
    }

    /// `scope` has no spaces in its parts, `request` is any text.
    fn keyed(scope: &[&str], request: &str) -> Self {
        Self {
            id: hexadecimal(&scope.join(" "), Self::KEYED_ID_LENGTH),
            fingerprint: Some(hexadecimal(request, Self::FINGERPRINT_LENGTH)),
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

/// The stored form: the id, then, after a colon, the fingerprint if there is one.
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

/// A text is not the stored form of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnOperation;

/// The first `length` hexadecimal digits of the SHA-256 of `text`.
fn hexadecimal(text: &str, length: usize) -> String {
    let digest = Sha256::digest(text);
    let nibbles = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles
        .take(length)
        .filter_map(|nibble| char::from_digit(nibble.into(), 16))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> IdempotencyKey {
        text.parse().unwrap()
    }

    #[test]
    fn keys_are_visible_ascii() {
        assert!("x".repeat(255).parse::<IdempotencyKey>().is_ok());
        assert!(
            "\"8e03978e-40d5-43dd-bc93-6894a57f9324\""
                .parse::<IdempotencyKey>()
                .is_ok()
        );
        for text in [
            String::new(),
            "x".repeat(256),
            "a b".to_owned(),
            "a\t".to_owned(),
            "ä".to_owned(),
        ] {
            assert_eq!(text.parse::<IdempotencyKey>(), Err(InvalidKey), "{text:?}");
        }
    }

    #[test]
    fn a_key_names_one_operation_in_its_scope() {
        let award = |text: &str, username: &str, points: &str| {
            let change = Change::from_json_number(points).unwrap();
            Operation::award(&key(text), &username.parse().unwrap(), change)
        };
        let first = award("k", "John", "30");
        assert_eq!(first, award("k", "john", "3e1"));
        assert_eq!(first.id(), award("k", "john", "31").id());
        assert_ne!(first.fingerprint(), award("k", "john", "31").fingerprint());
        assert_ne!(first.id(), award("k", "jane", "30").id());
        assert_ne!(first.id(), award("l", "john", "30").id());
        let user = User::from_client(br#"{"username":"john"}"#).unwrap();
        assert_ne!(first.id(), Operation::creation(&key("k"), &user).id());
    }

    #[test]
    fn ids_stay_the_same_from_build_to_build() {
        // If they changed, a request that is retried after an upgrade would be applied again.
        let change = Change::from_json_number("30").unwrap();
        let award = Operation::award(&key("k"), &"john".parse().unwrap(), change);
        assert_eq!(award.to_string(), "36403ea4c8498bd5c44fba49:624b60c5");
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
