//! The data that belongs to one instance of a function.

use crate::{
    outbound::Outbound,
    store::{Access, KeyValueState},
    variables::Variables,
};
use std::sync::Arc;
use tokio::sync::Notify;
use wasmtime::{StoreLimits, StoreLimitsBuilder, component::ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpCtx,
    WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

/// The maximum memory of one instance, in bytes.
pub(crate) const MEMORY_LIMIT: usize = 64 << 20;

/// The data of one instance's store.
pub(crate) struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Hooks,
    pub(crate) limits: StoreLimits,
    pub(crate) key_value: KeyValueState,
    pub(crate) variables: Arc<Variables>,
    pub(crate) outbound: Arc<Outbound>,
    /// The connections to Redis that the guest has open.
    pub(crate) redis: ResourceTable,
    /// Notified when the instance has to end as if the guest had trapped.
    pub(crate) trap: Arc<Notify>,
}

struct Hooks {
    outbound: Arc<Outbound>,
    trap: Arc<Notify>,
}

impl State {
    /// Creates the state of a new instance, which discards what the guest prints if `quiet`.
    pub(crate) fn new(
        access: Arc<Access>,
        variables: Arc<Variables>,
        outbound: Arc<Outbound>,
        quiet: bool,
    ) -> Self {
        let trap = Arc::new(Notify::new());
        let mut wasi = WasiCtxBuilder::new();
        if !quiet {
            // Spin sends both to stderr.
            wasi.stdout(tokio::io::stderr()).inherit_stderr();
        }
        Self {
            table: ResourceTable::new(),
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            hooks: Hooks {
                outbound: Arc::clone(&outbound),
                trap: Arc::clone(&trap),
            },
            limits: StoreLimitsBuilder::new().memory_size(MEMORY_LIMIT).build(),
            key_value: KeyValueState::new(access),
            variables,
            outbound,
            redis: ResourceTable::new(),
            trap,
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.hooks,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}

impl WasiHttpHooks for Hooks {
    /// Like Spin, lets a function read `host`.
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(|name| *name != http::header::HOST && DEFAULT_FORBIDDEN_HEADERS.contains(name))
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        let (outbound, trap) = (Arc::clone(&self.outbound), Arc::clone(&self.trap));
        Box::new(async move {
            let response = outbound.send(request, options.unwrap_or_default(), trap).await?;
            // Later failures are reported through the body.
            let end: Box<dyn Future<Output = _> + Send> = Box::new(async { Ok(()) });
            Ok((response, end))
        })
    }
}

/// A response, and a future that resolves once the connection has finished with it.
type Sent = (
    http::Response<WasiBody>,
    Box<dyn Future<Output = Result<(), Error>> + Send>,
);
