//! Moves a store from `SQLite` to Redis as in `docs/OPERATIONS.md`: reads continue, writes wait, nothing is lost.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use harness::{App, AppBuilder, Nginx, Redis, Reply, State, without};
use http::{Method, StatusCode};
use tokio::task::JoinSet;

use crate::script;

/// Requests come through a proxy, so they need one.
const TOKEN: &str = "write-token";
/// The functions that change nothing.
const READING: [&str; 4] = ["get-user", "get-history", "list-users", "console"];
const READERS: usize = 4;
const WRITERS: usize = 4;
const USERS: usize = 60;
/// How many reads are answered in each state of the service.
const READS: u64 = 200;
/// More than an envelope holds.
const AWARDS: usize = 200;

/// The clients of the proxy, and the account of the answers that they got.
struct Clients {
    proxy: String,
    over: AtomicBool,
    reads: AtomicU64,
    failed_reads: Mutex<Vec<String>>,
    writes: AtomicU64,
    /// Writes that were answered 503.
    put_off: AtomicU64,
}

/// A connection for each request: nginx closes those that wait for a next one when it takes a new configuration.
fn http() -> reqwest::Client {
    let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0);
    http.timeout(Duration::from_mins(1)).build().unwrap()
}

fn user(number: usize) -> String {
    format!("user{number}")
}

