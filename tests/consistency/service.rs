//! Hosts on one store, which can be killed, and access to every value in the store.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use harness::{App, Redis, State};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::account::Tally;
use crate::linearizability::Operation;
use crate::witness::Told;

/// Longer than any answer may take, so that a late answer is counted as the slowest.
const TIMEOUT: Duration = Duration::from_secs(90);

/// Tests of one load, an `async fn` of a [`Service`], on every store by one host and by two.
macro_rules! on_every_store {
    ($what:literal, $load:path) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn on_sqlite() {
            $load($crate::service::Service::on_sqlite($what, 1).await).await;
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn on_sqlite_by_two_hosts() {
            $load($crate::service::Service::on_sqlite($what, 2).await).await;
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn on_redis() {
            if !harness::without("redis-server") {
                $load($crate::service::Service::on_redis($what, 1).await).await;
            }
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn on_redis_by_two_hosts() {
            if !harness::without("redis-server") {
                $load($crate::service::Service::on_redis($what, 2).await).await;
            }
        }
    };
}
pub(crate) use on_every_store;

/// The tests measure, and some kill, so they run one after the other.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Whether to run the numbers that the documents quote.
fn in_full() -> bool {
    extent().is_some_and(|extent| extent == "full")
}

/// One number for CI and one for `CONSISTENCY=full`. `CONSISTENCY=brief` halves the number for CI.
pub(crate) fn scaled(in_ci: u64, full: u64) -> u64 {
    match extent().as_deref() {
        Some("full") => full,
        Some("brief") => in_ci.div_ceil(2),
        _ => in_ci,
    }
}

fn extent() -> Option<String> {
    std::env::var("CONSISTENCY").ok()
}

/// Hosts on one store.
pub(crate) struct Service {
    pub(crate) name: String,
    hosts: Vec<Host>,
    redis: Option<Mutex<Redis>>,
    state: State,
    pub(crate) http: reqwest::Client,
    pub(crate) since: Instant,
    /// What clients know of each user, for the search.
    pub(crate) histories: Mutex<HashMap<String, Vec<Operation>>>,
    /// Everything that clients were told of each user, for the comparison with the history that the user has.
    pub(crate) told: Mutex<HashMap<String, Vec<Told>>>,
    pub(crate) violations: Mutex<Vec<String>>,
    pub(crate) tally: Tally,
    _alone: tokio::sync::MutexGuard<'static, ()>,
}

struct Host {
    app: Mutex<Option<App>>,
    url: Mutex<String>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Service {
    /// Starts hosts on an `SQLite` file.
    pub(crate) async fn on_sqlite(what: &str, hosts: usize) -> Arc<Self> {
        Self::start(what, hosts, None, State::new()).await
    }

    /// Starts hosts on a Redis server of their own that keeps every write.
    pub(crate) async fn on_redis(what: &str, hosts: usize) -> Arc<Self> {
        let redis = tokio::task::block_in_place(Redis::durable);
        Self::start(what, hosts, Some(redis), State::new()).await
    }

    /// Starts hosts on an `SQLite` file in this directory.
    pub(crate) async fn on_sqlite_at(what: &str, hosts: usize, state: &State) -> Arc<Self> {
        Self::start(what, hosts, None, state.clone()).await
    }

    async fn start(what: &str, hosts: usize, redis: Option<Redis>, state: State) -> Arc<Self> {
        let alone = ALONE.lock().await;
        let store = if redis.is_some() { "Redis" } else { "SQLite" };
        let plural = if hosts == 1 { "" } else { "s" };
        let mut service = Self {
            name: format!("{what}, {store}, {hosts} host{plural}"),
            hosts: Vec::new(),
            redis: redis.map(Mutex::new),
            state,
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(TIMEOUT)
                .build()
                .expect("a client"),
            since: Instant::now(),
            histories: Mutex::default(),
            told: Mutex::default(),
            violations: Mutex::default(),
            tally: Tally::default(),
            _alone: alone,
        };
        for host in 0..hosts {
            let app = service.start_app(host).await;
            service.hosts.push(Host {
                url: Mutex::new(app.url()),
                app: Mutex::new(Some(app)),
            });
        }
        Arc::new(service)
    }

    async fn start_app(&self, host: usize) -> App {
        let builder = App::builder().state(&self.state);
        // One host runs with Spin's defaults, the next as docs/OPERATIONS.md recommends.
        let builder = if host % 2 == 1 {
            builder.requests_per_instance(1)
        } else {
            builder
        };
        let builder = match &self.redis {
            Some(redis) => builder.runtime_config(lock(redis).runtime_config()),
            None => builder,
        };
        builder.start().await
    }

    /// Kills a host without warning, and starts it again.
    pub(crate) async fn kill(&self, host: usize) {
        let app = lock(&self.hosts[host].app).take().expect("a host that runs");
        tokio::task::block_in_place(|| app.kill());
        self.tally.kills.fetch_add(1, Relaxed);
        let app = self.start_app(host).await;
        *lock(&self.hosts[host].url) = app.url();
        *lock(&self.hosts[host].app) = Some(app);
    }

    /// Waits two minutes, or makes what waits for the clock two minutes older: claims, whose keys have the minute in
    /// them, the reservations of the directory, and erasures.
    pub(crate) async fn let_two_minutes_pass(&self) {
        if in_full() {
            tokio::time::sleep(Duration::from_secs(125)).await;
            return;
        }
        for (key, value) in self.values() {
            if let Some(claim) = key.strip_prefix("claim:") {
                let (name, minute) = claim.rsplit_once(':').expect("claim:<key>:<minute>");
                let older = minute.parse::<u64>().expect("a minute") - 2;
                self.rename(&key, &format!("claim:{name}:{older}"));
            } else if key.starts_with("directory:") {
                let mut leaf: Value = serde_json::from_slice(&value).expect("JSON");
                let reservations = leaf.get_mut("reservations").and_then(Value::as_array_mut);
                for reservation in reservations.into_iter().flatten() {
                    make_older(&mut reservation["time"]);
                }
                self.set(&key, leaf.to_string().as_bytes());
            } else if key.starts_with("user:") {
                let user: Value = serde_json::from_slice(&value).expect("JSON");
                if let Some(time) = user.pointer("/erasure/time") {
                    let mut older = time.clone();
                    make_older(&mut older);
                    // Members keep their order, which the functions rely on.
                    let text = String::from_utf8(value).expect("JSON");
                    let (from, to) = (format!(r#""time":{time},"#), format!(r#""time":{older},"#));
                    let at = text.find(r#""erasure":"#).expect("it has been found");
                    let (head, rest) = text.split_at(at);
                    self.set(&key, (head.to_owned() + &rest.replacen(&from, &to, 1)).as_bytes());
                }
            }
        }
    }

    /// Every key in the store with its value; no request may be in progress.
    pub(crate) fn values(&self) -> HashMap<String, Vec<u8>> {
        if let Some(redis) = &self.redis {
            let mut redis = connection(redis);
            let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut redis).expect("a list");
            let value = |key: &String| redis::cmd("GET").arg(key).query(&mut redis).expect("a value");
            let values: Vec<Vec<u8>> = keys.iter().map(value).collect();
            return keys.into_iter().zip(values).collect();
        }
        let database = self.state.database();
        let mut query = database
            .prepare("SELECT key, value FROM spin_key_value")
            .expect("the host's schema");
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.and_then(Iterator::collect).expect("a list")
    }

    /// Writes a value behind the functions' back, whether the key has one or not.
    pub(crate) fn set(&self, key: &str, value: &[u8]) {
        if let Some(redis) = &self.redis {
            let set = redis::cmd("SET").arg(key).arg(value).to_owned();
            let () = set.query(&mut connection(redis)).expect("the server writes");
        } else {
            let set = "INSERT OR REPLACE INTO spin_key_value (store, key, value) VALUES ('default', ?1, ?2)";
            let database = self.state.database();
            database
                .execute(set, (key, value))
                .expect("the database can be written");
        }
    }

    /// Sweeps the whole directory, as `deploy/sweep/sweep` does: publishes what was missed, and cleans up after erasures.
    pub(crate) async fn sweep(&self) {
        let mut path = "/events/publish".to_owned();
        loop {
            let url = self.url(self.any_host()) + &path;
            let reply = self.http.post(url).send().await.expect("an answer");
            assert_eq!(reply.status(), 200, "{path}");
            let body = reply.bytes().await.expect("a body");
            let swept: Value = serde_json::from_slice(&body).expect("JSON");
            let Some(next) = swept["next"].as_str() else {
                return;
            };
            next.clone_into(&mut path);
        }
    }

    fn rename(&self, from: &str, to: &str) {
        if let Some(redis) = &self.redis {
            let rename = redis::cmd("RENAME").arg(from).arg(to).to_owned();
            let () = rename.query(&mut connection(redis)).expect("it is there");
        } else {
            let rename = "UPDATE OR REPLACE spin_key_value SET key = ?2 WHERE key = ?1";
            let database = self.state.database();
            database
                .execute(rename, [from, to])
                .expect("the database can be written");
        }
    }

    /// Whether the store is on Redis.
    pub(crate) fn is_on_redis(&self) -> bool {
        self.redis.is_some()
    }

    /// The Redis server below.
    pub(crate) fn redis(&self) -> MutexGuard<'_, Redis> {
        lock(self.redis.as_ref().expect("a service on Redis"))
    }

    pub(crate) fn host_count(&self) -> usize {
        self.hosts.len()
    }

    /// Some host.
    pub(crate) fn any_host(&self) -> usize {
        fastrand::usize(..self.hosts.len())
    }

    /// Runs clients, each in a task of its own, until all have finished.
    pub(crate) async fn clients<F>(self: &Arc<Self>, count: usize, client: impl Fn(Arc<Self>, usize) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut clients = JoinSet::new();
        for number in 0..count {
            clients.spawn(client(Arc::clone(self), number));
        }
        clients.join_all().await;
    }

    /// The address of a host.
    pub(crate) fn url(&self, host: usize) -> String {
        lock(&self.hosts[host].url).clone()
    }

    /// Records a violation of the guarantees.
    pub(crate) fn violation(&self, what: String) {
        lock(&self.violations).push(what);
    }
}

fn make_older(time: &mut Value) {
    let milliseconds = time.as_u64().expect("milliseconds");
    *time = (milliseconds - 125_000).into();
}

fn connection(redis: &Mutex<Redis>) -> redis::Connection {
    let client = redis::Client::open(lock(redis).url()).expect("an address");
    client.get_connection().expect("the server answers")
}
