//! Requests without access control.

use super::Problem;
use super::preconditions::Preconditions;
use crate::platform::http::Head;
use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

/// A request that needs no token, and has no access to the store.
pub struct Public<'a> {
    head: &'a Head,
}

impl<'a> Public<'a> {
    pub(super) fn new(head: &'a Head) -> Self {
        Self { head }
    }

    /// The path as the client sent it.
    #[must_use]
    pub fn path(&self) -> &'a str {
        &self.head.path
    }

    /// Whether the client already has the representation with the entity tag `"revision"`, so that the answer is 304.
    ///
    /// # Errors
    /// Returns a [`Problem`] if `If-None-Match` is malformed.
    pub fn has(&self, revision: &str) -> Result<bool, Problem> {
        Ok(Preconditions::from_headers(&self.head.headers)?.if_none_match_names(revision))
    }

    /// Whether the client accepts the content coding `coding`, such as `gzip`.
    #[must_use]
    pub fn accepts_encoding(&self, coding: &str) -> bool {
        accepts_encoding(&self.head.headers, coding)
    }
}

/// Evaluates `Accept-Encoding` (RFC 9110, section 12.5.3). Without that field the standard allows any coding, but a client
/// that does not ask for a coding may not support it.
fn accepts_encoding(headers: &HeaderMap, coding: &str) -> bool {
    let mut accepts_any = false;
    for line in headers.get_all(ACCEPT_ENCODING) {
        for element in line.to_str().unwrap_or_default().split(',') {
            let (name, parameters) = element.split_once(';').unwrap_or((element, ""));
            let name = name.trim();
            if name.eq_ignore_ascii_case(coding) {
                return !is_refusal(parameters);
            }
            accepts_any |= name == "*" && !is_refusal(parameters);
        }
    }
    accepts_any
}

/// Whether the weight in `parameters` is 0, which means "not acceptable" (RFC 9110, section 12.4.2).
fn is_refusal(parameters: &str) -> bool {
    parameters
        .trim()
        .strip_prefix(['q', 'Q'])
        .and_then(|weight| weight.strip_prefix('='))
        .is_some_and(|weight| {
            weight.starts_with('0') && weight.bytes().all(|byte| matches!(byte, b'0' | b'.'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;
    use http::header::IF_NONE_MATCH;
    use proptest::prelude::*;

    fn accepts_gzip(lines: &[&str]) -> bool {
        let lines = lines.iter().map(|line| (ACCEPT_ENCODING, line.parse().unwrap()));
        accepts_encoding(&lines.collect(), "gzip")
    }

    #[test]
    fn a_coding_is_accepted_if_it_is_named_and_not_refused() {
        for accepted in [
            "gzip",
            "GZip",
            "br, gzip",
            "gzip;q=0.1",
            "deflate, gzip;q=1.0, *;q=0.5",
            "*",
            "gzip , br",
        ] {
            assert!(accepts_gzip(&[accepted]), "{accepted}");
        }
        for refused in [
            "",
            "identity",
            "br",
            "gzip;q=0",
            "gzip; q=0.000",
            "*, gzip;q=0",
            "*;q=0",
            "x-gzip-not",
        ] {
            assert!(!accepts_gzip(&[refused]), "{refused}");
        }
    }

    #[test]
    fn several_lines_are_one_list() {
        assert!(accepts_gzip(&["br", "gzip"]));
        assert!(!accepts_gzip(&[]));
    }

    #[test]
    fn if_none_match_tells_what_the_client_has() {
        let has = |value: &str| {
            let head = Head {
                method: Method::GET,
                path: "/console/".to_owned(),
                query: None,
                headers: HeaderMap::from_iter([(IF_NONE_MATCH, value.parse().unwrap())]),
            };
            Public::new(&head).has("a1")
        };
        assert!(has("\"a1\"").unwrap());
        assert!(has("\"b\", W/\"a1\"").unwrap());
        assert!(!has("\"b\"").unwrap());
        assert!(has("a1").is_err());
    }

    proptest! {
        #[test]
        fn never_panics(value in "[ -~]{0,40}") {
            let _ = accepts_gzip(&[&value]);
        }
    }
}
