//! Requests and responses as WASI passes them (`wasi:http/types`).
//!
//! The conversions of `spin_sdk::http` took a quarter of the instructions of a `GET` and a sixth of its component: they
//! parse the address, keep every header field that Spin adds, and copy those of the response.

use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, FORWARDED, HeaderMap, HeaderName,
    HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE,
};
use http::{Method, StatusCode};
use spin_sdk::wasip3::http::types::{self, ErrorCode};
use spin_sdk::wasip3::wit_bindgen::{FutureReader, FutureWriter, StreamReader, StreamResult};
use spin_sdk::wasip3::{self, wit_future, wit_stream};

pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
pub(super) const SPIN_CLIENT_ADDR: HeaderName = HeaderName::from_static("spin-client-addr");
pub(super) const SPIN_PATH_MATCH_USERNAME: HeaderName = HeaderName::from_static("spin-path-match-username");
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The header fields that mean anything here; no others are kept.
const KNOWN: [HeaderName; 14] = [
    AUTHORIZATION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    FORWARDED,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    IF_UNMODIFIED_SINCE,
    SPIN_CLIENT_ADDR,
    SPIN_PATH_MATCH_USERNAME,
    TRACEPARENT,
    X_FORWARDED_FOR,
];

/// How many bytes of a body are asked for at once, at least.
const CHUNK: usize = 1024;

/// A request without its body.
pub(super) struct Head {
    pub(super) method: Method,
    /// The path, without a query.
    pub(super) path: String,
    pub(super) headers: HeaderMap,
}

impl Head {
    /// Reads the head of a request.
    ///
    /// # Errors
    /// The method is no token.
    pub(super) fn of(request: &types::Request) -> Result<Self, ErrorCode> {
        let method = request.get_method().try_into();
        let mut path = request.get_path_with_query().unwrap_or_default();
        path.truncate(path.find('?').unwrap_or(path.len()));
        let mut headers = HeaderMap::new();
        for (name, value) in request.get_headers().copy_all() {
            if let Some(known) = KNOWN.iter().find(|known| known.as_str() == name)
                && let Ok(value) = HeaderValue::try_from(value)
            {
                headers.append(known, value);
            }
        }
        Ok(Self {
            method: method.map_err(|_| ErrorCode::HttpRequestMethodInvalid)?,
            path,
            headers,
        })
    }
}

/// The body of a request.
pub(super) struct Body {
    bytes: StreamReader<u8>,
    /// Tells whether the body is whole; none once that was told.
    end: Option<FutureReader<Result<Option<types::Trailers>, ErrorCode>>>,
    /// While this is here, the body is wanted.
    _wanted: FutureWriter<Result<(), ErrorCode>>,
}

/// A body broke off.
pub(super) struct Incomplete;

impl Body {
    /// The body of `request`.
    pub(super) fn of(request: types::Request) -> Self {
        let (wanted, result) = wit_future::new(|| Ok(()));
        let (bytes, end) = types::Request::consume_body(request, result);
        Self {
            bytes,
            end: Some(end),
            _wanted: wanted,
        }
    }

    /// Adds what comes next to `bytes`. Returns whether anything came: nothing does at the end of the body.
    pub(super) async fn read(&mut self, bytes: &mut Vec<u8>) -> Result<bool, Incomplete> {
        let Some(end) = self.end.take() else {
            return Ok(false);
        };
        let mut buffer = std::mem::take(bytes);
        if buffer.len() == buffer.capacity() {
            buffer.reserve(CHUNK);
        }
        let result;
        (result, *bytes) = self.bytes.read(buffer).await;
        if let StreamResult::Complete(_) = result {
            self.end = Some(end);
            return Ok(true);
        }
        end.await.map(|_| false).map_err(|_| Incomplete)
    }
}

/// What a function responds with.
pub(super) struct Response {
    pub(super) status: StatusCode,
    fields: Vec<(String, Vec<u8>)>,
    body: Option<Vec<u8>>,
}

impl Response {
    /// A response of a status that has no body.
    pub(super) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            fields: Vec::new(),
            body: None,
        }
    }

    /// A response with a body. Its length is always given: without it Spin sends the body in chunks, which is slower.
    pub(super) fn with_body(status: StatusCode, media_type: &str, body: Vec<u8>) -> Self {
        let mut response = Self::empty(status);
        response.set(&CONTENT_TYPE, media_type);
        response.set(&CONTENT_LENGTH, &body.len().to_string());
        response.body = Some(body);
        response
    }

    /// Adds a header field.
    pub(super) fn set(&mut self, name: &HeaderName, value: &str) {
        self.fields.push((name.as_str().to_owned(), value.into()));
    }

    /// Passes the response on; its body leaves while the client already reads it.
    ///
    /// # Errors
    /// A header field is not of its grammar.
    pub(super) fn send(self) -> Result<types::Response, ErrorCode> {
        let fields = types::Fields::from_list(&self.fields)
            .map_err(|error| ErrorCode::InternalError(Some(error.to_string())))?;
        let (end, trailers) = wit_future::new(|| Ok(None));
        let contents = self.body.map(|body| {
            let (mut writer, contents) = wit_stream::new();
            wasip3::spawn(async move {
                // A client that has gone does not want the rest.
                writer.write_all(body).await;
                drop(end);
            });
            contents
        });
        let (response, _sent) = types::Response::new(fields, contents, trailers);
        // Every status here is one.
        let _ = response.set_status_code(self.status.as_u16());
        Ok(response)
    }
}
