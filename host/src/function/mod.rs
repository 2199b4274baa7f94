//! Functions: how components are compiled, limited and run.

mod wasip2;
mod wasip3;

#[cfg(test)]
mod cost_budgets;
#[cfg(test)]
mod pool_exhaustion;

use crate::{
    engine::{self, MAX_INSTANCES},
    imports, manifest,
    outbound::{Network, Outbound},
    state::State,
    store::{Access, Stores},
    variables::Variables,
};
use anyhow::{Result, anyhow, bail};
use http::{Request, Response};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use wasmtime::{
    Engine, Store,
    component::{Component, InstancePre, Linker},
};
use wasmtime_wasi_http::{WasiBody, handler::ProxyHandler, p2::bindings::ProxyPre, p3::bindings::ServicePre};

/// How long a function may take to answer.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What all functions of an application have in common.
pub(crate) struct Application {
    pub(crate) stores: Arc<Stores>,
    /// Application variables and their defaults.
    pub(crate) defaults: Arc<BTreeMap<String, Option<String>>>,
    pub(crate) network: Arc<Network>,
    /// Whether to drop what components print.
    pub(crate) quiet: bool,
    /// The most requests that one instance of WASI 0.3 serves at a time.
    pub(crate) concurrency: usize,
}

/// A compiled component, ready to answer; the variant is the world that it was built for.
#[derive(Clone)]
pub(crate) enum Function {
    Wasip2(Arc<wasip2::Proxy>),
    Wasip3(ProxyHandler<wasip3::Service>),
}

/// What each instance of a component gets.
struct Setup {
    component: Arc<str>,
    access: Arc<Access>,
    variables: Arc<Variables>,
    outbound: Arc<Outbound>,
    quiet: bool,
}

/// Compiles components for one engine.
pub(crate) struct Compiler {
    engine: Engine,
    linker: Linker<State>,
}

impl Compiler {
    /// Makes a compiler with an engine of the default limits.
    ///
    /// # Errors
    ///
    /// Returns an error if this machine cannot run components.
    pub(crate) fn new() -> Result<Self> {
        Self::on(engine::new(engine::config(), MAX_INSTANCES)?)
    }

    fn on(engine: Engine) -> Result<Self> {
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
        wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
        imports::add_to_linker(&mut linker)?;
        Ok(Self { engine, linker })
    }

    /// Compiles the component `id` of `application`, or takes it from the cache.
    ///
    /// # Errors
    ///
    /// Returns an error if the file is not a component, imports what the host does not have, or does not handle HTTP.
    pub(crate) fn load(
        &self,
        id: &str,
        component: manifest::Component,
        application: &Application,
    ) -> Result<Function> {
        let source = component.source;
        let instance = Component::from_file(&self.engine, &source)
            .and_then(|compiled| self.linker.instantiate_pre(&compiled))
            .map_err(|error| anyhow!("cannot load {}: {error:#}", source.display()))?;
        let access = Access {
            component: id.to_owned(),
            labels: component.key_value_stores,
            stores: Arc::clone(&application.stores),
        };
        let variables = Arc::new(Variables {
            component: id.to_owned(),
            templates: component.variables,
            defaults: Arc::clone(&application.defaults),
        });
        let outbound = Outbound {
            allowed: component.allowed_outbound_hosts,
            variables: Arc::clone(&variables),
            network: Arc::clone(&application.network),
        };
        let setup = Setup {
            component: id.into(),
            access: Arc::new(access),
            variables,
            outbound: Arc::new(outbound),
            quiet: application.quiet,
        };
        match worlds(instance) {
            (Some(pre), None) => Ok(Function::Wasip2(Arc::new(wasip2::Proxy { pre, setup }))),
            (None, Some(pre)) => Ok(Function::Wasip3(ProxyHandler::new(wasip3::Service {
                pre,
                setup,
                concurrency: application.concurrency,
            }))),
            (None, None) => bail!(
                "cannot load {}: it exports neither `wasi:http/incoming-handler@0.2` nor `wasi:http/handler@0.3`",
                source.display(),
            ),
            (Some(_), Some(_)) => bail!(
                "cannot load {}: it exports both `wasi:http/incoming-handler@0.2` and `wasi:http/handler@0.3`",
                source.display(),
            ),
        }
    }
}

/// The component as a handler of WASI 0.2 and of WASI 0.3, where it is one.
fn worlds(instance: InstancePre<State>) -> (Option<ProxyPre<State>>, Option<ServicePre<State>>) {
    (
        ProxyPre::new(instance.clone()).ok(),
        ServicePre::new(instance).ok(),
    )
}

impl Function {
    /// Passes `request` to the function and returns its response.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no room for an instance, which Spin answers with 500 too, and if the function
    /// traps, returns no response, or takes longer than [`REQUEST_TIMEOUT`].
    pub(crate) async fn handle(&self, request: Request<WasiBody>) -> Result<Response<WasiBody>> {
        match self {
            Self::Wasip2(proxy) => proxy.handle(request).await,
            Self::Wasip3(handler) => Ok(handler.handle((), request).await?),
        }
    }
}

impl Setup {
    fn state(&self) -> State {
        State::new(
            Arc::clone(&self.access),
            Arc::clone(&self.variables),
            Arc::clone(&self.outbound),
            self.quiet,
        )
    }

    /// The store of a new instance.
    fn store(&self, engine: &Engine) -> Store<State> {
        let mut store = Store::new(engine, self.state());
        store.limiter(|state| &mut state.limits);
        // A guest that loops gives up its thread at every tick.
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        store
    }
}
