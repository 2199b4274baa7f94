//! The functions in processes of their own, on one store.

use harness::{App, AppBuilder, Manifest, Redis, State};

/// The token of the requests, which come through a proxy.
pub(crate) const TOKEN: &str = "write-token";

/// The store that all functions share.
pub(crate) enum Store {
    Sqlite(State),
    Redis(Redis),
}

impl Store {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(State::new())
    }

    pub(crate) fn redis() -> Self {
        Self::Redis(tokio::task::block_in_place(Redis::durable))
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SQLite",
            Self::Redis(_) => "Redis",
        }
    }

    /// A host on this store that serves `manifest`.
    pub(crate) fn host(&self, manifest: &Manifest) -> AppBuilder {
        let builder = App::builder().manifest(manifest).variable("write_tokens", TOKEN);
        match self {
            Self::Sqlite(state) => builder.state(state),
            Self::Redis(redis) => builder.runtime_config(redis.runtime_config()),
        }
    }
}

/// The hosts that `deploy/nginx.conf` names.
pub(crate) struct Service {
    config: String,
    hosts: Vec<Host>,
}

/// One of them.
struct Host {
    function: String,
    /// Its line in the configuration.
    server: String,
    app: App,
}

impl Service {
    /// Starts a host for each `server` of each `upstream`, which is named after its function.
    pub(crate) async fn on(store: &Store) -> Self {
        let file = harness::root().join("deploy/nginx.conf");
        let config = std::fs::read_to_string(file).unwrap();
        let mut hosts = Vec::new();
        let mut upstream = None;
        for line in config.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix("upstream ") {
                upstream = Some(name.trim_end_matches(" {"));
            } else if let (Some(function), true) = (upstream, line.starts_with("server 127.0.0.1:")) {
                hosts.push(Host {
                    function: function.to_owned(),
                    server: line.to_owned(),
                    app: store.host(&Manifest::apart(function)).start().await,
                });
            }
        }
        Self { config, hosts }
    }

    /// The hosts of a function.
    pub(crate) fn hosts(&self, function: &str) -> Vec<&App> {
        let hosts = self.hosts.iter().filter(|host| host.function == function);
        hosts.map(|host| &host.app).collect()
    }

    /// Replaces the function's first host, and returns the old one.
    pub(crate) fn replace(&mut self, function: &str, app: App) -> App {
        let position = self.position(function);
        std::mem::replace(&mut self.hosts[position].app, app)
    }

    /// Takes the function's first host out of those that this keeps alive. The configuration still names it.
    pub(crate) fn remove(&mut self, function: &str) -> App {
        self.hosts.remove(self.position(function)).app
    }

    fn position(&self, function: &str) -> usize {
        let position = self.hosts.iter().position(|host| host.function == function);
        position.unwrap_or_else(|| panic!("there is no {function}"))
    }

    /// `deploy/nginx.conf`, with the addresses that are free here in the place of those that it names.
    pub(crate) fn proxy_config(&self, address: &str) -> String {
        let servers = self.hosts.iter().map(|host| {
            let free = format!("server {};", host.app.address());
            (host.server.clone(), free)
        });
        let listen = ("listen 8080;".to_owned(), format!("listen {address};"));
        let mut config = self.config.clone();
        for (named, free) in servers.chain([listen]) {
            assert_eq!(config.matches(&named).count(), 1, "{named}");
            config = config.replace(&named, &free);
        }
        config
    }
}
