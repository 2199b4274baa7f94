//! Functions: how components are compiled, limited and reused.

use crate::{
    bindings, manifest,
    state::State,
    store::{self, Access, Stores},
    variables::{self, Variables},
};
use anyhow::{Result, anyhow};
use http::{Request, Response};
use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, PoisonError},
    task::{Context, Poll},
    thread,
    time::{Duration, Instant},
};
use wasmtime::{
    Cache, Config, Engine, InstanceAllocationStrategy, PoolConcurrencyLimitError, PoolingAllocationConfig,
    Store, StoreContextMut,
    component::{Component, GuestTaskId, Linker},
};
use wasmtime_wasi_http::{
    WasiBody, WasiHttpView,
    handler::{
        HandlerState, Instance, InstantiationError, Proxy, ProxyHandler, ShouldAccept, WorkerExpiration,
        WorkerState, WorkerStatus,
    },
    p3::bindings::ServicePre,
};

/// The most memory that one instance may use.
pub(crate) const MEMORY_LIMIT: usize = 64 << 20;
/// How long a function may take to answer.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a guest may run before others get the thread.
const TICK: Duration = Duration::from_millis(10);
/// How many instances may live at once, as in Spin.
const MAX_INSTANCES: u32 = 1000;
/// How long a request waits before it looks again for room for an instance.
const WAIT_FOR_ROOM: Duration = Duration::from_millis(5);
/// How many requests an instance serves before it is replaced, as in Spin.
const REQUESTS_PER_INSTANCE: usize = 128;
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves requests of one function from a changing set of instances.
pub(crate) type Handler = ProxyHandler<Function>;

/// What all functions of an application have in common.
pub(crate) struct Application {
    pub(crate) stores: Arc<Stores>,
    /// Application variables and their defaults.
    pub(crate) defaults: Arc<BTreeMap<String, Option<String>>>,
    /// Whether what components print is kept to themselves.
    pub(crate) quiet: bool,
    /// The most requests that one instance serves at a time.
    pub(crate) concurrency: usize,
}

/// A compiled component, and what each of its instances gets.
pub(crate) struct Function {
    service: ServicePre<State>,
    access: Arc<Access>,
    variables: Arc<Variables>,
    quiet: bool,
    concurrency: usize,
}

/// Compiles components; each engine has a thread that lets long-running guests yield.
pub(crate) struct Compiler {
    engine: Engine,
    linker: Linker<State>,
}

impl Compiler {
    pub(crate) fn new() -> Result<Self> {
        Self::on(engine(config(), MAX_INSTANCES)?)
    }

    fn on(engine: Engine) -> Result<Self> {
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
        wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
        {
            use bindings::{spin, wasi::keyvalue};
            spin::key_value::key_value::add_to_linker::<_, store::Linked>(&mut linker, |s| s)?;
            spin::variables::variables::add_to_linker::<_, variables::Linked>(&mut linker, |s| s)?;
            keyvalue::store::add_to_linker::<_, store::Linked>(&mut linker, |s| s)?;
            keyvalue::atomics::add_to_linker::<_, store::Linked>(&mut linker, |s| s)?;
            keyvalue::batch::add_to_linker::<_, store::Linked>(&mut linker, |s| s)?;
        }
        Ok(Self { engine, linker })
    }

    /// Compiles the component `id` of `application`, or takes it from the cache.
    pub(crate) fn load(
        &self,
        id: &str,
        component: manifest::Component,
        application: &Application,
    ) -> Result<Handler> {
        let service = Component::from_file(&self.engine, &component.source)
            .and_then(|compiled| self.linker.instantiate_pre(&compiled))
            .and_then(ServicePre::new)
            .map_err(|error| anyhow!("cannot load {}: {error:#}", component.source.display()))?;
        let access = Access {
            component: id.to_owned(),
            labels: component.key_value_stores,
            stores: Arc::clone(&application.stores),
        };
        let variables = Variables {
            component: id.to_owned(),
            templates: component.variables,
            defaults: Arc::clone(&application.defaults),
        };
        Ok(ProxyHandler::new(Function {
            service,
            access: Arc::new(access),
            variables: Arc::new(variables),
            quiet: application.quiet,
            concurrency: application.concurrency,
        }))
    }
}

