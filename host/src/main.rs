//! The embedded host: runs this project's `spin.toml` without a Spin installation, for local use and tests. It behaves like
//! Spin 4.1; production runs on Spin itself.

mod allowed_hosts;
mod document;
mod engine;
mod function;
mod headers;
mod imports;
mod manifest;
mod outbound;
mod routes;
mod runtime_config;
mod server;
mod state;
mod store;
mod variables;

use crate::{
    function::{Application, Compiler, Function},
    manifest::{Component, Manifest, Target, Trigger},
    outbound::Network,
    routes::Router,
    runtime_config::RuntimeConfig,
    server::{Answer, Endpoint, StopSignals},
};
use anyhow::{Context, Result, anyhow};
use clap::Parser;
use std::{
    collections::BTreeMap,
    io::{IsTerminal as _, Write as _},
    net::{SocketAddr, ToSocketAddrs},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};
use tokio::net::TcpListener;
use tracing_subscriber::{
    Layer as _,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// The host makes many small allocations for each request.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs a Spin application without a Spin installation.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The manifest, or the directory that it is in
    #[arg(short, long, default_value = "spin.toml")]
    from: PathBuf,
    /// The address to listen on; port 0 picks a free one
    #[arg(long, env = "SPIN_HTTP_LISTEN_ADDR", default_value = "127.0.0.1:3000")]
    listen: String,
    /// The folder that keeps the data [default: .spin beside the manifest]
    #[arg(long)]
    state_dir: Option<PathBuf>,
    /// The runtime configuration, which names the backend of each key-value store
    #[arg(long, env = "RUNTIME_CONFIG_FILE")]
    runtime_config_file: Option<PathBuf>,
    /// The maximum number of requests that one instance of a WASI 0.3 function serves at a time
    #[arg(long, default_value = "16")]
    max_instance_concurrent_reuse_count: NonZeroUsize,
    /// Do not show what components write to stdout and stderr
    #[arg(short, long)]
    quiet: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log_to_stderr();
    let outcome = tokio::runtime::Runtime::new()
        .map_err(Into::into)
        .and_then(|runtime| {
            let outcome = runtime.block_on(run(arguments));
            // Dropping the runtime would end idle instances one by one and report each as failed.
            std::mem::forget(runtime);
            outcome
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", format!("{error:#}").replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}

/// Logs to stderr what `RUST_LOG` selects, as `level` or `target=level,…`: by default warnings and errors.
fn log_to_stderr() {
    let wanted = std::env::var("RUST_LOG").ok().and_then(|text| text.parse().ok());
    let filter = wanted.unwrap_or_else(|| Targets::new().with_default(LevelFilter::WARN));
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .init();
}

async fn run(arguments: Arguments) -> Result<()> {
    let address = resolve(&arguments.listen)?;
    let mut path = arguments.from;
    if path.is_dir() {
        path.push("spin.toml");
    }
    let manifest = Manifest::load(&path)?;
    variables::check_required(&manifest.variables)?;
    let config = match &arguments.runtime_config_file {
        Some(path) => RuntimeConfig::load(path)?,
        None => RuntimeConfig::default(),
    };
    let state_dir = arguments
        .state_dir
        .unwrap_or_else(|| path.parent().unwrap_or(Path::new("")).join(".spin"));
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; choose another --listen address"))?;
    let stores = store::open(config, &state_dir, &manifest.components)?;
    let address = listener.local_addr()?;
    let network = Arc::new(Network::new(manifest.components.keys().cloned().collect()));
    let application = Application {
        stores: Arc::new(stores),
        defaults: Arc::new(manifest.variables),
        network: Arc::clone(&network),
        quiet: arguments.quiet,
        concurrency: arguments.max_instance_concurrent_reuse_count.get(),
    };
    let router = prepare(manifest.components, manifest.triggers, &application)?;
    network.serve(address, server::chain(routed(&router)));
    let stop = StopSignals::new()?;
    announce(address, &router)?;
    server::serve(listener, router, stop).await;
    Ok(())
}

/// Compiles the components and makes an endpoint for each trigger.
fn prepare(
    components: BTreeMap<String, Component>,
    triggers: Vec<Trigger>,
    application: &Application,
) -> Result<Router<Endpoint>> {
    let compiler = Compiler::new()?;
    let mut functions = BTreeMap::new();
    for (id, component) in components {
        let description = component.description.clone();
        let handler = compiler.load(&id, component, application);
        if let Err(error) = &handler {
            // The other functions are still served.
            let error = format!("{error:#}").replace('\n', " ");
            tracing::error!("component {id}: {error}");
        }
        functions.insert(id, (description, handler.ok()));
    }
    Router::new(triggers.into_iter().map(|trigger| {
        let endpoint = match trigger.target {
            Target::Static { id, response } => Endpoint {
                id,
                description: None,
                answer: Answer::Static(response),
            },
            Target::Component(id) => {
                let (description, handler) = functions.get(&id).cloned().unwrap_or_default();
                Endpoint {
                    id,
                    description,
                    answer: handler.map_or(Answer::Broken, Answer::Function),
                }
            }
        };
        (trigger.route, endpoint)
    }))
}

/// The functions with a route. Others cannot be called, not even by functions.
fn routed(router: &Router<Endpoint>) -> BTreeMap<String, Option<Function>> {
    let endpoints = router.list().map(|(_, endpoint)| endpoint);
    endpoints
        .filter_map(|endpoint| match &endpoint.answer {
            Answer::Function(function) => Some((endpoint.id.clone(), Some(function.clone()))),
            Answer::Broken => Some((endpoint.id.clone(), None)),
            Answer::Static(_) => None,
        })
        .collect()
}

/// Prints the routes, as `spin up` does.
fn announce(address: SocketAddr, router: &Router<Endpoint>) -> Result<()> {
    let base = format!("http://{address}");
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nServing {base}\nAvailable Routes:")?;
    for (route, endpoint) in router.list() {
        writeln!(out, "  {}: {base}{route}", endpoint.id)?;
        if let Some(description) = &endpoint.description {
            writeln!(out, "    {description}")?;
        }
    }
    Ok(out.flush()?)
}

/// Returns the address that `listen` names; if it names several, 127.0.0.1 if that is one of them.
fn resolve(listen: &str) -> Result<SocketAddr> {
    let addresses: Vec<_> = listen
        .to_socket_addrs()
        .with_context(|| format!("--listen {listen}: not an address; write it as 127.0.0.1:3000"))?
        .collect();
    let local = addresses
        .iter()
        .find(|address| address.ip() == std::net::Ipv4Addr::LOCALHOST);
    local
        .or(addresses.first())
        .copied()
        .ok_or_else(|| anyhow!("--listen {listen}: no such host"))
}
