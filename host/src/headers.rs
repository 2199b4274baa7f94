//! The absolute URI and the `spin-*` headers of the request that a function gets.

use crate::{allowed_hosts::chained_component, routes::RouteDescription};
use anyhow::{Context, Result, bail, ensure};
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Uri, header,
    uri::{Authority, Scheme},
};
use std::net::SocketAddr;

/// Removes headers that concern only the connection, and a `host` with which a client could pose as another component.
pub(crate) fn strip_forbidden(headers: &mut HeaderMap) {
    headers.remove(header::CONNECTION);
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    if host.and_then(chained_component).is_some() {
        headers.remove(header::HOST);
    }
}

/// Makes the URI absolute: the authority is the one of the request line or that of `host`.
pub(crate) fn make_absolute<B>(request: &mut Request<B>) -> Result<()> {
    let mut parts = request.uri().clone().into_parts();
    let host: Option<Authority> = match request.headers().get(header::HOST) {
        None => None,
        Some(host) => {
            let host = host.to_str().context("the `host` header is not text")?;
            Some(host.parse().context("the `host` header is not an authority")?)
        }
    };
    parts.authority = match (host, parts.authority) {
        (Some(host), Some(authority)) => {
            ensure!(host == authority, "the `host` header and the URI disagree");
            Some(host)
        }
        (None, None) => bail!("the request has no `host` header"),
        (host, authority) => host.or(authority),
    };
    parts.scheme = Some(Scheme::HTTP);
    *request.uri_mut() = Uri::from_parts(parts)?;
    Ok(())
}

/// Sets the headers with which Spin describes a request, replacing any that the client sent.
///
/// # Errors
///
/// Returns an error if a header is not UTF-8, as Spin does.
pub(crate) fn describe(
    headers: &mut HeaderMap,
    uri: &Uri,
    route: &RouteDescription<'_>,
    client: SocketAddr,
) -> Result<()> {
    for (name, value) in &*headers {
        ensure!(
            std::str::from_utf8(value.as_bytes()).is_ok(),
            "header `{name}` is not UTF-8"
        );
    }
    let host = headers.get(header::HOST).map_or("localhost".into(), |host| {
        String::from_utf8_lossy(host.as_bytes()).into_owned()
    });
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    for (name, value) in [
        ("spin-path-info", route.wildcard.clone()),
        ("spin-full-url", format!("http://{host}{path}")),
        ("spin-matched-route", route.absolute.to_owned()),
        ("spin-base-path", "/".to_owned()),
        ("spin-raw-component-route", route.raw.to_owned()),
        ("spin-component-route", route.raw_prefix().to_owned()),
        ("spin-client-addr", client.to_string()),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(&value)?);
    }
    for (name, value) in &route.named {
        let name = format!("spin-path-match-{}", name.to_ascii_lowercase().replace('_', "-"));
        headers.insert(HeaderName::try_from(name)?, HeaderValue::from_str(value)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::Router;

    fn request(uri: &str, host: Option<&str>) -> Request<()> {
        let mut request = Request::get(uri).body(()).unwrap();
        if let Some(host) = host {
            request.headers_mut().insert(header::HOST, host.parse().unwrap());
        }
        request
    }

    #[test]
    fn the_uri_becomes_absolute() {
        let mut relative = request("/user?x=1", Some("example.com:8080"));
        make_absolute(&mut relative).unwrap();
        assert_eq!(relative.uri(), "http://example.com:8080/user?x=1");
        assert!(make_absolute(&mut request("/user", None)).is_err());
        assert!(make_absolute(&mut request("http://a/user", Some("b"))).is_err());
        assert!(make_absolute(&mut request("http://a/user", None)).is_ok());
    }

    #[test]
    fn a_client_cannot_pass_for_a_component() {
        let mut request = request("/user", Some("get-user.spin.internal"));
        strip_forbidden(request.headers_mut());
        assert!(make_absolute(&mut request).is_err());
    }

    #[test]
    fn the_hosts_headers_replace_the_clients() {
        let router = Router::new([("/user/:user_name".to_owned(), ())]).unwrap();
        let mut request = request("/user/john?x=1", Some("example.com"));
        for spoofed in ["127.0.0.1:1", "127.0.0.1:2"] {
            request
                .headers_mut()
                .append("spin-client-addr", spoofed.parse().unwrap());
        }
        let uri = request.uri().clone();
        let found = router.find("/user/john").unwrap();
        let route = found.describe();
        let client = "192.0.2.7:5000".parse().unwrap();
        describe(request.headers_mut(), &uri, &route, client).unwrap();
        for (name, expected) in [
            ("spin-client-addr", "192.0.2.7:5000"),
            ("spin-path-match-user-name", "john"),
            ("spin-full-url", "http://example.com/user/john?x=1"),
            ("spin-matched-route", "/user/:user_name"),
            ("spin-component-route", "/user/:user_name"),
            ("spin-raw-component-route", "/user/:user_name"),
            ("spin-base-path", "/"),
            ("spin-path-info", ""),
        ] {
            let values: Vec<_> = request.headers().get_all(name).iter().collect();
            assert_eq!(values, [expected], "{name}");
        }
    }
}
