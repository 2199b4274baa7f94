//! Requests and responses as functions see them, the same in every WASI world.
//!
//! The SDKs' own conversions cost a quarter of the instructions of a `GET` and a sixth of its component: they parse the
//! address, keep every header field that Spin adds, and copy those of the response.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use std::borrow::Cow;
use std::pin::Pin;

/// A request without its body.
#[derive(Clone, Debug)]
pub struct Head {
    /// The method.
    pub method: Method,
    /// The path as the client sent it, without the query.
    pub path: String,
    /// The query as the client sent it, without the `?`.
    pub query: Option<String>,
    /// The header fields that the caller asked for.
    pub headers: HeaderMap,
}

impl Head {
    /// Assembles a head from WASI's parts. Of the header `fields` it keeps those whose names are `known`. WASI may leave out
    /// `Host`, from which Spin makes the `authority`.
    pub(super) fn new(
        method: Method,
        path_with_query: Option<String>,
        fields: Vec<(String, Vec<u8>)>,
        authority: Option<String>,
        known: impl Fn(&str) -> Option<HeaderName>,
    ) -> Self {
        let mut path = path_with_query.unwrap_or_default();
        let query = path.find('?').map(|mark| {
            let query = path[mark + 1..].to_owned();
            path.truncate(mark);
            query
        });
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            if let Some(known) = known(&name)
                && let Ok(value) = HeaderValue::try_from(value)
            {
                headers.append(known, value);
            }
        }
        if let Some(Ok(authority)) = authority.map(HeaderValue::try_from) {
            headers.append(HOST, authority);
        }
        Self {
            method,
            path,
            query,
            headers,
        }
    }
}

/// The error for a request whose method is not a token. Hosts refuse such requests themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidMethod;

impl std::fmt::Display for InvalidMethod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the method is not a token")
    }
}

impl std::error::Error for InvalidMethod {}

/// The error for a request's body that ended before it was complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incomplete;

impl std::fmt::Display for Incomplete {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the body of the request could not be read to its end")
    }
}

impl std::error::Error for Incomplete {}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The header fields, in WASI's form.
    pub(super) fields: Vec<(String, Vec<u8>)>,
    /// The body, if the status has one.
    pub(super) body: Option<Cow<'static, [u8]>>,
}

impl Response {
    /// Creates a response without a body.
    #[must_use]
    pub fn empty(status: StatusCode) -> Self {
        Self {
            status,
            fields: Vec::new(),
            body: None,
        }
    }

    /// Creates a response with a body. It always carries a `Content-Length`: without one Spin sends the body in
    /// chunks, which is slower.
    #[must_use]
    pub fn with_body(status: StatusCode, media_type: &str, body: impl Into<Cow<'static, [u8]>>) -> Self {
        let body = body.into();
        let mut response = Self::empty(status);
        response.insert_header(&CONTENT_TYPE, media_type);
        response.insert_header(&CONTENT_LENGTH, &body.len().to_string());
        response.body = Some(body);
        response
    }

    /// Adds a header field.
    pub fn insert_header(&mut self, name: &HeaderName, value: &str) {
        self.fields.push((name.as_str().to_owned(), value.into()));
    }
}

/// Work to do after the client has its answer.
pub type AfterAnswer = Pin<Box<dyn Future<Output = ()>>>;

/// The result of a function, for its host.
pub struct Reply {
    /// The response.
    pub response: Response,
    /// The body of the request, if it may not have been read to its end.
    pub unread: Option<super::Body>,
    /// Work to do after the response was handed to the host.
    pub after: Option<AfterAnswer>,
}

impl From<Response> for Reply {
    fn from(response: Response) -> Self {
        Self {
            response,
            unread: None,
            after: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::HOST;

    fn head(path_with_query: Option<&str>, fields: &[(&str, &[u8])]) -> Head {
        let fields = fields
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let known = |name: &str| (name == "host").then_some(HOST);
        let authority = Some("a".to_owned());
        Head::new(
            Method::GET,
            path_with_query.map(str::to_owned),
            fields,
            authority,
            known,
        )
    }

    #[test]
    fn the_query_is_what_follows_the_first_question_mark() {
        for (sent, path, query) in [
            ("/users", "/users", None),
            ("/users?", "/users", Some("")),
            ("/users?a=b?c", "/users", Some("a=b?c")),
            ("/%3F?limit=1", "/%3F", Some("limit=1")),
        ] {
            let head = head(Some(sent), &[]);
            assert_eq!(
                (head.path.as_str(), head.query.as_deref()),
                (path, query),
                "{sent}"
            );
        }
        assert_eq!(head(None, &[]).path, "");
    }

    #[test]
    fn only_known_and_valid_header_fields_are_kept() {
        let head = head(None, &[("cookie", b"b"), ("host", b"\n"), ("host", b"c")]);
        let hosts: Vec<_> = head.headers.get_all(HOST).iter().collect();
        assert_eq!(hosts, ["c", "a"], "the authority counts as another");
        assert_eq!(head.headers.keys_len(), 1);
    }

    #[test]
    fn a_response_with_a_body_tells_its_length() {
        let response = Response::with_body(StatusCode::OK, "text/plain", "été".as_bytes());
        assert!(
            response
                .fields
                .contains(&(CONTENT_LENGTH.to_string(), b"5".to_vec()))
        );
        assert!(
            response
                .fields
                .contains(&(CONTENT_TYPE.to_string(), b"text/plain".to_vec()))
        );
        assert_eq!(Response::empty(StatusCode::NO_CONTENT).fields, []);
    }
}
