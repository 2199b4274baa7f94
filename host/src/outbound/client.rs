//! The HTTP client that all components share, with Spin's time limits and errors.

use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioIo},
};
use std::{
    error::Error as _,
    io::ErrorKind,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{net::TcpStream, time::timeout};
use tower_http::timeout::TimeoutBody;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

/// The time limit for everything for which a component sets none.
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(10);

tokio::task_local! {
    /// How long the request of this task may take to connect. A task-local variable, since the client has no parameter for it.
    static CONNECT_TIMEOUT: Duration;
}

/// Keeps connections to use them again, as Spin's client does.
pub(super) struct Client(legacy::Client<HttpsConnector<Connector>, WasiBody>);

/// Connects by TCP.
#[derive(Clone)]
struct Connector;

impl Client {
    pub(super) fn new() -> Self {
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(Connector);
        Self(legacy::Client::builder(TokioExecutor::new()).build(connector))
    }

    /// Sends `request` to its URI and returns the response as soon as its head is there.
    ///
    /// # Errors
    ///
    /// Returns what went wrong if there is no connection or no response within the time that `options` give.
    pub(super) async fn send(
        &self,
        request: Request<WasiBody>,
        options: RequestOptions,
    ) -> Result<Response<WasiBody>, Error> {
        let connect_timeout = options.connect_timeout.unwrap_or(DEFAULT_TIMEOUT);
        let response = CONNECT_TIMEOUT.scope(connect_timeout, self.0.request(request));
        let response = timeout(options.first_byte_timeout.unwrap_or(DEFAULT_TIMEOUT), response)
            .await
            .map_err(|_| Error::ConnectionReadTimeout)?
            .map_err(|error| reason(&error))?;
        let between_bytes = options.between_bytes_timeout.unwrap_or(DEFAULT_TIMEOUT);
        Ok(response.map(|body| {
            TimeoutBody::new(between_bytes, body)
                .map_err(|error| match error.downcast::<hyper::Error>() {
                    Ok(error) => Error::Hyper(*error),
                    Err(_) => Error::ConnectionReadTimeout,
                })
                .boxed_unsync()
        }))
    }
}

/// The error for a missing response, which the connector may already have expressed in WASI's terms.
fn reason(error: &legacy::Error) -> Error {
    tracing::debug!("an outbound request failed: {error:?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<ConnectError>() {
            return error.reason();
        }
        cause = error.source();
    }
    if error.is_connect() {
        Error::TlsProtocolError
    } else {
        Error::HttpProtocolError
    }
}

/// The error for a failed connection.
#[derive(Clone, Copy, Debug)]
enum ConnectError {
    NoSuchHost,
    Refused,
    TimedOut,
    InvalidUri,
}

impl ConnectError {
    fn reason(self) -> Error {
        match self {
            Self::NoSuchHost => Error::DnsError {
                rcode: Some("address not available".to_owned()),
                info_code: Some(0),
            },
            Self::Refused => Error::ConnectionRefused,
            Self::TimedOut => Error::ConnectionTimeout,
            Self::InvalidUri => Error::HttpRequestUriInvalid,
        }
    }
}

impl std::fmt::Display for ConnectError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{self:?}")
    }
}

impl std::error::Error for ConnectError {}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let limit = CONNECT_TIMEOUT
            .try_with(|limit| *limit)
            .unwrap_or(DEFAULT_TIMEOUT);
        Box::pin(async move {
            let connected = timeout(limit, connect(&uri)).await;
            connected.map_err(|_| ConnectError::TimedOut)?.map(TokioIo::new)
        })
    }
}

async fn connect(uri: &Uri) -> Result<TcpStream, ConnectError> {
    let authority = uri.authority().ok_or(ConnectError::InvalidUri)?;
    let default = if uri.scheme_str() == Some("https") {
        443
    } else {
        80
    };
    let port = authority.port_u16().unwrap_or(default);
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let addresses: Vec<_> = tokio::net::lookup_host((host, port))
        .await
        .map_err(|_| ConnectError::NoSuchHost)?
        .collect();
    TcpStream::connect(addresses.as_slice())
        .await
        .map_err(|error| match error.kind() {
            ErrorKind::AddrNotAvailable => ConnectError::NoSuchHost,
            _ => ConnectError::Refused,
        })
}
