//! A receiver of events that takes everything at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use axum::Router;
use axum::http::StatusCode;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

/// A webhook on a free port, which stops when this is dropped.
pub(crate) struct Receiver {
    address: SocketAddr,
    received: Arc<AtomicU64>,
    _runtime: Runtime,
}

impl Receiver {
    pub(crate) fn start() -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_io()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let received = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&received);
        let router = Router::new().fallback(async move || {
            counter.fetch_add(1, Ordering::Relaxed);
            StatusCode::NO_CONTENT
        });
        runtime.spawn(async move { axum::serve(listener, router).await });
        Ok(Self {
            address,
            received,
            _runtime: runtime,
        })
    }

    /// The variables of the functions that send every change here.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let url = format!("http://{}", self.address);
        // The key of the examples of Standard Webhooks: it protects nothing here.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned();
        [
            ("EVENTS", "on".to_owned()),
            ("EVENTS_URL", format!("{url}/hook")),
            ("EVENTS_HOST", url),
            ("EVENTS_SECRET", secret),
        ]
        .map(|(name, value)| (format!("SPIN_VARIABLE_{name}"), value))
        .to_vec()
    }

    /// How many events came so far.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}
