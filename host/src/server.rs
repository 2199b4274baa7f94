//! The HTTP server: finds the function for each request, and stops gracefully.

use crate::{
    function::{self, Handler, REQUEST_TIMEOUT},
    headers,
    manifest::StaticResponse,
    routes::{Router, WELL_KNOWN},
};
use anyhow::Result;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
};
use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{Signal, SignalKind, signal},
};
use wasmtime_wasi_http::{
    WasiBody,
    handler::{ExpirationError, TrapOrPanicError},
};

/// How long requests in flight may take to finish once the host is told to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// A trigger, ready to answer.
pub(crate) struct Endpoint {
    /// The id of the component, or of the trigger if it has none.
    pub(crate) id: String,
    pub(crate) description: Option<String>,
    pub(crate) answer: Answer,
}

/// What answers the requests of a route.
pub(crate) enum Answer {
    Function(Handler),
    /// A function that could not be loaded.
    Broken,
    Static(StaticResponse),
}

/// The signals that stop the host.
pub(crate) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => (),
            _ = self.terminate.recv() => (),
        }
    }
}

/// Serves `router` on `listener` until a stop signal, then lets requests in flight finish, unless a
/// second signal comes.
pub(crate) async fn serve(listener: TcpListener, router: Router<Endpoint>, mut stop: StopSignals) {
    let router = Arc::new(router);
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.next() => break,
        };
        match accepted {
            Ok((stream, client)) => serve_connection(stream, client, &router, &graceful),
            Err(error) => {
                // Out of file descriptors, most likely: connections that end will free some.
                tracing::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => return,
        () = tokio::time::sleep(DRAIN_TIMEOUT) => (),
        () = stop.next() => (),
    }
    tracing::warn!("stopped with requests still in flight");
}

/// Serves HTTP/1 or HTTP/2 without TLS, whichever the client speaks. Like Spin, it has no time limit on
/// request heads or idle connections.
fn serve_connection(
    stream: TcpStream,
    client: SocketAddr,
    router: &Arc<Router<Endpoint>>,
    graceful: &GracefulShutdown,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("cannot set TCP_NODELAY: {error}");
    }
    let router = Arc::clone(router);
    let service = service_fn(move |request| {
        let router = Arc::clone(&router);
        async move { answer(&router, request, client).await }
    });
    let builder = Builder::new(TokioExecutor::new());
    let connection = builder
        .serve_connection(TokioIo::new(stream), service)
        .into_owned();
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!("connection ended: {error}");
        }
    });
}

/// Answers one request. An error ends the connection, as in Spin.
async fn answer(
    router: &Router<Endpoint>,
    mut request: Request<Incoming>,
    client: SocketAddr,
) -> Result<Response<WasiBody>> {
    request.headers_mut().remove(header::CONNECTION);
    let path = request.uri().path().to_owned();
    if let Some(name) = path.strip_prefix(WELL_KNOWN) {
        return Ok(match name {
            "health" => Response::new(full("OK")),
            _ => empty(StatusCode::NOT_FOUND),
        });
    }
    let Some(route) = router.find(&path) else {
        return Ok(empty(StatusCode::NOT_FOUND));
    };
    headers::make_absolute(&mut request)?;
    let Endpoint { id, answer, .. } = route.target();
    match answer {
        Answer::Static(response) => static_response(response),
        Answer::Broken => Ok(empty(StatusCode::INTERNAL_SERVER_ERROR)),
        Answer::Function(handler) => {
            let uri = request.uri().clone();
            if let Err(error) = headers::describe(request.headers_mut(), &uri, &route, client) {
                tracing::error!("component {id}: {error:#}");
                return Ok(empty(StatusCode::INTERNAL_SERVER_ERROR));
            }
            Ok(call(id, handler, request).await)
        }
    }
}

async fn call(id: &str, handler: &Handler, request: Request<Incoming>) -> Response<WasiBody> {
    let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
    // The handler times the function alone; this counts the wait for an instance as well.
    match tokio::time::timeout(REQUEST_TIMEOUT, function::handle(handler, request)).await {
        Ok(Ok(response)) => response,
        Err(_) => {
            tracing::error!("component {id}: no answer within {REQUEST_TIMEOUT:?}");
            empty(StatusCode::GATEWAY_TIMEOUT)
        }
        Ok(Err(error)) => {
            // The instance reports a trap itself, with the cause.
            if !error.is::<TrapOrPanicError>() {
                tracing::error!("component {id}: {error:#}");
            }
            empty(if error.is::<ExpirationError>() {
                StatusCode::GATEWAY_TIMEOUT
            } else {
                StatusCode::INTERNAL_SERVER_ERROR
            })
        }
    }
}

fn static_response(response: &StaticResponse) -> Result<Response<WasiBody>> {
    let mut builder = Response::builder().status(response.status_code.unwrap_or(200));
    for (name, value) in &response.headers {
        builder = builder.header(name, value);
    }
    Ok(builder.body(full(response.body.clone().unwrap_or_default()))?)
}

fn full(body: impl Into<Bytes>) -> WasiBody {
    Full::new(body.into())
        .map_err(|never: Infallible| match never {})
        .boxed_unsync()
}

fn empty(status: StatusCode) -> Response<WasiBody> {
    let body = Empty::new()
        .map_err(|never: Infallible| match never {})
        .boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
