//! Detects requests that a program on this machine sends for itself.
//!
//! While no token is set, users of this machine may do everything. The address of the client is not enough to recognize
//! them: a proxy on the machine has the same address, and so has a browser that shows a foreign web page whose name
//! resolves to 127.0.0.1 (DNS rebinding). A proxy that adds no header field cannot be detected.

use super::header_fields::SPIN_CLIENT_ADDR;
use super::request::from_spin;
use http::header::{HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, VIA};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// Whether the request was sent on this machine, to a name of this machine, and neither through a proxy nor by a foreign web
/// page; or by another function of the application.
pub(super) fn is_local(headers: &HeaderMap) -> bool {
    let Some(peer) =
        from_spin(headers, &SPIN_CLIENT_ADDR).and_then(|address| address.parse::<SocketAddr>().ok())
    else {
        return false;
    };
    if headers.contains_key(VIA) {
        return false;
    }
    if peer == CHAINED {
        return all(headers, &HOST, is_function) && !headers.contains_key(ORIGIN);
    }
    peer.ip().to_canonical().is_loopback()
        && all(headers, &HOST, is_loopback)
        && (!headers.contains_key(ORIGIN) || all(headers, &ORIGIN, is_loopback_origin))
}

/// The client address that Spin reports when one function calls another (local service chaining). No connection has this
/// address, and a client cannot forge it: Spin adds its own value after the client's.
const CHAINED: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// Whether there is a header field `name`, and each of its values passes `test`.
fn all(headers: &HeaderMap, name: &HeaderName, test: impl Fn(&str) -> bool) -> bool {
    let is_fit = |value: &HeaderValue| value.to_str().is_ok_and(&test);
    headers.contains_key(name) && headers.get_all(name).iter().all(is_fit)
}

/// Whether `host` is `localhost` or a loopback address, with any port.
///
/// Subdomains of `localhost`, and `localhost.` with a dot, are refused: not every resolver maps them to this machine.
fn is_loopback(host: &str) -> bool {
    if let Some(rest) = host.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else {
            return false;
        };
        let address = address.parse::<Ipv6Addr>();
        return address.is_ok_and(|address| address.to_canonical().is_loopback()) && is_port(port);
    }
    let (name, port) = host.split_at(host.find(':').unwrap_or(host.len()));
    let is_name = name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback());
    is_name && is_port(port)
}

/// Whether `text` is empty, or a colon and a port, which may be empty (RFC 3986, section 3.2.3).
fn is_port(text: &str) -> bool {
    text.strip_prefix(':')
        .unwrap_or(text)
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        && (text.is_empty() || text.starts_with(':'))
}

/// Whether `origin` (RFC 6454, section 7) is a page that this machine serves. `null` is refused, since any page can have it.
fn is_loopback_origin(origin: &str) -> bool {
    let host = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    host.is_some_and(is_loopback)
}

/// Whether `host` is the name of a function, which only Spin resolves.
fn is_function(host: &str) -> bool {
    host.strip_suffix(".spin.internal")
        .is_some_and(|name| !name.is_empty())
}

/// Header fields that proxies, load balancers and content delivery networks add, and that clients do not send.
const SIGNS: [&str; 22] = [
    "cdn-loop",
    "client-ip",
    "coming-from",
    "fastly-client-ip",
    "fastly-ff",
    "fly-client-ip",
    "forwarded",
    "forwarded-for",
    "front-end-https",
    "proxy-client-ip",
    "proxy-connection",
    "remote-addr",
    "true-client-ip",
    "via",
    "wl-proxy-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-coming-from",
    "x-nf-client-connection-ip",
    "x-proxyuser-ip",
    "x-rewrite-url",
    "x-varnish",
];

/// Prefixes of further such header fields.
const FAMILIES: [&str; 15] = [
    "cf-",
    "cloudfront-",
    "do-connecting-",
    "tailscale-",
    "x-akamai-",
    "x-amz-cf-",
    "x-amzn-",
    "x-appengine-",
    "x-arr-",
    "x-azure-",
    "x-envoy-",
    "x-forwarded",
    "x-original-",
    "x-real-",
    "x-remote-",
];

