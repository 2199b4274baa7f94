//! The header field `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header).

use super::Problem;
use super::header_fields::IDEMPOTENCY_KEY;
use crate::storage::operation::IdempotencyKey;
use http::HeaderMap;
use std::borrow::Cow;

/// Reads the idempotency key of a request, if it has one.
///
/// ```
/// use http::HeaderMap;
/// use users::api::idempotency_key::from_headers;
///
/// let mut headers = HeaderMap::new();
/// assert_eq!(from_headers(&headers).unwrap(), None);
/// headers.insert("idempotency-key", "\"order 7\"".parse().unwrap());
/// assert_eq!(from_headers(&headers).unwrap(), "order 7".parse().ok());
/// ```
///
/// # Errors
/// Returns a problem if the header field is malformed or given twice.
pub fn from_headers(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let key = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.to_str().ok().and_then(parse),
        _ => None,
    };
    let expected = "must be given once, as 1 to 255 visible ASCII characters, or in double quotes, where spaces are allowed too";
    key.map(Some)
        .ok_or_else(|| Problem::malformed_header("Idempotency-Key", expected))
}

/// Reads a key: bare visible ASCII, or a string of structured field values (RFC 8941, section 3.3.3), which the draft
/// requires. A text with and without quotes is the same key.
fn parse(value: &str) -> Option<IdempotencyKey> {
    match value.strip_prefix('"') {
        Some(rest) => unquoted(rest.strip_suffix('"')?)?.parse().ok(),
        None if value.contains(' ') => None,
        None => value.parse().ok(),
    }
}

/// The text of a quoted string, in which quotes and backslashes are escaped with a backslash.
fn unquoted(inner: &str) -> Option<Cow<'_, str>> {
    if !inner.contains(['"', '\\']) {
        return Some(Cow::Borrowed(inner));
    }
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        text.push(match character {
            '"' => return None,
            '\\' => characters.next().filter(|c| matches!(c, '"' | '\\'))?,
            other => other,
        });
    }
    Some(Cow::Owned(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::problem::Kind;
    use proptest::prelude::*;

    fn key(text: &str) -> Option<IdempotencyKey> {
        parse(text)
    }

    #[test]
    fn a_key_is_the_same_with_quotes_and_without() {
        for (bare, quoted) in [
            ("k", r#""k""#),
            ("order-4711", r#""order-4711""#),
            (r#"a"b"#, r#""a\"b""#),
            (r"a\b", r#""a\\b""#),
        ] {
            assert!(key(bare).is_some(), "{bare}");
            assert_eq!(key(bare), key(quoted), "{quoted}");
        }
        assert_ne!(key("k"), key("K"));
        assert!(key(r#""k 1""#).is_some());
        assert_ne!(key(r#""k 1""#), key(r#""k  1""#));
    }

    #[test]
    fn quotes_do_not_count_for_the_length() {
        for (length, is_key) in [(1, true), (255, true), (256, false)] {
            assert_eq!(key(&"k".repeat(length)).is_some(), is_key, "{length}");
            let quoted = format!("\"{}\"", "k".repeat(length));
            assert_eq!(key(&quoted).is_some(), is_key, "{length}");
            let escaped = format!("\"{}\"", r#"\""#.repeat(length));
            assert_eq!(key(&escaped).is_some(), is_key, "{length}");
        }
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for text in [
            "",
            "a b",
            "\"\"",
            "\"",
            "\"k",
            r#""k\"#,
            r#""k\""#,
            r#""a"b""#,
            r#""a\b""#,
            r#""k";a=1"#,
            "\"a\tb\"",
        ] {
            assert_eq!(key(text), None, "{text}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(from_headers(&headers).unwrap(), None);
        headers.append(IDEMPOTENCY_KEY, "k".parse().unwrap());
        assert!(from_headers(&headers).unwrap().is_some());
        headers.append(IDEMPOTENCY_KEY, "k".parse().unwrap());
        assert_eq!(from_headers(&headers).unwrap_err().kind(), Kind::MalformedHeader);
    }

    proptest! {
        #[test]
        fn any_text_of_printable_ascii_can_be_quoted(text in "[ -~]{1,255}") {
            let quoted = format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""));
            prop_assert_eq!(parse(&quoted), text.parse().ok());
            prop_assert!(parse(&quoted).is_some());
        }

        #[test]
        fn never_panics(text in "[\"\\\\ak ]{0,8}") {
            let _ = parse(&text);
        }
    }
}
