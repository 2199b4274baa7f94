//! Functions of WASI 0.3, whose instances serve many requests.

use super::{REQUEST_TIMEOUT, Setup};
use crate::state::State;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::{sync::futures::OwnedNotified, time::Sleep};
use wasmtime::{Store, StoreContextMut, component::GuestTaskId};
use wasmtime_wasi_http::{
    WasiHttpView,
    handler::{HandlerState, Instance, Proxy, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus},
    p3::bindings::ServicePre,
};

/// The number of requests after which an instance is replaced; Spin's default.
const REQUESTS_PER_INSTANCE: usize = 128;
/// How long an instance without a request is kept; Spin's default.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// A compiled component that exports `wasi:http/handler`.
pub(crate) struct Service {
    pub(super) pre: ServicePre<State>,
    pub(super) setup: Setup,
    /// The maximum number of requests that one instance serves at a time.
    pub(super) concurrency: usize,
}

impl HandlerState for Service {
    type StoreData = State;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Instance<State, Expiration, Worker>> {
        let mut store = self.setup.store(self.pre.engine());
        let instantiation = self.pre.instantiate_async(&mut store);
        let service = tokio::time::timeout(REQUEST_TIMEOUT, instantiation).await??;
        let trap = Arc::clone(&store.data().trap);
        Ok(Instance {
            store,
            proxy: Proxy::P3(service),
            view: State::http,
            expiration: Expiration {
                timeout: Box::pin(tokio::time::sleep(IDLE_TIMEOUT)),
                trap: Box::pin(trap.notified_owned()),
            },
            state: Worker {
                component: Arc::clone(&self.setup.component),
                concurrency: self.concurrency,
            },
        })
    }
}

/// Ends an instance that is idle, whose last request is overdue, or that called a component that does not exist.
pub(crate) struct Expiration {
    timeout: Pin<Box<Sleep>>,
    trap: Pin<Box<OwnedNotified>>,
}

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
        if self.timeout.deadline() != deadline {
            self.timeout.as_mut().reset(deadline);
        }
        if self.trap.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        self.timeout.as_mut().poll(context)
    }
}

/// The usage limits of one instance.
pub(crate) struct Worker {
    component: Arc<str>,
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
