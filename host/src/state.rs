//! What the host keeps for one instance of a function.

use crate::{
    function::MEMORY_LIMIT,
    store::{Access, KeyValueState},
    variables::Variables,
};
use std::sync::Arc;
use wasmtime::{StoreLimits, StoreLimitsBuilder, component::ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpCtx,
    WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

/// The data of one instance's store.
pub(crate) struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Hooks,
    pub(crate) limits: StoreLimits,
    pub(crate) key_value: KeyValueState,
    pub(crate) variables: Arc<Variables>,
}

struct Hooks;

impl State {
    pub(crate) fn new(access: Arc<Access>, variables: Arc<Variables>, quiet: bool) -> Self {
        let mut wasi = WasiCtxBuilder::new();
        if !quiet {
            // Spin sends both to stderr.
            wasi.stdout(tokio::io::stderr()).inherit_stderr();
        }
        Self {
            table: ResourceTable::new(),
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            hooks: Hooks,
            limits: StoreLimitsBuilder::new().memory_size(MEMORY_LIMIT).build(),
            key_value: KeyValueState::new(access),
            variables,
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
    /// Spin lets a function read `host`.
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(|name| *name != http::header::HOST && DEFAULT_FORBIDDEN_HEADERS.contains(name))
    }

    /// No function here may call out: the manifest grants no outbound hosts.
    fn send_request(
        &mut self,
        _: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<
        dyn Future<
                Output = Result<
                    (
                        http::Response<WasiBody>,
                        Box<dyn Future<Output = Result<(), Error>> + Send>,
                    ),
                    Error,
                >,
            > + Send,
    > {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}
