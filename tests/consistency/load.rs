//! A service under load: hosts on one store, clients that record what they asked for and what they were told, and the
//! account of it.

use std::collections::HashMap;
use std::future::Future;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use harness::{App, Redis, State};
use http::Method;
use http::header::{CONTENT_TYPE, ETAG, RETRY_AFTER};
use serde_json::Value;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::task::JoinSet;

use crate::linearizability::{self, Action, Answer, Operation, Seen};

/// Longer than any answer may take, so that one that does is seen: as the slowest.
const TIMEOUT: Duration = Duration::from_secs(90);

/// Tests of one load, an `async fn` of a [`Service`], on every store by one host and by two.
macro_rules! on_every_store {
    ($what:literal, $load:path) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn on_sqlite() {
            $load($crate::load::Service::on_sqlite($what, 1).await).await;
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn on_sqlite_by_two_hosts() {
            $load($crate::load::Service::on_sqlite($what, 2).await).await;
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn on_redis() {
            if !harness::without("redis-server") {
                $load($crate::load::Service::on_redis($what, 1).await).await;
            }
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn on_redis_by_two_hosts() {
            if !harness::without("redis-server") {
                $load($crate::load::Service::on_redis($what, 2).await).await;
            }
        }
    };
}
pub(crate) use on_every_store;

/// The tests measure, and some kill, so they run one after the other.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Whether to run the numbers that the documents quote.
pub(crate) fn in_full() -> bool {
    std::env::var("CONSISTENCY").is_ok_and(|value| value == "full")
}

/// One number for CI and one for `CONSISTENCY=full`.
pub(crate) fn scaled(in_ci: u64, full: u64) -> u64 {
    if in_full() { full } else { in_ci }
}

/// Hosts on one store.
pub(crate) struct Service {
    name: String,
    hosts: Vec<Host>,
    redis: Option<Mutex<Redis>>,
    state: State,
    http: reqwest::Client,
    since: Instant,
    histories: Mutex<HashMap<String, Vec<Operation>>>,
    violations: Mutex<Vec<String>>,
    pub(crate) tally: Tally,
    _alone: tokio::sync::MutexGuard<'static, ()>,
}

struct Host {
    app: Mutex<Option<App>>,
    url: Mutex<String>,
}

/// What was counted.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Requests that got an answer other than 503.
    pub(crate) answers: AtomicU64,
    /// 409.
    pub(crate) conflicts: AtomicU64,
    /// 503.
    pub(crate) unavailable: AtomicU64,
    /// Requests sent again.
    pub(crate) retries: AtomicU64,
    /// Requests without an answer.
    pub(crate) unanswered: AtomicU64,
    pub(crate) kills: AtomicU64,
    slowest: AtomicU64,
}

/// One request.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) user: &'a str,
    pub(crate) action: Action,
    pub(crate) key: Option<&'a str>,
}

impl<'a> Request<'a> {
    /// A request without an idempotency key.
    pub(crate) fn new(user: &'a str, action: Action) -> Self {
        Self {
            user,
            action,
            key: None,
        }
    }

    /// The request under an idempotency key.
    pub(crate) fn under(self, key: &'a str) -> Self {
        Self {
            key: Some(key),
            ..self
        }
    }
}

/// What came of a request.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) result: Outcome,
    pub(crate) called: Duration,
    pub(crate) answered: Duration,
    /// The number of changes in the `ETag`.
    sequence: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// 200 or 201.
    Done(Seen),
    /// 409.
    Refused,
    /// 404.
    NoSuchUser,
    /// 503 `try-again`: nothing was done.
    TryAgain,
    /// 503 `store-unavailable`: nobody knows.
    Unavailable,
    /// No answer came.
    Lost,
    /// The host was not there.
    NotSent,
    /// Anything else, which is wrong.
    Unexpected(String),
}

impl Outcome {
    /// Whether the request has an answer that will not change.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Refused | Self::NoSuchUser)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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
        // One host is as Spin is by itself, the next as docs/OPERATIONS.md wants it.
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

    /// Kills a host in the middle of what it does, and starts it again.
    pub(crate) async fn kill(&self, host: usize) {
        let app = lock(&self.hosts[host].app).take().expect("a host that runs");
        tokio::task::block_in_place(|| app.kill());
        self.tally.kills.fetch_add(1, Relaxed);
        let app = self.start_app(host).await;
        *lock(&self.hosts[host].url) = app.url();
        *lock(&self.hosts[host].app) = Some(app);
    }

