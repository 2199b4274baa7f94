//! Requests, and what functions read from them.

use super::preconditions::Preconditions;
use super::wire::{Body, Head, IDEMPOTENCY_KEY, Incomplete, SPIN_PATH_MATCH_USERNAME};
use super::{Problem, access};
use crate::operation::IdempotencyKey;
use crate::spin::Spin;
use crate::store::Store;
use crate::username::Username;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName};
use percent_encoding::percent_decode_str;
use spin_sdk::wasip3;
use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

/// The most bytes that a body may have: 16 KiB.
const BODY_LIMIT: usize = 16 * 1024;

/// The most bytes of a body that nobody wanted that are read all the same: 1 MiB.
const DISCARD_LIMIT: usize = 1024 * 1024;
/// How long such a body may take to come.
const DISCARD_PATIENCE: Duration = Duration::from_secs(1);

/// A request whose sender may do what it asks for.
pub struct Authorized<'a> {
    headers: &'a HeaderMap,
    body: Option<&'a mut Body>,
    retries: &'a Cell<u32>,
}

impl<'a> Authorized<'a> {
    /// Admits a request, or says why it is not admitted.
    pub(super) async fn new(
        head: &'a Head,
        body: Option<&'a mut Body>,
        retries: &'a Cell<u32>,
    ) -> Result<Self, Problem> {
        access::check(&head.method, &head.headers).await?;
        Ok(Self {
            headers: &head.headers,
            body,
            retries,
        })
    }

    /// The store, for this request.
    #[must_use]
    pub fn store(&self) -> Store<Spin<'a>> {
        Store::new(Spin::new(self.retries))
    }

    /// The username that the path ends in.
    ///
    /// # Errors
    /// What stands there is no username, so there is no such user.
    pub fn username(&self) -> Result<Username, Problem> {
        let segment = from_spin(self.headers, &SPIN_PATH_MATCH_USERNAME).unwrap_or_default();
        // A client may escape any character of a segment (RFC 3986, section 2.3).
        let name = percent_decode_str(segment).decode_utf8_lossy();
        name.parse().map_err(|_| Problem::no_username())
    }

    /// The idempotency key, if the request has one.
    ///
    /// # Errors
    /// The header field is not an idempotency key.
    pub fn idempotency_key(&self) -> Result<Option<IdempotencyKey>, Problem> {
        let expected = "must be 1 to 255 visible ASCII characters, given once";
        let mut values = self.headers.get_all(IDEMPOTENCY_KEY).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => match value.to_str().map(str::parse) {
                Ok(Ok(key)) => Ok(Some(key)),
                _ => Err(Problem::malformed_header("Idempotency-Key", expected)),
            },
            _ => Err(Problem::malformed_header("Idempotency-Key", expected)),
        }
    }

    /// The preconditions of the request.
    ///
    /// # Errors
    /// A header field is not of its grammar.
    pub fn preconditions(&self) -> Result<Preconditions, Problem> {
        Preconditions::from_headers(self.headers)
    }

    /// The body, which is to be JSON; whether it is has not been looked at.
    ///
    /// # Errors
    /// It is declared to be something else, is larger than 16 KiB (then it is not read to its end), or
    /// broke off.
    pub async fn json_body(self) -> Result<Vec<u8>, Problem> {
        let Self { headers, body, .. } = self;
        if !is_json(headers) {
            return Err(Problem::unsupported_media_type("content-type: application/json"));
        }
        if headers
            .get(CONTENT_ENCODING)
            .is_some_and(|coding| coding != "identity")
        {
            return Err(Problem::unsupported_media_type("no content-encoding"));
        }
        let declared = headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|length| length > BODY_LIMIT as u64) {
            return Err(Problem::body_too_large(BODY_LIMIT));
        }
        let Some(body) = body else {
            return Ok(Vec::new());
        };
        let mut bytes = Vec::new();
        while body
            .read(&mut bytes)
            .await
            .map_err(|Incomplete| Problem::incomplete_body())?
        {
            if bytes.len() > BODY_LIMIT {
                return Err(Problem::body_too_large(BODY_LIMIT));
            }
        }
        Ok(bytes)
    }
}

/// Reads what is left of a body, behind the back of a client that has its answer, unless it is long in coming.
///
/// Spin 4.1 now and then loses the body of an answer if that of the request was not read to its end.
pub(super) fn discard(mut body: Body) {
    wasip3::spawn(async move {
        let mut end = pin!(spin_sdk::time::sleep(DISCARD_PATIENCE));
        let mut rest = pin!(async {
            let mut read = 0;
            let mut bytes = Vec::new();
            while let Ok(true) = body.read(&mut bytes).await {
                read += bytes.len();
                bytes.clear();
                if read > DISCARD_LIMIT {
                    break;
                }
            }
        });
        poll_fn(|context| {
            let rest = rest.as_mut().poll(context);
            if rest.is_ready() {
                rest
            } else {
                end.as_mut().poll(context)
            }
        })
        .await;
    });
}

/// The value of a header field that Spin adds to a request. Spin leaves what a client sent under the same name and
/// adds its own behind it, so only the last value is to be trusted.
pub(super) fn from_spin<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get_all(name).iter().next_back()?.to_str().ok()
}

/// Whether the media type is `application/json` or one of `*/*+json` (RFC 6839, section 3.1). JSON has no
/// parameters, so those are not looked at.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(media_type) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = media_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match essence.split_once('/') {
        Some(("application", "json")) => true,
        Some((main, sub)) => is_token(main) && is_token(sub) && sub.len() > 5 && sub.ends_with("+json"),
        None => false,
    }
}

/// Whether `text` is a `token` of RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn content_type(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, value.parse().unwrap())])
    }

    #[test]
    fn json_media_types_are_known() {
        for value in [
            "application/json",
            "Application/JSON ; charset=utf-8",
            "application/json;",
            "application/vnd.user+json",
            "text/x+json; a=\"b;c\"",
        ] {
            assert!(is_json(&content_type(value)), "{value}");
        }
        for value in [
            "",
            "json",
            "text/json",
            "application/json5",
            "application/+json",
            "a b/x+json",
            "/x+json",
        ] {
            assert!(!is_json(&content_type(value)), "{value}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }

    #[test]
    fn what_a_client_sends_in_spins_name_is_passed_over() {
        let mut headers = HeaderMap::new();
        headers.append(SPIN_PATH_MATCH_USERNAME, "jane".parse().unwrap());
        headers.append(SPIN_PATH_MATCH_USERNAME, "john".parse().unwrap());
        assert_eq!(from_spin(&headers, &SPIN_PATH_MATCH_USERNAME), Some("john"));
        assert_eq!(from_spin(&headers, &IDEMPOTENCY_KEY), None);
    }

    proptest! {
        #[test]
        fn any_media_type_is_known_or_not(value in "[ -~]{0,40}") {
            let _ = is_json(&content_type(&value));
        }
    }
}
