//! The functions in processes of their own, on one store.

use harness::{App, AppBuilder, Manifest, Redis, State};

/// What a token allows, for requests that come through a proxy.
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

/// A host for each function, and two for `get-user`.
pub(crate) struct Service {
    pub(crate) create_user: App,
    pub(crate) get_user: [App; 2],
    pub(crate) promote_user: App,
    pub(crate) award_points: App,
}

impl Service {
    pub(crate) async fn on(store: &Store) -> Self {
        let start = |function: &str| store.host(&Manifest::apart(function)).start();
        Self {
            create_user: start("create-user").await,
            get_user: [start("get-user").await, start("get-user").await],
            promote_user: start("promote-user").await,
            award_points: start("award-points").await,
        }
    }

    /// `deploy/nginx.conf`, with the addresses that are free here in the place of those that it names.
    pub(crate) fn proxy_config(&self, address: &str) -> String {
        let file = harness::root().join("deploy/nginx.conf");
        let mut config = std::fs::read_to_string(file).unwrap();
        let [one, other] = &self.get_user;
        let hosts = [
            &self.create_user,
            one,
            other,
            &self.promote_user,
            &self.award_points,
        ];
        let servers = (3001..).zip(hosts).map(|(port, host)| {
            (
                format!("server 127.0.0.1:{port};"),
                format!("server {};", host.address()),
            )
        });
        let listen = ("listen 8080;".to_owned(), format!("listen {address};"));
        for (named, free) in servers.chain([listen]) {
            assert_eq!(config.matches(&named).count(), 1, "{named}");
            config = config.replace(&named, &free);
        }
        config
    }
}