/// Whether the header field called `name`, which is in lower case, reveals a proxy.
pub(super) fn is_sign_of_a_proxy(name: &str) -> bool {
    SIGNS.contains(&name) || FAMILIES.iter().any(|family| name.starts_with(family))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::header_fields;
    use proptest::prelude::*;

    fn headers(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            if let Some(known) = header_fields::known(name) {
                headers.append(known, value.parse().unwrap());
            }
        }
        headers
    }

    fn is_local_with(fields: &[(&str, &str)]) -> bool {
        let usual = [("spin-client-addr", "127.0.0.1:4711"), ("host", "localhost:3000")];
        is_local(&headers(&[&usual, fields].concat()))
    }

    #[test]
    fn the_peer_has_a_loopback_address() {
        let from = |address| is_local(&headers(&[("spin-client-addr", address), ("host", "localhost")]));
        for address in ["127.0.0.1:3000", "127.9.9.9:1", "[::1]:2", "[::ffff:127.0.0.1]:3"] {
            assert!(from(address), "{address}");
        }
        for address in [
            "192.0.2.1:1",
            "[2001:db8::1]:1",
            "0.0.0.0:1",
            "0.0.0.0:0",
            "127.0.0.1",
            "localhost:1",
            "",
        ] {
            assert!(!from(address), "{address}");
        }
        assert!(!is_local(&headers(&[("host", "localhost")])));
        assert!(!is_local_with(&[("spin-client-addr", "192.0.2.1:1")]));
        // The last value is Spin's.
        assert!(is_local_with(&[
            ("spin-client-addr", "192.0.2.1:1"),
            ("spin-client-addr", "127.0.0.1:1")
        ]));
    }

    #[test]
    fn the_host_is_a_loopback_name() {
        let to = |host| is_local(&headers(&[("spin-client-addr", "127.0.0.1:1"), ("host", host)]));
        for host in [
            "localhost",
            "LocalHost:3000",
            "localhost:",
            "127.0.0.1",
            "127.255.0.9:80",
            "[::1]",
            "[::1]:65535",
            "[0:0:0:0:0:0:0:1]:80",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(to(host), "{host}");
        }
        for host in [
            "evil.example.org",
            "evil.example.org:3000",
            "localhost.evil.example.org",
            "evil-localhost",
            "a.localhost",
            "localhost.",
            "127.0.0.1.evil.example.org",
            "127.0.0.1.",
            "127.1",
            "0.0.0.0:3000",
            "128.0.0.1",
            "[::]",
            "[::2]:80",
            "[::1",
            "[::1]x",
            "[::1]:80x",
            "::1",
            "localhost:80:80",
            "localhost:8o",
            "user@localhost",
            "localhost@evil.example.org",
            "localhost evil",
            "publish-events.spin.internal",
            "",
        ] {
            assert!(!to(host), "{host}");
        }
        assert!(!is_local(&headers(&[("spin-client-addr", "127.0.0.1:1")])));
        assert!(!is_local_with(&[("host", "evil.example.org")]), "a second one");
    }

    #[test]
    fn a_web_page_is_served_by_this_machine() {
        for origin in ["http://localhost:5173", "https://127.0.0.1", "http://[::1]:3000"] {
            assert!(is_local_with(&[("origin", origin)]), "{origin}");
        }
        for origin in [
            "http://evil.example.org",
            "null",
            "",
            "localhost",
            "file://localhost",
            "moz-extension://127.0.0.1",
            "http://localhost/x",
            "http://localhost http://evil.example.org",
        ] {
            assert!(!is_local_with(&[("origin", origin)]), "{origin}");
        }
    }

    #[test]
    fn any_sign_of_a_proxy_ends_the_trust() {
        for name in [
            "forwarded",
            "via",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-forwarded-port",
            "x-forwarded-prefix",
            "x-forwarded-client-cert",
            "x-forwarded",
            "x-real-ip",
            "x-real-port",
            "x-client-ip",
            "x-original-url",
            "x-original-forwarded-for",
            "x-envoy-external-address",
            "x-cluster-client-ip",
            "x-azure-clientip",
            "cf-connecting-ip",
            "cf-connecting-ipv6",
            "cf-ray",
            "true-client-ip",
            "fastly-client-ip",
            "forwarded-for",
            "cdn-loop",
        ] {
            assert!(!is_local_with(&[(name, "127.0.0.1")]), "{name}");
        }
    }

    #[test]
    fn what_clients_send_for_themselves_is_no_sign_of_a_proxy() {
        for name in [
            "accept",
            "accept-encoding",
            "user-agent",
            "connection",
            "x-requested-with",
            "x-request-id",
            "x-correlation-id",
            "traceparent",
            "sec-fetch-site",
            "spin-full-url",
            "spin-client-addr",
            "dnt",
        ] {
            assert!(
                is_local_with(&[(name, "x")]) || name.starts_with("spin-"),
                "{name}"
            );
            assert!(!is_sign_of_a_proxy(name), "{name}");
        }
    }

    #[test]
    fn a_function_that_calls_another_is_local() {
        let chained = |fields: &[(&str, &str)]| {
            let spin = [
                ("spin-client-addr", "0.0.0.0:0"),
                ("host", "publish-events.spin.internal"),
            ];
            is_local(&headers(&[&spin, fields].concat()))
        };
        assert!(chained(&[]));
        assert!(!chained(&[("via", "1.1 proxy")]));
        assert!(!chained(&[("host", "evil.example.org")]));
        assert!(!chained(&[("origin", "http://localhost")]));
        assert!(!is_local(&headers(&[
            ("spin-client-addr", "0.0.0.0:0"),
            ("host", "evil.example.org")
        ])));
        assert!(!is_local(&headers(&[
            ("spin-client-addr", "0.0.0.0:0"),
            ("host", ".spin.internal")
        ])));
        // A client that says so is still who it is.
        assert!(!is_local(&headers(&[
            ("spin-client-addr", "0.0.0.0:0"),
            ("spin-client-addr", "192.0.2.1:4711"),
            ("host", "publish-events.spin.internal"),
        ])));
    }

    proptest! {
        #[test]
        fn a_name_that_only_contains_a_loopback_name_is_none(
            before in "[a-z0-9.-]{0,4}", name in "localhost|127\\.0\\.0\\.1|\\[::1\\]", after in "[a-z0-9.-]{0,4}",
        ) {
            let host = format!("{before}{name}{after}");
            let is_exact = before.is_empty() && after.is_empty();
            // 127.0.0.1 with digits around may be another address of the same network.
            let is_other = !is_exact && host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback());
            prop_assert_eq!(is_loopback(&host), is_exact || is_other);
        }

        #[test]
        fn never_panics(host in "\\PC{0,30}", origin in "(https?://)?[\\[\\]:.a-z0-9@]{0,20}") {
            let _ = (is_loopback(&host), is_loopback_origin(&origin), is_function(&host));
        }
    }
}
