//! The names of header fields that functions use.

use super::local_client;
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName,
    IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE, ORIGIN, VIA,
};

pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
pub(super) const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
pub(super) const SPIN_CLIENT_ADDR: HeaderName = HeaderName::from_static("spin-client-addr");
pub(super) const SPIN_PATH_MATCH_USERNAME: HeaderName = HeaderName::from_static("spin-path-match-username");
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

const KNOWN: [HeaderName; 15] = [
    ACCEPT_ENCODING,
    AUTHORIZATION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    HOST,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    IF_UNMODIFIED_SINCE,
    ORIGIN,
    SPIN_CLIENT_ADDR,
    SPIN_PATH_MATCH_USERNAME,
    TRACEPARENT,
];

/// Returns the header field called `name`, which is in lower case, if functions use it. All signs of a proxy become one
/// field, `Via`: it does not matter which of them it was, and converting any text to a name would add 15 KB to every
/// component.
pub(super) fn known(name: &str) -> Option<HeaderName> {
    KNOWN
        .iter()
        .find(|known| known.as_str() == name)
        .cloned()
        .or_else(|| local_client::is_sign_of_a_proxy(name).then_some(VIA))
}
