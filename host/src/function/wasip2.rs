//! Functions of WASI 0.2, which get a new instance for each request.

use super::{REQUEST_TIMEOUT, Setup};
use crate::state::State;
use anyhow::{Context as _, Result, anyhow};
use http::{Request, Response};
use std::sync::Arc;
use tokio::{sync::oneshot, task::JoinHandle};
use wasmtime_wasi_http::{
    WasiBody, WasiHttpView,
    handler::ExpirationError,
    p2::bindings::{ProxyPre, http::types::Scheme},
};

/// A compiled component that exports `wasi:http/incoming-handler`.
pub(crate) struct Proxy {
    pub(super) pre: ProxyPre<State>,
    pub(super) setup: Setup,
}

type Guest = JoinHandle<Result<wasmtime::Result<()>, tokio::time::error::Elapsed>>;

impl Proxy {
    /// Passes `request` to a new instance and returns its response as soon as the guest has handed that over.
    ///
    /// The guest then continues until it returns: it may still write the body, or do work for which the client does not wait.
    /// As in Spin, nothing waits for that work, and it continues if the client disconnects.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no room for another instance, if the guest traps or returns without a response, and
    /// [`ExpirationError`] if it takes longer than [`REQUEST_TIMEOUT`].
    pub(super) async fn handle(&self, request: Request<WasiBody>) -> Result<Response<WasiBody>> {
        let mut store = self.setup.store(self.pre.engine());
        let proxy = self.pre.instantiate_async(&mut store).await?;
        let (sender, response) = oneshot::channel();
        let mut http = store.data_mut().http();
        let request = http.new_incoming_request(Scheme::Http, request)?;
        let outparam = http.new_response_outparam(sender)?;
        let trap = Arc::clone(&store.data().trap);
        // The work after the response has the same time limit as the response itself.
        let guest: Guest = tokio::spawn(tokio::time::timeout(2 * REQUEST_TIMEOUT, async move {
            let handler = proxy.wasi_http_incoming_handler();
            tokio::select! {
                returned = handler.call_handle(&mut store, request, outparam) => returned,
                () = trap.notified() => Err(wasmtime::format_err!("it called what the application does not have")),
            }
        }));
        match tokio::time::timeout(REQUEST_TIMEOUT, response).await {
            Err(_) => {
                guest.abort();
                Err(ExpirationError.into())
            }
            Ok(Ok(response)) => {
                tokio::spawn(report(guest, Arc::clone(&self.setup.component)));
                response.context("the guest failed to produce a response")
            }
            Ok(Err(_)) => {
                ended(guest).await?;
                Err(anyhow!("the guest returned without a response"))
            }
        }
    }
}

/// Waits for the guest to return.
async fn ended(guest: Guest) -> Result<()> {
    let outcome = guest.await.context("the guest's task panicked")?;
    outcome.map_err(|_| ExpirationError)??;
    Ok(())
}

/// Waits for the guest to return, and logs a failure, of which nobody else would learn.
async fn report(guest: Guest, component: Arc<str>) {
    if let Err(error) = ended(guest).await {
        tracing::error!("component {component}: failed after it had answered: {error:#}");
    }
}
