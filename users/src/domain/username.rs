//! The name that identifies a user.

use std::fmt;
use std::str::FromStr;

/// A username: 1 to 64 of `A-Z a-z 0-9 . _ -`, starting with a letter or digit.
///
/// It is kept as written, but two usernames that differ only in case name the same user. A username needs no escaping in a
/// path (RFC 3986, section 2.3).
///
/// ```
/// use users::domain::username::{InvalidUsername, Username};
///
/// let username: Username = "John.Doe".parse().unwrap();
/// assert_eq!(username.as_str(), "John.Doe");
/// assert_eq!(username.case_folded(), "john.doe");
/// assert_eq!("john doe".parse::<Username>(), Err(InvalidUsername::Character));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username(String);

impl Username {
    /// The maximum number of characters in a username.
    pub const MAX_LENGTH: usize = 64;

    /// Creates a username from a stored record, where it was checked before it was written.
    pub(crate) fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The username as its user wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The username in lower case, the form in which usernames are compared.
    #[must_use]
    pub fn case_folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Username {
    type Err = InvalidUsername;

    fn from_str(text: &str) -> Result<Self, InvalidUsername> {
        let Some(first) = text.bytes().next() else {
            return Err(InvalidUsername::Empty);
        };
        if !text.bytes().all(is_allowed) {
            Err(InvalidUsername::Character)
        } else if !first.is_ascii_alphanumeric() {
            Err(InvalidUsername::First)
        } else if text.len() > Self::MAX_LENGTH {
            Err(InvalidUsername::TooLong)
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

/// Why a text is not a username.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidUsername {
    /// It has no characters.
    Empty,
    /// It has more than [`Username::MAX_LENGTH`] characters.
    TooLong,
    /// It starts with `.`, `_` or `-`.
    First,
    /// It has a character that is not allowed in usernames.
    Character,
}

impl fmt::Display for InvalidUsername {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "must not be empty",
            Self::TooLong => "must have at most 64 characters",
            Self::First => "must start with a letter or a digit",
            Self::Character => "may contain only the characters A-Z a-z 0-9 . _ -",
        })
    }
}

impl std::error::Error for InvalidUsername {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keeps_what_was_written_and_folds_case() {
        let username: Username = "John.Doe-7_x".parse().unwrap();
        assert_eq!(username.as_str(), "John.Doe-7_x");
        assert_eq!(username.case_folded(), "john.doe-7_x");
    }

    #[test]
    fn says_what_is_wrong() {
        let longest = "a".repeat(64);
        assert!(longest.parse::<Username>().is_ok());
        for (text, why) in [
            (String::new(), InvalidUsername::Empty),
            (longest + "a", InvalidUsername::TooLong),
            ("-john".to_owned(), InvalidUsername::First),
            ("..".to_owned(), InvalidUsername::First),
            ("john doe".to_owned(), InvalidUsername::Character),
            ("john/doe".to_owned(), InvalidUsername::Character),
            ("jöhn".to_owned(), InvalidUsername::Character),
            ("john\0".to_owned(), InvalidUsername::Character),
        ] {
            assert_eq!(text.parse::<Username>(), Err(why), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_username_is_kept_as_it_is_written(text in ".*") {
            if let Ok(username) = text.parse::<Username>() {
                prop_assert_eq!(username.as_str(), &text);
            }
        }

        #[test]
        fn the_grammar_is_accepted(text in "[A-Za-z0-9][A-Za-z0-9._-]{0,63}") {
            prop_assert!(text.parse::<Username>().is_ok());
        }
    }
}
