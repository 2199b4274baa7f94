//! Access control: bearer tokens, or local clients while no token is set.

use super::Problem;
use super::local_client;
use crate::platform::settings::{self, Tokens};
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};
use subtle::ConstantTimeEq;

/// Checks whether the sender of a request has access.
///
/// Tokens in `write_tokens` allow everything, those in `read_tokens` reading. While no token is set at all, clients on this
/// machine may do everything, and nobody else anything.
///
/// # Errors
/// Returns a problem if the sender has no access, or if the tokens cannot be read.
pub(super) async fn check(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    authorize(settings::tokens().await?, method, headers)
}

fn authorize(tokens: &Tokens, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    if tokens.read.is_empty() && tokens.write.is_empty() {
        return if local_client::is_local(headers) {
            Ok(())
        } else {
            let detail = "Until the variable write_tokens or read_tokens is set, only requests from the server's own \
                          machine to localhost or a loopback address are served, and none that a proxy forwarded or \
                          a foreign web page sent.";
            Err(Problem::unauthenticated(detail, None))
        };
    }
    if headers.get_all(AUTHORIZATION).iter().nth(1).is_some() {
        let detail = "The request must have only one header field Authorization.";
        return Err(Problem::unauthenticated(detail, Some("invalid_request")));
    }
    let Some(token) = bearer_token(headers) else {
        let detail = "The request needs a header field Authorization with a bearer token.";
        return Err(Problem::unauthenticated(detail, None));
    };
    if is_one_of(token, &tokens.write) {
        Ok(())
    } else if !is_one_of(token, &tokens.read) {
        let detail = "The bearer token is not accepted.";
        Err(Problem::unauthenticated(detail, Some("invalid_token")))
    } else if matches!(*method, Method::GET | Method::HEAD) {
        Ok(())
    } else {
        Err(Problem::forbidden())
    }
}

/// The token in the header field `Authorization: Bearer …` (RFC 6750, section 2.1).
fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_matches(' '))
}

/// Compares with every token in constant time, so that timing reveals only lengths.
fn is_one_of(token: &str, tokens: &[String]) -> bool {
    tokens.iter().fold(0, |found, known| {
        found | known.as_bytes().ct_eq(token.as_bytes()).unwrap_u8()
    }) == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::problem::Kind;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    fn verdict(
        read: &[&str],
        write: &[&str],
        method: &Method,
        fields: &[(&'static str, &str)],
    ) -> Option<Kind> {
        let own = |tokens: &[&str]| tokens.iter().map(|&token| token.to_owned()).collect();
        let tokens = Tokens {
            read: own(read),
            write: own(write),
        };
        authorize(&tokens, method, &headers(fields))
            .err()
            .map(|problem| problem.kind())
    }

    #[test]
    fn tokens_have_their_scopes() {
        let bearer = |token: &'static str| [("authorization", token)];
        let (read, write) = (&["r1", "r2"][..], &["w1", "w2"][..]);
        for (method, token, kind) in [
            (Method::GET, "Bearer r1", None),
            (Method::HEAD, "bearer  r2", None),
            (Method::GET, "BEARER w1", None),
            (Method::PUT, "Bearer w2", None),
            (Method::POST, "Bearer r1", Some(Kind::Forbidden)),
            (Method::PUT, "Bearer r2", Some(Kind::Forbidden)),
            (Method::GET, "Bearer w", Some(Kind::Unauthenticated)),
            (Method::GET, "Bearer w1,w2", Some(Kind::Unauthenticated)),
            (Method::GET, "Bearer ", Some(Kind::Unauthenticated)),
            (Method::GET, "Basic w1", Some(Kind::Unauthenticated)),
            (Method::GET, "w1", Some(Kind::Unauthenticated)),
        ] {
            assert_eq!(
                verdict(read, write, &method, &bearer(token)),
                kind,
                "{method} {token}"
            );
        }
        assert_eq!(
            verdict(read, &[], &Method::POST, &bearer("Bearer r1")),
            Some(Kind::Forbidden)
        );
        assert_eq!(
            verdict(&[], write, &Method::GET, &[]),
            Some(Kind::Unauthenticated)
        );
    }

    #[test]
    fn a_token_makes_the_peer_irrelevant() {
        let local = ("spin-client-addr", "127.0.0.1:1");
        let remote = ("spin-client-addr", "192.0.2.1:1");
        assert_eq!(
            verdict(&[], &["w"], &Method::GET, &[local]),
            Some(Kind::Unauthenticated)
        );
        assert_eq!(
            verdict(
                &[],
                &["w"],
                &Method::GET,
                &[remote, ("authorization", "Bearer w")]
            ),
            None
        );
    }

    #[test]
    fn without_tokens_only_this_machine_is_served() {
        let local = [("spin-client-addr", "127.0.0.1:1"), ("host", "localhost")];
        let remote = [("spin-client-addr", "192.0.2.1:1"), ("host", "localhost")];
        assert_eq!(verdict(&[], &[], &Method::POST, &local), None);
        let refused = Some(Kind::Unauthenticated);
        assert_eq!(verdict(&[], &[], &Method::GET, &remote), refused);
        assert_eq!(verdict(&[], &[], &Method::GET, &[]), refused);
    }

    #[test]
    fn two_authorization_fields_are_refused_in_either_order() {
        for (first, second) in [
            ("Bearer w", "Bearer x"),
            ("Bearer x", "Bearer w"),
            ("Bearer w", "Bearer w"),
            ("Basic eDp4", "Bearer w"),
        ] {
            let fields = [("authorization", first), ("authorization", second)];
            assert_eq!(
                verdict(&[], &["w"], &Method::GET, &fields),
                Some(Kind::Unauthenticated),
                "{first}, {second}"
            );
        }
    }

    #[test]
    fn the_refusal_names_the_variable_to_set() {
        let problem = authorize(&Tokens::default(), &Method::GET, &HeaderMap::new()).unwrap_err();
        assert!(problem.detail().contains("write_tokens"));
    }

    proptest! {
        #[test]
        fn a_token_is_known_or_refused(scheme in "(bearer|Bearer|BEARER|Basic|)", gap in " {0,2}", rest in "[rwx ]{0,3}") {
            let value = format!("{scheme}{gap}{rest}");
            let bearer = scheme.eq_ignore_ascii_case("bearer") && (!gap.is_empty() || rest.starts_with(' '));
            let judged = |method| verdict(&["r"], &["w"], method, &[("authorization", &value)]);
            let (read, write) = match rest.trim_matches(' ') {
                "w" if bearer => (None, None),
                "r" if bearer => (None, Some(Kind::Forbidden)),
                _ => (Some(Kind::Unauthenticated), Some(Kind::Unauthenticated)),
            };
            prop_assert_eq!((judged(&Method::GET), judged(&Method::PUT)), (read, write));
        }

        #[test]
        fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let tokens = Tokens { write: vec!["not among them: no token has blanks".to_owned()], ..Tokens::default() };
                let headers = HeaderMap::from_iter([(AUTHORIZATION, value.clone())]);
                prop_assert!(authorize(&tokens, &Method::GET, &headers).is_err());
                let headers = HeaderMap::from_iter([("spin-client-addr".parse().unwrap(), value)]);
                prop_assert!(authorize(&Tokens::default(), &Method::GET, &headers).is_err());
            }
        }
    }
}