/// Has a function answer, as soon as there is room for an instance of it.
pub(crate) async fn handle(
    handler: &Handler,
    mut request: Request<WasiBody>,
) -> wasmtime::Result<Response<WasiBody>> {
    loop {
        let error = match handler.handle((), request).await {
            Ok(response) => return Ok(response),
            Err(error) => error.downcast::<InstantiationError<()>>()?,
        };
        if !error.error.is::<PoolConcurrencyLimitError>() {
            return Err(error.into());
        }
        request = error.request.into_inner().unwrap_or_else(PoisonError::into_inner);
        tokio::time::sleep(WAIT_FOR_ROOM).await;
    }
}

fn config() -> Config {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    config.epoch_interruption(true);
    // Components are stripped: a backtrace would only name function numbers.
    config.wasm_backtrace_max_frames(None);
    // Reserving no more than an instance may use keeps the pool at 64 GiB of address space.
    config.memory_reservation(MEMORY_LIMIT as u64);
    config.memory_guard_size(64 << 10);
    match Cache::from_file(None) {
        Ok(cache) => drop(config.cache(Some(cache))),
        Err(error) => tracing::debug!("no compile cache: {error:#}"),
    }
    config
}

/// An engine with room for so many instances at once.
fn engine(mut config: Config, instances: u32) -> Result<Engine> {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances)
        .total_core_instances(4 * instances)
        .total_memories(instances)
        .total_tables(2 * instances)
        .total_stacks(instances)
        .max_memory_size(MEMORY_LIMIT)
        .linear_memory_keep_resident(1 << 20)
        .table_keep_resident(64 << 10);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let engine = match Engine::new(&config) {
        Ok(engine) => engine,
        Err(error) => {
            tracing::warn!("no instance pool, so requests are slower: {error:#}");
            config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
            Engine::new(&config)?
        }
    };
    let weak = engine.weak();
    thread::Builder::new().name("epoch".to_owned()).spawn(move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    })?;
    Ok(engine)
}

impl HandlerState for Function {
    type StoreData = State;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Instance<State, Expiration, Worker>> {
        let state = State::new(Arc::clone(&self.access), Arc::clone(&self.variables), self.quiet);
        let mut store = Store::new(self.service.engine(), state);
        store.limiter(|state| &mut state.limits);
        // A guest that loops gives up its thread at every tick, until it has expired.
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        let instantiation = self.service.instantiate_async(&mut store);
        let service = tokio::time::timeout(REQUEST_TIMEOUT, instantiation).await??;
        Ok(Instance {
            store,
            proxy: Proxy::P3(service),
            view: State::http,
            expiration: Expiration(Box::pin(tokio::time::sleep(IDLE_TIMEOUT))),
            state: Worker {
                component: self.access.component.clone(),
                concurrency: self.concurrency,
            },
        })
    }
}

/// Ends an instance that is idle, or whose last request is overdue.
pub(crate) struct Expiration(Pin<Box<tokio::time::Sleep>>);

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        status: WorkerStatus,
        start: Instant,
    ) -> Poll<()> {
        let timeout = match status {
            WorkerStatus::Idle => IDLE_TIMEOUT,
            WorkerStatus::Requests | WorkerStatus::PostReturn => REQUEST_TIMEOUT,
        };
        let deadline = (start + timeout).into();
        if self.0.deadline() != deadline {
            self.0.as_mut().reset(deadline);
        }
        self.0.as_mut().poll(context)
    }
}

/// How one instance is used.
pub(crate) struct Worker {
    component: String,
    concurrency: usize,
}

impl WorkerState for Worker {
    type StoreData = State;
    type RequestData = ();

    fn should_accept_request(&self, concurrent: usize, total: usize) -> ShouldAccept {
        if total >= REQUESTS_PER_INSTANCE {
            ShouldAccept::Never
        } else if concurrent >= self.concurrency {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        _: StoreContextMut<'_, State>,
        (): (),
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        Box::pin(tokio::time::sleep(REQUEST_TIMEOUT))
    }

    fn drop(&self, store: Store<State>, result: wasmtime::Result<()>) {
        if let Err(error) = result {
            tracing::error!("component {}: an instance failed: {error:#}", self.component);
        }
        drop(store);
    }
}

#[cfg(test)]
mod budgets;
#[cfg(test)]
mod room;
