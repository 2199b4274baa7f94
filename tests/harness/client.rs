//! Requests to an application, and their answers.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method, StatusCode};
use reqwest::RequestBuilder;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::App;

const PATIENCE: Duration = Duration::from_mins(1);

/// A complete answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl App {
    /// `GET`.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path)).await
    }

    /// `PUT` without a body.
    pub async fn put(&self, path: &str) -> Reply {
        self.send(self.request(Method::PUT, path)).await
    }

    /// `POST` of a JSON text.
    pub async fn post(&self, path: &str, json: impl Into<reqwest::Body>) -> Reply {
        self.send(
            self.request(Method::POST, path)
                .header(CONTENT_TYPE, "application/json")
                .body(json),
        )
        .await
    }

    /// `POST` of a JSON text under an idempotency key.
    pub async fn post_keyed(&self, path: &str, key: &str, json: impl Into<reqwest::Body>) -> Reply {
        let request = self
            .request(Method::POST, path)
            .header(CONTENT_TYPE, "application/json");
        self.send(request.header("idempotency-key", key).body(json)).await
    }

    /// `PATCH` by a JSON merge patch.
    pub async fn patch(&self, path: &str, json: impl Into<reqwest::Body>) -> Reply {
        let request = self
            .request(Method::PATCH, path)
            .header(CONTENT_TYPE, "application/merge-patch+json");
        self.send(request.body(json)).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Reply {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// `POST /user`.
    pub async fn create(&self, record: impl Into<reqwest::Body>) -> Reply {
        self.post("/user", record).await
    }

    /// A request to add to; [`App::send`] sends it.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client().request(method, format!("{}{path}", self.url()))
    }

    /// Sends a request and reads the answer, and checks that it is well-formed.
    pub async fn send(&self, request: RequestBuilder) -> Reply {
        let (client, request) = request.build_split();
        let request = request.expect("a request that can be sent");
        let what = format!("{} {}", request.method(), request.url().path());
        let to_head = request.method() == Method::HEAD;
        let mut response = client
            .execute(request)
            .await
            .unwrap_or_else(|error| panic!("{what}: {error:?}"));
        let reply = Reply {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body: response
                .bytes()
                .await
                .unwrap_or_else(|error| panic!("{what}: {error:?}")),
        };
        reply.check(&what, to_head);
        reply
    }

    /// Opens a connection for sending bytes that no client would send.
    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address())
            .await
            .expect("the host accepts connections")
    }

    /// Sends raw bytes and reads until the host closes the connection.
    pub async fn raw(&self, request: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_ref()).await.expect("the host reads");
        read_to_end(&mut stream).await
    }
}

/// Reads a connection until the host closes it.
pub async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A host that refuses a request may reset the connection; what it said before is the answer.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .expect("the host answers in time");
    String::from_utf8(answer).expect("an answer in UTF-8")
}

/// Sends a request on a kept connection and reads an answer whose body has `length` bytes. Returns how many bytes of the
/// body the first read brought: all of them, if the host sent head and body in one segment.
pub async fn first_read(stream: &mut TcpStream, request: &str, length: usize) -> usize {
    stream
        .write_all(request.as_bytes())
        .await
        .expect("the host reads");
    let mut answer = vec![0; length + (64 << 10)];
    let mut read = 0;
    let mut first = None;
    loop {
        let more = timeout(PATIENCE, stream.read(&mut answer[read..]));
        let more = more.await.expect("the host answers in time").expect("an answer");
        assert_ne!(more, 0, "the host closed the connection");
        read += more;
        let head = answer[..read].windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let body = head.map_or(0, |head| read - head - 4);
        let first = *first.get_or_insert(body);
        if head.is_some() && body >= length {
            return first;
        }
    }
}

impl Reply {
    /// A success with exactly this JSON text.
    #[track_caller]
    pub fn exactly(&self, status: u16, body: &str) -> &Self {
        assert_eq!(self.status, status, "{self}");
        assert_eq!(self.header("content-type"), "application/json", "{self}");
        assert_eq!(self.text(), body, "{self}");
        self
    }

    /// A problem of this kind, with all that a problem has.
    #[track_caller]
    pub fn problem(&self, status: u16, slug: &str) -> Value {
        assert_eq!(self.status, status, "{self}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self}");
        assert_eq!(self.header("cache-control"), "no-store", "{self}");
        let problem = self.json();
        assert_eq!(problem["type"], format!("urn:problem:{slug}"), "{self}");
        assert_eq!(problem["status"], status, "{self}");
        for member in ["title", "detail"] {
            assert!(
                problem[member].as_str().is_some_and(|text| !text.is_empty()),
                "{member}: {self}"
            );
        }
        problem
    }

    /// A problem of this kind, and the JSON pointers of its errors.
    #[track_caller]
    pub fn invalid(&self, slug: &str) -> Vec<String> {
        let problem = self.problem(422, slug);
        let errors = problem["errors"].as_array();
        let errors = errors.unwrap_or_else(|| panic!("no errors: {self}")).iter();
        errors
            .map(|error| error["pointer"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// 405, and the methods that its `Allow` names.
    #[track_caller]
    pub fn method_not_allowed(&self) -> Vec<&str> {
        self.problem(405, "method-not-allowed");
        self.header(ALLOW.as_str()).split(',').map(str::trim).collect()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// The body as text.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// A header that must be there exactly once.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().unwrap_or_else(|| panic!("no {name}: {self}"));
        assert!(values.next().is_none(), "more than one {name}: {self}");
        value.to_str().unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// Checks what must hold for every answer: its length, and a body of its declared type.
    fn check(&self, what: &str, to_head: bool) {
        let has_content = !matches!(self.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if has_content && !to_head {
            assert_eq!(
                self.header(CONTENT_LENGTH.as_str()),
                self.body.len().to_string(),
                "{what}: {self}"
            );
        } else {
            assert!(self.body.is_empty(), "{what}: {self}");
        }
        if has_content
            && !to_head
            && self
                .headers
                .get(CONTENT_TYPE)
                .is_some_and(|kind| kind.as_bytes().ends_with(b"json"))
        {
            assert!(
                serde_json::from_slice::<Value>(&self.body).is_ok(),
                "{what}: {self}"
            );
        }
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            status,
            headers,
            body,
        } = self;
        write!(
            formatter,
            "{status} {headers:?} {}",
            String::from_utf8_lossy(body)
        )
    }
}
