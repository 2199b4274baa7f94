//! The HTTP server: finds the function for each request, and stops gracefully.

use crate::{
    function::{Function, REQUEST_TIMEOUT},
    headers,
    manifest::StaticResponse,
    outbound::Chain,
    routes::{RouteDescription, Router, WELL_KNOWN},
};
use anyhow::Result;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
};
use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{Signal, SignalKind, signal},
};
use wasmtime_wasi_http::{
    WasiBody,
    handler::{ExpirationError, TrapOrPanicError},
};

/// How long requests in progress may take to finish after a signal to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// The client address of a request from another component.
const CHAINED_CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// A trigger, ready to answer.
pub(crate) struct Endpoint {
    /// The id of the component, or of the trigger if it has none.
    pub(crate) id: String,
    pub(crate) description: Option<String>,
    pub(crate) answer: Answer,
}

/// The target of a route.
pub(crate) enum Answer {
    Function(Function),
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

/// Serves `router` on `listener` until a signal to stop, then lets requests in progress finish, unless a second signal
/// arrives.
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
                // Most likely there are no file descriptors left; connections that end will free some.
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

/// Serves HTTP/1 or HTTP/2 without TLS, whichever the client speaks.
///
/// Like Spin, sets no time limit on request heads or idle connections, and leaves `TCP_NODELAY` off: a body that follows
/// its head in a segment of its own waits for the client's delayed acknowledgement.
fn serve_connection(
    stream: TcpStream,
    client: SocketAddr,
    router: &Arc<Router<Endpoint>>,
    graceful: &GracefulShutdown,
) {
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
    headers::strip_forbidden(request.headers_mut());
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
        Answer::Function(function) => {
            let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
            Ok(call(id, function, request, &route.describe(), client).await)
        }
    }
}

/// Lets a function answer a request with an absolute URI, to which `route` has led.
async fn call(
    id: &str,
    function: &Function,
    mut request: Request<WasiBody>,
    route: &RouteDescription<'_>,
    client: SocketAddr,
) -> Response<WasiBody> {
    let uri = request.uri().clone();
    if let Err(error) = headers::describe(request.headers_mut(), &uri, route, client) {
        tracing::error!("component {id}: {error:#}");
        return empty(StatusCode::INTERNAL_SERVER_ERROR);
    }
    // The handler limits the time of the function alone; this limit includes the wait for an instance.
    match tokio::time::timeout(REQUEST_TIMEOUT, function.handle(request)).await {
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

/// Answers requests from one component to another as Spin does: without a route, from the client address `0.0.0.0:0`.
pub(crate) fn chain(functions: BTreeMap<String, Option<Function>>) -> Chain {
    let functions = Arc::new(functions);
    Box::new(move |id, request| {
        let functions = Arc::clone(&functions);
        let (id, function) = functions.get_key_value(id)?;
        let (id, function) = (id.clone(), function.clone());
        Some(Box::pin(async move {
            let path = request.uri().path().to_owned();
            let route = RouteDescription::chained(&path);
            match function {
                Some(function) => call(&id, &function, request, &route, CHAINED_CLIENT).await,
                None => empty(StatusCode::INTERNAL_SERVER_ERROR),
            }
        }))
    })
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
