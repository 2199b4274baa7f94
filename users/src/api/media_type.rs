//! The media types and content codings of requests (RFC 9110, sections 8.3 and 8.4).

use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName};

/// The media type that a request's body must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    /// A plain JSON document.
    Json,
    /// A JSON merge patch (RFC 7396), which may also be declared as plain JSON.
    MergePatch,
}

/// Lists the media types in which a resource accepts patches (RFC 5789, section 3.1).
pub(super) const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

impl MediaType {
    /// The accepted media types, in the form of a header field.
    pub(super) fn list(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::MergePatch => "application/merge-patch+json, application/json",
        }
    }

    /// The accepted media types, in the form of a sentence.
    pub(super) fn alternatives(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::MergePatch => "application/merge-patch+json or application/json",
        }
    }

    /// The header field in which an answer lists them.
    pub(super) fn header(self) -> HeaderName {
        match self {
            Self::Json => ACCEPT,
            Self::MergePatch => ACCEPT_PATCH,
        }
    }

    /// Whether the body of a request is declared as this type, exactly once. Parameters are ignored: JSON has none.
    pub(super) fn is_declared(self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(CONTENT_TYPE).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return false;
        };
        let essence = value.to_str().unwrap_or_default().split(';').next();
        let essence = essence.unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" => true,
            "application/merge-patch+json" => self == Self::MergePatch,
            other => self == Self::Json && is_vendors_json(other),
        }
    }
}

/// Whether `essence` is an unregistered type of JSON document: `application/vnd.…+json`, or the same in the trees `prs.` and
/// `x.` (RFC 6838, section 3). Registered types such as `application/json-patch+json` or `application/problem+json` have a
/// meaning of their own.
fn is_vendors_json(essence: &str) -> bool {
    let name = essence
        .strip_prefix("application/")
        .and_then(|subtype| subtype.strip_suffix("+json"));
    let name = name.and_then(|name| {
        ["vnd.", "prs.", "x."]
            .iter()
            .find_map(|tree| name.strip_prefix(tree))
    });
    name.is_some_and(|name| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    })
}

/// Whether the body of a request is not encoded: `Content-Encoding` is absent, or lists only `identity`. Names of codings
/// are case-insensitive, and a list may have empty elements.
pub(super) fn is_not_encoded(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().all(|value| {
        value.to_str().is_ok_and(|codings| {
            codings.split(',').all(|coding| {
                let coding = coding.trim_matches([' ', '\t']);
                coding.is_empty() || coding.eq_ignore_ascii_case("identity")
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(name: &HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name.clone(), value.parse().unwrap());
        }
        headers
    }

    fn is_declared(kind: MediaType, value: &str) -> bool {
        kind.is_declared(&headers(&CONTENT_TYPE, &[value]))
    }

    #[test]
    fn plain_json_is_known_by_its_media_types() {
        for value in [
            "application/json",
            "Application/JSON ; charset=utf-8",
            "application/json;",
            "application/vnd.user+json",
            "application/vnd.acme.user.v2+json; a=\"b;c\"",
            "application/x.user+json",
        ] {
            assert!(is_declared(MediaType::Json, value), "{value}");
        }
        for value in [
            "",
            "json",
            "text/json",
            "text/x+json",
            "application/json5",
            "application/+json",
            "application/vnd.+json",
            "application/vnd.a b+json",
            "application/json, application/json",
            "application/merge-patch+json",
            "application/json-patch+json",
            "application/problem+json",
            "application/ld+json",
            "application/cloudevents+json",
            "application/json-seq",
            "a b/x+json",
            "/x+json",
        ] {
            assert!(!is_declared(MediaType::Json, value), "{value}");
        }
    }

    #[test]
    fn a_merge_patch_is_known_by_its_media_types() {
        for value in [
            "application/merge-patch+json",
            "Application/Merge-Patch+JSON; charset=utf-8",
            "application/json",
        ] {
            assert!(is_declared(MediaType::MergePatch, value), "{value}");
        }
        for value in [
            "",
            "application/json-patch+json",
            "application/vnd.user+json",
            "text/plain",
        ] {
            assert!(!is_declared(MediaType::MergePatch, value), "{value}");
        }
    }

    #[test]
    fn the_media_type_is_given_once() {
        assert!(!MediaType::Json.is_declared(&HeaderMap::new()));
        let twice = headers(&CONTENT_TYPE, &["application/json", "application/json"]);
        assert!(!MediaType::Json.is_declared(&twice));
    }

    #[test]
    fn identity_is_no_encoding_in_any_spelling() {
        assert!(is_not_encoded(&HeaderMap::new()));
        for values in [
            &["identity"][..],
            &["Identity"],
            &["IDENTITY"],
            &[" identity , identity"],
            &["identity,"],
            &[""],
            &["identity", "Identity"],
        ] {
            assert!(is_not_encoded(&headers(&CONTENT_ENCODING, values)), "{values:?}");
        }
        for values in [
            &["gzip"][..],
            &["identity, gzip"],
            &["gzip, identity"],
            &["identity", "br"],
            &["identity;q=1"],
            &["iden tity"],
            &["identity2"],
        ] {
            assert!(!is_not_encoded(&headers(&CONTENT_ENCODING, values)), "{values:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(value in "[ -~]{0,40}") {
            let _ = is_declared(MediaType::Json, &value);
            let _ = is_not_encoded(&headers(&CONTENT_ENCODING, &[&value]));
        }
    }
}