impl Clients {
    async fn read(self: Arc<Self>) {
        let http = http();
        while !self.over.load(Relaxed) {
            let user = user(fastrand::usize(..USERS));
            let url = format!("{}/user/{user}", self.proxy);
            let answer = async {
                let response = http.get(url).bearer_auth(TOKEN).send().await?;
                Ok::<_, reqwest::Error>((response.status(), response.text().await?))
            };
            let fault = match answer.await {
                Ok((StatusCode::OK, text)) if text.starts_with(&format!(r#"{{"username":"{user}""#)) => None,
                Ok((status, text)) => Some(format!("{status} {text}")),
                Err(error) => Some(format!("{error:?}")),
            };
            self.reads.fetch_add(1, Relaxed);
            if let Some(fault) = fault {
                let mut failed = self.failed_reads.lock().unwrap_or_else(PoisonError::into_inner);
                failed.push(format!("{user}: {fault}"));
            }
        }
    }

    /// Awards points, each award until it is answered. Returns how many there were.
    async fn write(self: Arc<Self>, writer: usize) -> u64 {
        let http = http();
        for number in 0.. {
            if self.over.load(Relaxed) {
                return number;
            }
            loop {
                let request = http
                    .post(format!("{}/user/points/{}", self.proxy, user(writer)))
                    .bearer_auth(TOKEN)
                    .header("content-type", "application/json")
                    .header("idempotency-key", format!("writer-{number}"))
                    .body(r#"{"points":1}"#);
                let response = request.send().await.expect("the proxy answers");
                if response.status() == StatusCode::OK {
                    break;
                }
                assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
                assert_eq!(response.headers()["retry-after"], "10");
                assert_eq!(response.headers()["content-type"], "application/problem+json");
                self.put_off.fetch_add(1, Relaxed);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            self.writes.fetch_add(1, Relaxed);
        }
        unreachable!("clients end when all is over")
    }

    async fn go_on(&self, counter: &AtomicU64) {
        let enough = counter.load(Relaxed) + READS;
        while counter.load(Relaxed) < enough {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// `deploy/nginx.conf` with these hosts behind it; without a host for writes, it answers writes 503.
fn proxy_config(address: &str, reads: &App, writes: Option<&App>) -> String {
    let file = harness::root().join("deploy/nginx.conf");
    let text = std::fs::read_to_string(file).unwrap();
    let mut config = text.clone();
    let mut replace = |from: &str, to: &str| {
        assert_eq!(config.matches(from).count(), 1, "{from}");
        config = config.replace(from, to);
    };
    replace("listen 8080;", &format!("listen {address};"));
    let mut function = "";
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("upstream ") {
            function = name.trim_end_matches(" {");
        }
        if line.starts_with("server 127.0.0.1:") {
            let host = if READING.contains(&function) {
                reads
            } else {
                writes.unwrap_or(reads)
            };
            replace(line, &format!("server {};", host.address()));
        }
        let route = line.starts_with("~^").then(|| line.rsplit_once(' ')).flatten();
        if let (Some((route, function)), None) = (route, writes)
            && !READING.contains(&function.trim_end_matches(';'))
        {
            replace(line, &format!("{route} paused;"));
        }
    }
    config
}

fn host() -> AppBuilder {
    App::builder().variable("write_tokens", TOKEN)
}

async fn post(app: &App, path: &str, key: &str, body: &str) -> Reply {
    let request = app
        .request(Method::POST, path)
        .bearer_auth(TOKEN)
        .header("content-type", "application/json")
        .header("idempotency-key", key)
        .body(body.to_owned());
    app.send(request).await
}

async fn get(app: &App, user: &str) -> Reply {
    let request = app.request(Method::GET, &format!("/user/{user}"));
    app.send(request.bearer_auth(TOKEN)).await
}

fn record(number: usize) -> String {
    // Of all that JSON has, and of every length.
    format!(
        r#"{{"username":"{}","points":{number},"näme\u0000\r\n$3":"{}\ud83d\ude00 \"\\","x":[1.0e5,null,{{}}]}}"#,
        user(number),
        "ж".repeat(number)
    )
}

/// The users and operations in a store.
fn in_sqlite(state: &State) -> BTreeMap<String, Vec<u8>> {
    let database = state.database();
    let mut query = database
        .prepare("SELECT key, value FROM spin_key_value WHERE store = 'default' AND key NOT GLOB 'claim:*'")
        .unwrap();
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn in_redis(redis: &Redis) -> BTreeMap<String, Vec<u8>> {
    let mut connection = redis::Client::open(redis.url())
        .unwrap()
        .get_connection()
        .unwrap();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
    let value = |key: String| {
        let value = redis::cmd("GET").arg(&key).query(&mut connection).unwrap();
        (key, value)
    };
    keys.into_iter().map(value).collect()
}

/// Creates users, and one who has had more awards than a record remembers, all under idempotency keys.
async fn fill(old: &App) {
    for number in 0..USERS {
        let created = post(old, "/user", &format!("create-{number}"), &record(number)).await;
        assert_eq!(created.status, 201, "{created}");
    }
    for number in 0..AWARDS {
        let awarded = post(old, &veteran(), &format!("award-{number}"), r#"{"points":1}"#).await;
        assert_eq!(awarded.status, 200, "{awarded}");
    }
    let promoted = old
        .request(Method::PUT, "/user/promote/user51")
        .bearer_auth(TOKEN);
    assert_eq!(old.send(promoted).await.status, 200);
}

/// What was done under an idempotency key before is not done again.
async fn keys_are_still_used(new: &App) {
    for number in 0..USERS {
        let key = format!("create-{number}");
        post(new, "/user", &key, &record(number))
            .await
            .exactly(201, &record(number));
        let other = post(new, "/user", &key, r#"{"username":"other"}"#).await;
        other.problem(422, "idempotency-key-reused");
    }
    let points = get(new, &user(USERS - 1)).await;
    for number in 0..AWARDS {
        let key = format!("award-{number}");
        let again = post(new, &veteran(), &key, r#"{"points":1}"#).await;
        again.exactly(200, points.text());
        let other = post(new, &veteran(), &key, r#"{"points":2}"#).await;
        other.problem(422, "idempotency-key-reused");
    }
}

/// Where the user with many awards gets them.
fn veteran() -> String {
    format!("/user/points/{}", user(USERS - 1))
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_go_on_while_a_store_moves_to_redis() {
    if without("sqlite3") || without("redis-server") || without("nginx") {
        return;
    }
    let state = State::new();
    let old = host().state(&state).start().await;
    fill(&old).await;

    let proxy = Nginx::start(|address| proxy_config(address, &old, Some(&old))).await;
    let clients = Arc::new(Clients {
        proxy: format!("http://{}", proxy.address()),
        over: AtomicBool::new(false),
        reads: AtomicU64::new(0),
        failed_reads: Mutex::default(),
        writes: AtomicU64::new(0),
        put_off: AtomicU64::new(0),
    });
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        readers.spawn(Arc::clone(&clients).read());
    }
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let clients = Arc::clone(&clients);
        writers.spawn(async move { (writer, clients.write(writer).await) });
    }
    clients.go_on(&clients.writes).await;

    // Reads go to a host that gets no writes, writers are asked to come back, and nothing else uses the old store.
    let reads = host().state(&state).start().await;
    proxy.reload(|address| proxy_config(address, &reads, None)).await;
    tokio::task::block_in_place(|| old.stop());
    clients.go_on(&clients.reads).await;

    let redis = tokio::task::block_in_place(Redis::durable);
    let before = in_sqlite(&state);
    let printed = script::run("sqlite-to-redis", [state.path().to_str().unwrap(), &redis.url()]).await;
    let expected = format!("{}: {USERS} users, {} values\n", redis.url(), before.len());
    assert!(
        printed.succeeded().ends_with(&expected),
        "{}",
        printed.succeeded()
    );
    assert!(in_redis(&redis) == before, "Redis holds something else");

    let new = host().runtime_config(redis.runtime_config()).start().await;
    // A record has no `Last-Modified` until the second of its last change is over.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for number in 0..USERS {
        let (was, is) = (get(&reads, &user(number)).await, get(&new, &user(number)).await);
        assert_eq!((was.status.as_u16(), &was.body), (is.status.as_u16(), &is.body));
        assert_eq!(was.status, 200, "{was}");
        for name in ["etag", "last-modified"] {
            assert_eq!(was.header(name), is.header(name));
        }
    }

    // Everything goes to Redis.
    let put_off = clients.put_off.load(Relaxed);
    proxy
        .reload(|address| proxy_config(address, &new, Some(&new)))
        .await;
    tokio::task::block_in_place(|| reads.stop());
    clients.go_on(&clients.writes).await;
    clients.go_on(&clients.reads).await;
    clients.over.store(true, Relaxed);
    readers.join_all().await;
    let mut awards = 0;
    for (writer, answered) in writers.join_all().await {
        let points = get(&new, &user(writer)).await.json()["points"].as_u64().unwrap();
        assert_eq!(points, u64::try_from(writer).unwrap() + answered);
        awards += answered;
    }
    assert!(in_sqlite(&state) == before, "the old store has changed");

    keys_are_still_used(&new).await;

    let failed = clients
        .failed_reads
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let line = format!(
        "moving to Redis: {USERS} users and all {} values byte for byte the same, {} reads meanwhile, {} failed; {awards} \
         awards by {WRITERS} writers, put off {put_off} times, all counted once; {} idempotency keys from before still \
         used\n",
        before.len(),
        clients.reads.load(Relaxed),
        failed.len(),
        USERS + AWARDS,
    );
    // Not with `eprintln`, which the test harness captures.
    let _ = std::io::stderr().write_all(line.as_bytes());
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(put_off > 0, "nobody was put off");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_database_in_use_is_left_alone() {
    if without("sqlite3") || without("redis-server") {
        return;
    }
    let app = App::start().await;
    let jane = r#"{"username":"jane"}"#;
    app.create(jane).await.exactly(201, jane);
    let redis = tokio::task::block_in_place(Redis::in_memory);
    let state = app.state().path().to_str().unwrap().to_owned();
    let mut connection = redis::Client::open(redis.url())
        .unwrap()
        .get_connection()
        .unwrap();
    let _: () = redis::cmd("SET")
        .arg("user:jane")
        .arg("mine")
        .query(&mut connection)
        .unwrap();

    let refused = script::run("sqlite-to-redis", [&state, &redis.url()]).await;
    refused.refused("the Redis database must be empty");
    assert_eq!(
        in_redis(&redis),
        BTreeMap::from([("user:jane".to_owned(), b"mine".to_vec())])
    );
    // Another database on the same server is another store.
    let other = format!("{}/1", redis.url());
    script::run("sqlite-to-redis", [&state, &other]).await.succeeded();

    let missing = script::run("sqlite-to-redis", ["/nowhere", &redis.url()]).await;
    missing.refused("there is no /nowhere/sqlite_key_value.db");
    drop(redis);
    let refused = script::run("sqlite-to-redis", [&state, &other]).await;
    refused.refused("Redis does not answer");
}
