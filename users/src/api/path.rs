//! The path of a request.

use std::fmt::Write;

/// Whether `path` is spelled exactly. Spin ignores empty segments when it matches routes, but `//user/jane` and `/user/jane/`
/// are different paths (RFC 3986, section 6.2).
pub(super) fn is_exact(path: &str) -> bool {
    !path.split('/').skip(1).any(str::is_empty)
}

/// Converts a path to a URI reference (RFC 3986, section 4.1), percent-encoding what a reference must not contain. Returns
/// `None` if the path starts with two slashes, which would begin a host in a reference.
pub(super) fn to_reference(path: &str) -> Option<String> {
    if path.starts_with("//") {
        return None;
    }
    let mut reference = String::with_capacity(path.len());
    for (index, byte) in path.bytes().enumerate() {
        let is_allowed = match byte {
            b'%' => {
                let digits = path.as_bytes().get(index + 1..index + 3);
                digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            }
            // `pchar` of RFC 3986, section 3.3, and the slash between segments.
            _ => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte),
        };
        if is_allowed {
            reference.push(char::from(byte));
        } else {
            // Writing to a string never fails.
            let _ = write!(reference, "%{byte:02X}");
        }
    }
    Some(reference)
}

#[cfg(test)]
mod tests {
    use super::*;
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    #[test]
    fn a_path_with_an_empty_segment_is_not_exact() {
        for path in [
            "/user",
            "/user/jane",
            "/user/promote/jane",
            "/user/%2F",
            "/user/.",
            "*",
            "",
        ] {
            assert!(is_exact(path), "{path}");
        }
        for path in [
            "//user/jane",
            "/user//jane",
            "/user/jane/",
            "/user/",
            "/user/promote//jane",
            "/",
        ] {
            assert!(!is_exact(path), "{path}");
        }
    }

    #[test]
    fn what_may_not_stand_in_a_reference_is_encoded() {
        for (path, reference) in [
            ("/user/jane", "/user/jane"),
            ("/user/a%20b", "/user/a%20b"),
            ("/user/[x]", "/user/%5Bx%5D"),
            ("/user/%zz", "/user/%25zz"),
            ("/user/%", "/user/%25"),
            ("/user/%2", "/user/%252"),
            ("/user/%%41", "/user/%25%41"),
            ("/user/\"<>\\^`{|}", "/user/%22%3C%3E%5C%5E%60%7B%7C%7D"),
            ("/user/jörg", "/user/j%C3%B6rg"),
            ("/user/-._~!$&'()*+,;=:@", "/user/-._~!$&'()*+,;=:@"),
            ("*", "*"),
        ] {
            assert_eq!(to_reference(path).as_deref(), Some(reference));
        }
        assert_eq!(to_reference("//user/jane"), None);
    }

    proptest! {
        #[test]
        fn a_reference_means_the_same_path(path in "/[a-z]{1,3}(/([!-~ö]|%[0-9a-fA-F]{0,2}){1,6})?") {
            let reference = to_reference(&path).unwrap();
            let decode = |text: &str| percent_decode_str(text).collect::<Vec<_>>();
            prop_assert_eq!(decode(&reference), decode(&path));
            prop_assert!(reference.parse::<http::uri::PathAndQuery>().is_ok());
            prop_assert_eq!(to_reference(&reference), Some(reference));
        }
    }
}