    /// Makes every claim on a username two minutes older, as if the clocks had gone on. The minute is part of its key.
    pub(crate) fn let_two_minutes_pass(&self) {
        let older = |key: &str| {
            let (name, minute) = key.rsplit_once('/').expect("claim/<username>/<minute>");
            format!("{name}/{}", minute.parse::<u64>().expect("a minute") - 2)
        };
        if let Some(redis) = &self.redis {
            let client = redis::Client::open(lock(redis).url()).expect("an address");
            let mut redis = client.get_connection().expect("the server answers");
            let claims: Vec<String> = redis::cmd("KEYS")
                .arg("claim/*")
                .query(&mut redis)
                .expect("a list");
            for claim in claims {
                let _: () = redis::cmd("RENAME")
                    .arg(&claim)
                    .arg(older(&claim))
                    .query(&mut redis)
                    .expect("it is there");
            }
            return;
        }
        let database = self.state.database();
        let mut query = database
            .prepare("SELECT key FROM spin_key_value WHERE key LIKE 'claim/%'")
            .expect("the host's schema");
        let claims: Vec<String> = query
            .query_map([], |row| row.get(0))
            .and_then(Iterator::collect)
            .expect("a list");
        for claim in claims {
            database
                .execute(
                    "UPDATE OR REPLACE spin_key_value SET key = ?2 WHERE key = ?1",
                    [&claim, &older(&claim)],
                )
                .expect("the database can be written");
        }
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

    /// Runs clients, each on a task of its own, until all are through.
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

    /// Sends a request once and takes the answer apart.
    pub(crate) async fn send(&self, host: usize, request: Request<'_>) -> Reply {
        let Request { user, action, key } = request;
        let url = lock(&self.hosts[host].url).clone();
        let (method, path, body) = match action {
            Action::Create(points) => (
                Method::POST,
                "/user".to_owned(),
                Some(format!(r#"{{"username":"{user}","points":{points}}}"#)),
            ),
            Action::Award(points) => (
                Method::POST,
                format!("/user/points/{user}"),
                Some(format!(r#"{{"points":{points}}}"#)),
            ),
            Action::Promote => (Method::PUT, format!("/user/promote/{user}"), None),
            Action::Read => (Method::GET, format!("/user/{user}"), None),
        };
        let mut sent = self.http.request(method, url + &path);
        if let Some(body) = body {
            sent = sent.header(CONTENT_TYPE, "application/json").body(body);
        }
        if let Some(key) = key {
            sent = sent.header("idempotency-key", key);
        }
        let called = self.since.elapsed();
        let mut sequence = u64::MAX;
        let result = match sent.send().await {
            Ok(response) => {
                sequence = sequence_of(&response).unwrap_or(sequence);
                read(response).await
            }
            Err(error) if error.is_connect() => Outcome::NotSent,
            Err(_) => Outcome::Lost,
        };
        let answered = self.since.elapsed();
        self.count(&request, &result, answered.saturating_sub(called));
        Reply {
            result,
            called,
            answered,
            sequence,
        }
    }

    fn count(&self, request: &Request<'_>, result: &Outcome, took: Duration) {
        let counter = match result {
            Outcome::Done(_) | Outcome::NoSuchUser => &self.tally.answers,
            Outcome::Refused => {
                self.tally.conflicts.fetch_add(1, Relaxed);
                &self.tally.answers
            }
            Outcome::TryAgain | Outcome::Unavailable => &self.tally.unavailable,
            Outcome::Lost => &self.tally.unanswered,
            Outcome::NotSent => return,
            Outcome::Unexpected(what) => {
                self.violation(format!("{:?} of {}: {what}", request.action, request.user));
                return;
            }
        };
        counter.fetch_add(1, Relaxed);
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.tally.slowest.fetch_max(took, Relaxed);
    }

    /// Sends a request once and records what came of it.
    pub(crate) async fn once(&self, host: usize, request: Request<'_>) -> Outcome {
        let reply = self.send(host, request).await;
        self.record(&request, &reply);
        reply.result
    }

    /// Sends a request, again if another host or a later time can do it, and records what came of it.
    ///
    /// Without an idempotency key it is not sent again once it may have been done.
    pub(crate) async fn perform(&self, host: usize, request: Request<'_>) -> Outcome {
        let mut host = host;
        loop {
            match self.once(host, request).await {
                Outcome::NotSent => host = self.elsewhere(host).await,
                Outcome::TryAgain if !matches!(request.action, Action::Create(_)) => {
                    self.tally.retries.fetch_add(1, Relaxed);
                }
                other => return other,
            }
        }
    }

    /// Sends a request under an idempotency key until it has its final answer, or `until` is over, and records it.
    pub(crate) async fn insist(
        &self,
        host: usize,
        request: Request<'_>,
        until: impl Fn() -> bool,
    ) -> Outcome {
        let mut host = host;
        let mut first = None;
        let reply = loop {
            let reply = self.send(host, request).await;
            let called = *first.get_or_insert(reply.called);
            if reply.result.is_final() || until() {
                self.record_series(&request, called, std::slice::from_ref(&reply));
                break reply;
            }
            self.tally.retries.fetch_add(1, Relaxed);
            host = self.elsewhere(host).await;
        };
        reply.result
    }

    /// The next host, after a moment.
    async fn elsewhere(&self, host: usize) -> usize {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(5..30))).await;
        (host + 1) % self.hosts.len()
    }

    /// Adds a request that was sent once to the history of its user.
    ///
    /// On Redis the answer to a change shows the user as read after the write, which may be after later changes.
    pub(crate) fn record(&self, request: &Request<'_>, reply: &Reply) {
        let is_change = matches!(request.action, Action::Award(_) | Action::Promote);
        if is_change && self.redis.is_some() && matches!(reply.result, Outcome::Done(_)) {
            self.record_series(request, reply.called, std::slice::from_ref(reply));
            return;
        }
        let answer = match reply.result {
            Outcome::Done(seen) => Answer::Done(seen),
            Outcome::Refused => Answer::Refused,
            Outcome::NoSuchUser => Answer::NoSuchUser,
            Outcome::Unavailable | Outcome::Lost if request.action != Action::Read => Answer::None,
            _ => return,
        };
        self.push(request.user, operation(request.action, answer, reply));
    }

    /// Adds requests under one idempotency key, the first of which was called at `called`, to the history: they did it
    /// once, and each answer shows the user at some time after that.
    pub(crate) fn record_series(&self, request: &Request<'_>, called: Duration, replies: &[Reply]) {
        let Request { user, action, .. } = *request;
        let done = |reply: &&Reply| matches!(reply.result, Outcome::Done(_));
        if let Some(first) = replies.iter().filter(done).min_by_key(|reply| reply.answered) {
            let hint = replies
                .iter()
                .map(|reply| reply.sequence)
                .min()
                .unwrap_or_default();
            let once = Operation {
                called,
                hint,
                ..operation(action, Answer::DoneOnce, first)
            };
            let once = self.push(user, once);
            for reply in replies {
                // A creation answers with what it was sent.
                if let (Outcome::Done(seen), false) = (&reply.result, matches!(action, Action::Create(_))) {
                    let read = operation(Action::Read, Answer::Done(*seen), reply);
                    self.push(
                        user,
                        Operation {
                            after: Some(once),
                            ..read
                        },
                    );
                }
            }
        }
        for reply in replies.iter().filter(|reply| reply.result == Outcome::Refused) {
            self.push(user, operation(action, Answer::Refused, reply));
        }
        if let [reply] = replies
            && !reply.result.is_final()
        {
            self.push(
                user,
                Operation {
                    called,
                    ..operation(action, Answer::None, reply)
                },
            );
        }
    }

    fn push(&self, user: &str, operation: Operation) -> usize {
        let mut histories = lock(&self.histories);
        let history = histories.entry(user.to_owned()).or_default();
        history.push(operation);
        history.len() - 1
    }

    /// Creates users with these points, as a test needs them.
    pub(crate) async fn create_users(&self, users: &[String], points: i64) {
        for user in users {
            let action = Action::Create(points);
            let result = self.perform(0, Request::new(user, action)).await;
            assert!(matches!(result, Outcome::Done(_)), "{user}: {result:?}");
        }
    }

    /// Reads a user once all is quiet.
    pub(crate) async fn read(&self, user: &str) -> Option<Seen> {
        let action = Action::Read;
        match self.perform(self.any_host(), Request::new(user, action)).await {
            Outcome::Done(seen) => Some(seen),
            Outcome::NoSuchUser => None,
            other => {
                self.violation(format!("{user} cannot be read: {other:?}"));
                None
            }
        }
    }

    /// What the answers to `user` say about the points, where every change was answered.
    pub(crate) fn sum_of_answers(&self, user: &str) -> i64 {
        let histories = lock(&self.histories);
        let operations = histories.get(user).map(Vec::as_slice).unwrap_or_default();
        operations
            .iter()
            .map(|operation| match (operation.action, operation.answer) {
                (Action::Create(points) | Action::Award(points), Answer::Done(_) | Answer::DoneOnce) => {
                    points
                }
                _ => 0,
            })
            .sum()
    }

    /// Checks that `user`, all of whose changes were answered, has the points that the answers sum up to. Returns them.
    pub(crate) async fn check_sum(&self, user: &str) -> i64 {
        let expected = self.sum_of_answers(user);
        let found = self.read(user).await.map(|seen| seen.points);
        if found != Some(expected) {
            self.violation(format!(
                "{user} has {found:?} points, and the answers sum up to {expected}"
            ));
        }
        expected
    }

    /// The points of the creations of `user` that were told 201.
    pub(crate) fn winners(&self, user: &str) -> Vec<i64> {
        let histories = lock(&self.histories);
        let operations = histories.get(user).map(Vec::as_slice).unwrap_or_default();
        operations
            .iter()
            .filter_map(|operation| match (operation.action, operation.answer) {
                (Action::Create(points), Answer::Done(_) | Answer::DoneOnce) => Some(points),
                _ => None,
            })
            .collect()
    }

    /// The users that have a history.
    pub(crate) fn users(&self) -> Vec<String> {
        lock(&self.histories).keys().cloned().collect()
    }

    /// Notes that something is not as promised.
    pub(crate) fn violation(&self, what: String) {
        lock(&self.violations).push(what);
    }

    /// The longest time that an answer took.
    pub(crate) fn slowest(&self) -> Duration {
        Duration::from_millis(self.tally.slowest.load(Relaxed))
    }

    /// Checks every history, prints the account, and fails if anything was not as promised.
    pub(crate) fn finish(&self, more: &str) {
        let load = self.since.elapsed();
        let mut checked = 0;
        let mut undecided = 0;
        for (user, history) in lock(&self.histories).iter() {
            checked += history.len();
            if let Err(why) = linearizability::check(history) {
                // Answers on Redis tell less, too little to search for the order of 64 writers of the same change.
                if why.starts_with("undecided") && self.redis.is_some() && undecided == 0 {
                    undecided += 1;
                } else {
                    self.violation(format!("{user}: {why}"));
                }
            }
        }
        let violations = lock(&self.violations);
        let Tally {
            answers,
            conflicts,
            unavailable,
            retries,
            unanswered,
            kills,
            slowest,
        } = &self.tally;
        let more = if more.is_empty() {
            String::new()
        } else {
            format!(", {more}")
        };
        let line = format!(
            "{}: {answers:?} answers, {conflicts:?} conflicts, {unavailable:?} times 503, {retries:?} retries, \
             {unanswered:?} unanswered, {kills:?} kills, slowest answer {slowest:?} ms, {checked} operations \
             checked, {undecided} histories undecided{more}, {} violations, {:.1} s of load\n",
            self.name,
            violations.len(),
            load.as_secs_f64(),
        );
        // Not by `eprint`, which the test harness keeps to itself.
        let _ = std::io::stderr().write_all(line.as_bytes());
        assert!(violations.is_empty(), "{line}{}", violations.join("\n"));
    }
}

/// The part of an operation that its answer tells.
fn operation(action: Action, answer: Answer, reply: &Reply) -> Operation {
    Operation {
        action,
        answer,
        called: reply.called,
        answered: reply.answered,
        after: None,
        hint: reply.sequence,
    }
}

/// The number of changes that an `ETag` begins with.
fn sequence_of(response: &reqwest::Response) -> Option<u64> {
    let tag = response.headers().get(ETAG)?.to_str().ok()?;
    tag.trim_matches('"').split_once('-')?.0.parse().ok()
}

/// Takes an answer apart; a 503 has to be a problem, with a word on when to come back.
async fn read(response: reqwest::Response) -> Outcome {
    let status = response.status().as_u16();
    let is_problem = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind == "application/problem+json");
    let has_retry_after = response.headers().contains_key(RETRY_AFTER);
    let Ok(body) = response.bytes().await else {
        return Outcome::Lost;
    };
    let unexpected = || Outcome::Unexpected(format!("{status} {}", String::from_utf8_lossy(&body)));
    if status == 504 {
        // The host gave up waiting for the function.
        return Outcome::Lost;
    }
    let Ok(json) = serde_json::from_slice::<Value>(&body) else {
        return unexpected();
    };
    match (status, json["type"].as_str()) {
        (200 | 201, _) => seen(&json).map_or_else(unexpected, Outcome::Done),
        (409, Some("urn:problem:username-taken" | "urn:problem:insufficient-points")) if is_problem => {
            Outcome::Refused
        }
        (404, Some("urn:problem:user-not-found")) if is_problem => Outcome::NoSuchUser,
        (503, Some("urn:problem:try-again")) if is_problem && has_retry_after => Outcome::TryAgain,
        (503, Some("urn:problem:store-unavailable")) if is_problem && has_retry_after => Outcome::Unavailable,
        _ => unexpected(),
    }
}

fn seen(record: &Value) -> Option<Seen> {
    let status = match record.get("status") {
        Some(status) => Some(
            *["Bronze", "Silver", "Gold"]
                .iter()
                .find(|name| status == **name)?,
        ),
        None => None,
    };
    Some(Seen {
        points: record.get("points").map_or(Some(0), Value::as_i64)?,
        status,
    })
}
