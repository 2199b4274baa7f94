//! One function replaced by its next release while all are in use.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use harness::{App, Manifest, Nginx, next_build, without};
use http::Method;
use rustix::process::Signal;
use serde_json::Value;
use std::sync::{Mutex, PoisonError};
use tokio::task::JoinSet;

use crate::service::{Service, Store, TOKEN};

const CLIENTS: usize = 8;
/// How many users they create before, between and after the events.
const USERS: usize = 300;
/// How often to send a request that finds its connection closed.
const TRIES: usize = 5;
const PATIENCE: Duration = Duration::from_mins(2);

/// The clients, and the account of the answers that they got.
struct Clients {
    proxy: String,
    enough: AtomicBool,
    users: AtomicUsize,
    sent: AtomicUsize,
    sent_again: AtomicUsize,
    failed: Mutex<Vec<String>>,
}

/// How one client sends its requests.
struct Connections {
    http: reqwest::Client,
    /// Whether connections are used for more than one request.
    ///
    /// nginx closes those that wait for a next request when it takes a new configuration, and that request may just
    /// be on its way. Clients of this kind send it again, which an idempotency key makes safe; the others need not.
    kept: bool,
}

impl Clients {
    fn of(proxy: &Nginx) -> Arc<Self> {
        Arc::new(Self {
            proxy: format!("http://{}", proxy.address()),
            enough: AtomicBool::new(false),
            users: AtomicUsize::new(0),
            sent: AtomicUsize::new(0),
            sent_again: AtomicUsize::new(0),
            failed: Mutex::default(),
        })
    }

    /// Creates users and takes each through all routes.
    async fn use_it(&self, kept: bool) {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
        let http = http.pool_max_idle_per_host(usize::from(kept)).build().unwrap();
        let connections = Connections { http, kept };
        while !self.enough.load(Relaxed) {
            let user = format!("user-{}", self.users.fetch_add(1, Relaxed));
            let at = |points: u8| format!(r#"{{"username":"{user}","points":{points}}}"#);
            let gold = format!(r#"{{"username":"{user}","points":110,"status":"Gold"}}"#);
            let points = r#"{"points":50}"#.to_owned();
            for (method, path, body, status, expected) in [
                (Method::POST, "/user".to_owned(), at(60), 201, &at(60)),
                (Method::GET, format!("/user/{user}"), String::new(), 200, &at(60)),
                (
                    Method::POST,
                    format!("/user/points/{user}"),
                    points,
                    200,
                    &at(110),
                ),
                (
                    Method::PUT,
                    format!("/user/promote/{user}"),
                    String::new(),
                    200,
                    &gold,
                ),
                (Method::GET, format!("/user/{user}"), String::new(), 200, &gold),
            ] {
                let mut request = connections
                    .http
                    .request(method.clone(), format!("{}{path}", self.proxy))
                    .bearer_auth(TOKEN)
                    .header("content-type", "application/json")
                    .body(body);
                if connections.kept {
                    request = request.header("idempotency-key", format!("{user}:{path}"));
                }
                if let Err(fault) = self.send(&connections, request, status, expected).await {
                    let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                    failed.push(format!("{method} {path}: {fault}"));
                }
            }
        }
    }

    /// Sends a request until it is answered, and reports what is wrong with the answer.
    async fn send(
        &self,
        connections: &Connections,
        request: reqwest::RequestBuilder,
        status: u16,
        expected: &str,
    ) -> Result<(), String> {
        self.sent.fetch_add(1, Relaxed);
        let mut fault = String::new();
        for _ in 0..if connections.kept { TRIES } else { 1 } {
            if !fault.is_empty() {
                self.sent_again.fetch_add(1, Relaxed);
            }
            let answer = async {
                let response = request.try_clone().expect("a body in memory").send().await?;
                Ok::<_, reqwest::Error>((response.status(), response.text().await?))
            };
            match answer.await {
                Ok((answered, text)) if answered == status && text == expected => return Ok(()),
                Ok((answered, text)) => return Err(format!("{answered} {text}")),
                Err(error) => fault = format!("{error:?}"),
            }
        }
        Err(fault)
    }

    /// Waits until this many more users were created.
    async fn go_on_for(&self, users: usize) {
        let end = Instant::now() + PATIENCE;
        let goal = self.users.load(Relaxed) + users;
        while self.users.load(Relaxed) < goal {
            assert!(Instant::now() < end, "the clients get no further");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Stops a host and counts the creations in its log, all of which must come from one build.
fn creations(host: App, build: &str) -> usize {
    host.signal(Signal::TERM);
    let ended = host.ended();
    assert!(ended.status.success(), "{}", ended.stderr);
    ended
        .stderr
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .filter(|line: &Value| line["event"] == "change" && line["outcome"] == 201)
        .inspect(|line| assert_eq!(line["build"], build))
        .count()
}

/// Replaces `create-user` by its next release and loses a replica of `get-user`, with clients all the while.
async fn replace(store: Store) {
    let mut service = Service::on(&store).await;
    let proxy = Nginx::start(|address| service.proxy_config(address)).await;
    let clients = Clients::of(&proxy);
    let mut tasks = JoinSet::new();
    for number in 0..CLIENTS {
        let clients = Arc::clone(&clients);
        tasks.spawn(async move { clients.use_it(number % 2 == 0).await });
    }
    clients.go_on_for(USERS).await;

    // As in docs/UPGRADING.md: start the new host, switch nginx over, wait for its old workers, stop the old host.
    let next = Manifest::apart("create-user").source("create-user", &next_build());
    let next = store.host(&next).start().await;
    let old = service.replace("create-user", next);
    proxy.reload(|address| service.proxy_config(address)).await;
    let by_old = tokio::task::block_in_place(|| creations(old, env!("CARGO_PKG_VERSION")));
    clients.go_on_for(USERS).await;

    let hosts = service.hosts("get-user");
    let reads: Vec<_> = hosts
        .iter()
        .map(|host| proxy.answered_by(host.address()))
        .collect();
    let lost = service.remove("get-user");
    tokio::task::block_in_place(|| lost.kill());
    clients.go_on_for(USERS).await;

    clients.enough.store(true, Relaxed);
    tasks.join_all().await;
    let by_next = tokio::task::block_in_place(|| creations(service.remove("create-user"), "next"));
    let sent = clients.sent.load(Relaxed);
    let failed = clients.failed.lock().unwrap_or_else(PoisonError::into_inner);
    let [one, other] = reads[..] else {
        panic!("get-user has two hosts");
    };
    let _ = writeln!(
        std::io::stderr(),
        "create-user replaced, {}: {sent} requests sent, {} failed, {} sent again on another connection; {by_old} users \
         created by the old build, {by_next} by the new one; {one} and {other} reads by the replicas of get-user before \
         one was killed",
        store.name(),
        failed.len(),
        clients.sent_again.load(Relaxed),
    );
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(by_old + by_next, clients.users.load(Relaxed));
    assert!(by_old >= USERS && by_next >= 2 * USERS && one > USERS && other > USERS);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_redis_no_request_is_lost() {
    if without("nginx") || without("redis-server") {
        return;
    }
    replace(Store::redis()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_no_request_is_lost() {
    if without("nginx") {
        return;
    }
    replace(Store::sqlite()).await;
}
