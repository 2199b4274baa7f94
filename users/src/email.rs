//! Electronic mail addresses.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An address that mail can be sent to: a `Mailbox` of RFC 5321, section 4.1.2, within the size limits of
/// section 4.5.3.1. The standard's address is ASCII; the internationalized addresses of RFC 6531 are not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// The address as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Email {
    type Err = InvalidEmail;

    fn from_str(text: &str) -> Result<Self, InvalidEmail> {
        // A quoted local part may contain `@`; a domain never does.
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidEmail::NoAt)?;
        if !(is_dot_string(local) || is_quoted_string(local)) || local.len() > 64 {
            Err(InvalidEmail::LocalPart)
        } else if !(is_domain(domain) || is_address_literal(domain)) || domain.len() > 255 {
            Err(InvalidEmail::Domain)
        } else if text.len() > 254 {
            // A path is at most 256 octets, its two angle brackets among them.
            Err(InvalidEmail::TooLong)
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

/// `Dot-string`: one or more atoms (RFC 5322, section 3.2.3), with dots between them.
fn is_dot_string(text: &str) -> bool {
    text.split('.').all(|atom| {
        !atom.is_empty()
            && atom
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte))
    })
}

/// `Quoted-string`: printable ASCII in double quotes; a quote or a backslash inside has a backslash before it.
fn is_quoted_string(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else {
        return false;
    };
    let mut bytes = inner.bytes();
    while let Some(byte) = bytes.next() {
        let character = match byte {
            b'\\' => bytes.next(),
            b'"' => None,
            other => Some(other),
        };
        if !character.is_some_and(|c| matches!(c, b' '..=b'~')) {
            return false;
        }
    }
    text.len() >= 2
}

/// `Domain`: labels of letters, digits and inner hyphens, each at most 63 octets (RFC 1035, section 2.3.4).
fn is_domain(text: &str) -> bool {
    text.split('.').all(|label| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    })
}

/// `address-literal`: an IPv4 or IPv6 address in brackets.
fn is_address_literal(text: &str) -> bool {
    let Some(address) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) else {
        return false;
    };
    match address.strip_prefix("IPv6:") {
        Some(v6) => v6.parse::<Ipv6Addr>().is_ok(),
        None => address.parse::<Ipv4Addr>().is_ok(),
    }
}

/// Why a text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidEmail {
    /// It has no `@`.
    NoAt,
    /// What stands before the `@` is not a local part.
    LocalPart,
    /// What stands after the `@` is not a domain.
    Domain,
    /// It has more than 254 octets.
    TooLong,
}

impl fmt::Display for InvalidEmail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAt => "must be an email address such as john@example.com",
            Self::LocalPart => "must have a valid local part before the @ (RFC 5321)",
            Self::Domain => "must have a valid domain after the @ (RFC 5321)",
            Self::TooLong => "must have at most 254 characters",
        })
    }
}

impl std::error::Error for InvalidEmail {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_mailboxes() {
        for text in [
            "john@example.com",
            "a@b",
            "john.o'doe+tag@mail.example.co.uk",
            "\"john doe\"@example.com",
            "\"a@b\\\"c\"@example.com",
            "\"\"@example.com",
            "root@[127.0.0.1]",
            "root@[IPv6:::1]",
            "x@xn--bcher-kva.example",
        ] {
            assert!(text.parse::<Email>().is_ok(), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest_and_says_why() {
        for (text, why) in [
            ("john", InvalidEmail::NoAt),
            ("", InvalidEmail::NoAt),
            ("@example.com", InvalidEmail::LocalPart),
            (".john@example.com", InvalidEmail::LocalPart),
            ("jo..hn@example.com", InvalidEmail::LocalPart),
            ("john doe@example.com", InvalidEmail::LocalPart),
            ("\"john@example.com", InvalidEmail::LocalPart),
            ("\"@example.com", InvalidEmail::LocalPart),
            ("\"a\\\"@example.com", InvalidEmail::LocalPart),
            ("jöhn@example.com", InvalidEmail::LocalPart),
            ("john@", InvalidEmail::Domain),
            ("john@-example.com", InvalidEmail::Domain),
            ("john@example..com", InvalidEmail::Domain),
            ("john@exam_ple.com", InvalidEmail::Domain),
            ("john@[1.2.3]", InvalidEmail::Domain),
            ("john@[::1]", InvalidEmail::Domain),
        ] {
            assert_eq!(text.parse::<Email>(), Err(why), "{text}");
        }
    }

    #[test]
    fn holds_to_the_size_limits() {
        let domain = |labels: usize| vec!["d".repeat(63); labels].join(".");
        assert!(format!("{}@example.com", "l".repeat(64)).parse::<Email>().is_ok());
        assert_eq!(
            format!("{}@example.com", "l".repeat(65)).parse::<Email>(),
            Err(InvalidEmail::LocalPart)
        );
        assert_eq!(
            format!("a@{}", "d".repeat(64)).parse::<Email>(),
            Err(InvalidEmail::Domain)
        );
        assert_eq!(
            format!("{}@{}", "l".repeat(60), domain(3) + ".dddd").parse::<Email>(),
            Err(InvalidEmail::TooLong)
        );
    }
}
