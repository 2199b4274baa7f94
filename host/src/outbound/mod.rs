//! Outbound requests of components: over the network, or to components of the same application.

mod client;
mod redis;

#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub use redis::RedisConnection;
pub(crate) use redis::{Answer, Argument, RedisError};

use crate::{
    allowed_hosts::{AllowedHosts, SELF_HOST, chained_component},
    variables::Variables,
};
use client::Client;
use http::{Request, Response, Uri, header, uri::Scheme};
use std::{
    collections::BTreeSet,
    future::pending,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, OnceLock},
};
use tokio::sync::Notify;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

/// Answers a request from one component to another; `None` if the application does not route to that component.
pub(crate) type Chain = Box<dyn Fn(&str, Request<WasiBody>) -> Option<ChainedAnswer> + Send + Sync>;
type ChainedAnswer = Pin<Box<dyn Future<Output = Response<WasiBody>> + Send>>;

/// The outbound network of an application.
pub(crate) struct Network {
    /// The names of all components.
    components: BTreeSet<String>,
    client: Client,
    /// The server, once it is ready.
    served: OnceLock<Served>,
}

struct Served {
    address: SocketAddr,
    chain: Chain,
}

/// The outbound network of one component, with its permissions.
pub(crate) struct Outbound {
    pub(crate) allowed: AllowedHosts,
    pub(crate) variables: Arc<Variables>,
    pub(crate) network: Arc<Network>,
}

impl Network {
    /// Creates the network of an application with these components, which can reach each other after [`Network::serve`].
    pub(crate) fn new(components: BTreeSet<String>) -> Self {
        Self {
            components,
            client: Client::new(),
            served: OnceLock::new(),
        }
    }

    /// Lets the components reach their own application at `address`, and each other through `chain`.
    pub(crate) fn serve(&self, address: SocketAddr, chain: Chain) {
        // There is only one call for each application; a second one would have no effect.
        let _ = self.served.set(Served { address, chain });
    }
}

impl Outbound {
    /// Whether the component may connect to `url`, to which `scheme` applies if it has none. Logs a refusal, as Spin does.
    pub(crate) fn allows(&self, url: &str, scheme: &str) -> bool {
        let allowed = self
            .allowed
            .allow(url, scheme, &self.variables, &self.network.components);
        if !allowed {
            tracing::error!(
                "component {}: allowed_outbound_hosts has no entry for a host that it tried to reach",
                self.variables.component,
            );
        }
        allowed
    }

    /// Sends `request` to its URI, if the component may connect there.
    ///
    /// A request to `<component>.spin.internal` is answered by that component, without the network. If the application
    /// has no such component, `trap` is notified and no answer ever comes: Spin makes the caller trap.
    ///
    /// # Errors
    ///
    /// Returns [`Error::HttpRequestDenied`] if `allowed_outbound_hosts` does not include the destination, and another error if
    /// there was no answer in time.
    pub(crate) async fn send(
        &self,
        mut request: Request<WasiBody>,
        options: RequestOptions,
        trap: Arc<Notify>,
    ) -> Result<Response<WasiBody>, Error> {
        let uri = request.uri();
        if uri.host() == Some(SELF_HOST) {
            if !self.allowed.allow_own_application(&self.variables) {
                return Err(Error::HttpRequestDenied);
            }
            let served = self.network.served.get().ok_or(Error::HttpRequestUriInvalid)?;
            *request.uri_mut() = at(uri, served.address).ok_or(Error::HttpRequestUriInvalid)?;
        } else if !self.allows(&uri.to_string(), "https") {
            return Err(Error::HttpRequestDenied);
        }
        // The client sets the header again; a chained component gets none.
        request.headers_mut().remove(header::HOST);
        let target = request
            .uri()
            .host()
            .and_then(chained_component)
            .map(str::to_owned);
        let Some(target) = target else {
            return self.network.client.send(request, options).await;
        };
        let served = self.network.served.get();
        let Some(answer) = served.and_then(|served| (served.chain)(&target, request)) else {
            tracing::error!(
                "component {}: the application does not route to {target}, which it called",
                self.variables.component,
            );
            trap.notify_one();
            return pending().await;
        };
        Ok(answer.await)
    }
}

/// The same path and query at another address.
fn at(uri: &Uri, address: SocketAddr) -> Option<Uri> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Uri::builder()
        .scheme(Scheme::HTTP)
        .authority(address.to_string())
        .path_and_query(path)
        .build()
        .ok()
}
