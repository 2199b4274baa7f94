//! The costs of each request in reads and commits, as documented in `docs/CONSISTENCY.md`, counted in the embedded host.

use std::time::{Duration, Instant};

use harness::{App, AppBuilder, Receiver, Redis, on_spin, without};
use http::Method;
use sha2::{Digest, Sha256};

use crate::service::scaled;

/// Counts the calls of the store that the host has logged since the last time.
struct Meter {
    app: App,
    counted: usize,
}

/// A request: its name, its reads and its commits.
type Cost = (&'static str, usize, usize);

impl Meter {
    async fn start(builder: AppBuilder) -> Self {
        let app = builder.environment("RUST_LOG", "host::store=debug").start().await;
        Self { app, counted: 0 }
    }

    /// Sends a request and returns how often it read and how often it committed.
    async fn cost(
        &mut self,
        method: Method,
        path: &str,
        body: impl Into<String>,
        key: Option<&str>,
    ) -> (usize, usize) {
        let mut request = self.app.request(method, path);
        let body = body.into();
        if !body.is_empty() {
            request = request.header("content-type", "application/json").body(body);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let reply = self.app.send(request).await;
        assert!(reply.status.is_success(), "{path}: {reply}");
        self.count(path).await
    }

    /// Counts the reads and commits since the last time, of requests to `path`.
    ///
    /// The log comes through a pipe: all of it has come once it ends with the one read of another function.
    async fn count(&mut self, path: &str) -> (usize, usize) {
        let (function, marker) = if path.starts_with("/user/history") {
            ("component=get-user", "/user/nobody")
        } else {
            ("component=get-history", "/user/history/nobody")
        };
        self.app.get(marker).await.problem(404, "user-not-found");
        let end = Instant::now() + Duration::from_mins(1);
        loop {
            let log = self.app.log();
            let calls: Vec<_> = log
                .lines()
                .filter(|line| line.contains("host::store:"))
                // On `SQLite` beginning a compare-and-swap costs nothing; only `current` reads.
                .filter(|line| !line.contains(r#"operation="cas""#))
                .collect();
            if let [news @ .., last] = &calls[self.counted..]
                && last.contains(function)
            {
                self.counted = calls.len();
                let commits = news.iter().filter(|line| line.contains("commit=true")).count();
                return (news.len() - commits, commits);
            }
            assert!(Instant::now() < end, "the log is not complete");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn create(&mut self, name: &str, key: Option<&str>) -> (usize, usize) {
        let body = format!(r#"{{"username":"{name}"}}"#);
        self.cost(Method::POST, "/user", body, key).await
    }

    async fn award(&mut self, body: &str, key: Option<&str>) -> (usize, usize) {
        self.cost(Method::POST, "/user/points/jane", body, key).await
    }

    async fn get(&mut self, path: &str) -> (usize, usize) {
        self.cost(Method::GET, path, "", None).await
    }

    /// The costs of each kind of request in a small store.
    async fn table(&mut self) -> Vec<Cost> {
        const THIRTY: &str = r#"{"points":30}"#;
        const PROMOTE: &str = "/user/promote/jane";
        const UPDATE: &str = "/user/update/jane";
        const TEAM: &str = r#"{"team":"red"}"#;
        const ERASE: &str = "/user/erase/jane";
        let siblings = siblings("jane");
        let mut table = Vec::new();
        let mut enter = |what, (reads, commits)| table.push((what, reads, commits));
        enter("create the first of a leaf", self.create("jane", None).await);
        enter("create", self.create(&siblings[0], None).await);
        enter("create with a key", self.create(&siblings[1], Some("k")).await);
        enter(
            "create again with the key",
            self.create(&siblings[1], Some("k")).await,
        );
        let stranger = stranger("jane");
        enter(
            "create with a key the first of a leaf",
            self.create(&stranger, Some("m")).await,
        );
        enter("get", self.get("/user/jane").await);
        enter("award", self.award(THIRTY, None).await);
        enter("award with a key", self.award(THIRTY, Some("l")).await);
        enter("award again with the key", self.award(THIRTY, Some("l")).await);
        enter("reverse", self.award(r#"{"reverses":2}"#, None).await);
        enter("promote", self.cost(Method::PUT, PROMOTE, "", None).await);
        enter(
            "promote without a change",
            self.cost(Method::PUT, PROMOTE, "", None).await,
        );
        enter("update", self.cost(Method::PATCH, UPDATE, TEAM, None).await);
        enter(
            "update without a change",
            self.cost(Method::PATCH, UPDATE, TEAM, None).await,
        );
        enter("history", self.get("/user/history/jane").await);
        enter("list four users", self.get("/users").await);
        enter("erase", self.cost(Method::DELETE, ERASE, "", None).await);
        enter("create anew", self.create("jane", None).await);
        enter(
            "erase whom a key created",
            self.cost(Method::DELETE, &format!("/user/erase/{}", siblings[1]), "", None)
                .await,
        );
        table
    }

    /// The costs of requests for a user after this many changes.
    async fn table_after(&mut self, changes: u64) -> Vec<Cost> {
        self.create("jane", None).await;
        for number in 0..changes {
            let key = format!("old-{number}");
            let reply = self
                .app
                .post_keyed("/user/points/jane", &key, r#"{"points":1}"#)
                .await;
            assert_eq!(reply.status, 200, "{reply}");
        }
        self.count("/user/points/jane").await;
        let mut table = Vec::new();
        let mut enter = |what, (reads, commits)| table.push((what, reads, commits));
        enter("get", self.get("/user/jane").await);
        // The most expensive of as many changes as a page holds: one of them writes the page.
        let mut dearest = (0, 0);
        let mut cheapest = (usize::MAX, usize::MAX);
        for _ in 0..24 {
            let cost = self.award(r#"{"points":1}"#, None).await;
            dearest = dearest.max(cost);
            cheapest = cheapest.min(cost);
        }
        enter("award", cheapest);
        enter("award that archives a page", dearest);
        enter(
            "award with a key",
            self.award(r#"{"points":1}"#, Some("new")).await,
        );
        enter(
            "award again with an old key",
            self.award(r#"{"points":1}"#, Some("old-0")).await,
        );
        enter(
            "reverse an old change",
            self.award(r#"{"reverses":7}"#, None).await,
        );
        enter("history", self.get("/user/history/jane?limit=10").await);
        enter(
            "history of old changes",
            self.get("/user/history/jane?limit=24&before=40").await,
        );
        table
    }
}

/// Names that belong to the same leaf of the directory as `name`.
fn siblings(name: &str) -> Vec<String> {
    let names = (0_u32..).map(|number| format!("user{number}"));
    names.filter(|other| root(other) == root(name)).take(3).collect()
}

/// A name that belongs to another leaf.
fn stranger(name: &str) -> String {
    let mut names = (0_u32..).map(|number| format!("user{number}"));
    names.find(|other| root(other) != root(name)).unwrap_or_default()
}

/// The first digits of a name's hash, which select its leaf.
fn root(name: &str) -> u8 {
    Sha256::digest(name)[0]
}

#[tokio::test]
async fn requests_cost_what_the_document_says() {
    if on_spin() {
        // Spin does not log them.
        return;
    }
    let table = Meter::start(App::builder()).await.table().await;
    let expected = [
        ("create the first of a leaf", 7, 4),
        ("create", 3, 2),
        ("create with a key", 7, 5),
        ("create again with the key", 1, 0),
        ("create with a key the first of a leaf", 11, 6),
        ("get", 1, 0),
        ("award", 1, 1),
        ("award with a key", 1, 1),
        ("award again with the key", 1, 0),
        ("reverse", 1, 1),
        ("promote", 1, 1),
        ("promote without a change", 1, 0),
        ("update", 1, 1),
        ("update without a change", 1, 0),
        ("history", 1, 0),
        ("list four users", 260, 0),
        ("erase", 1, 1),
        ("create anew", 2, 1),
        ("erase whom a key created", 2, 2),
    ];
    assert_eq!(table, expected);
}

#[tokio::test]
async fn a_swap_costs_two_reads_more_on_redis() {
    if on_spin() || without("redis-server") {
        return;
    }
    let redis = Redis::in_memory();
    let builder = App::builder().runtime_config(redis.runtime_config());
    let table = Meter::start(builder).await.table().await;
    let expected = [
        ("create the first of a leaf", 11, 4),
        ("create", 7, 2),
        ("create with a key", 13, 5),
        ("create again with the key", 1, 0),
        ("create with a key the first of a leaf", 17, 6),
        ("get", 1, 0),
        ("award", 3, 1),
        ("award with a key", 3, 1),
        ("award again with the key", 1, 0),
        ("reverse", 3, 1),
        ("promote", 3, 1),
        ("promote without a change", 1, 0),
        ("update", 3, 1),
        ("update without a change", 1, 0),
        ("history", 1, 0),
        ("list four users", 260, 0),
        ("erase", 3, 1),
        ("create anew", 4, 1),
        ("erase whom a key created", 6, 2),
    ];
    assert_eq!(table, expected);
}

#[tokio::test]
async fn a_long_history_makes_no_request_dearer() {
    if on_spin() {
        return;
    }
    let expected = [
        ("get", 1, 0),
        ("award", 1, 1),
        ("award that archives a page", 2, 2),
        ("award with a key", 2, 1),
        ("award again with an old key", 2, 0),
        ("reverse an old change", 3, 1),
        ("history", 1, 0),
        ("history of old changes", 3, 0),
    ];
    for changes in [100, scaled(600, 10_010)] {
        let table = Meter::start(App::builder()).await.table_after(changes).await;
        assert_eq!(table, expected, "{changes}");
    }
}

#[tokio::test]
async fn a_publication_costs_one_commit_however_many_changes_it_sends() {
    const PUBLISH: &str = "/events/publish/jane";
    if on_spin() {
        return;
    }
    let receiver = Receiver::start().await;
    // The functions that change users do not call the publisher: the calls here are the only ones.
    let mut meter = Meter::start(App::builder().receiver(&receiver)).await;
    meter.create("jane", None).await;
    let mut table = Vec::new();
    for (what, awards) in [
        ("the creation", 0),
        ("one change", 1),
        ("three changes", 3),
        ("nothing", 0),
    ] {
        for _ in 0..awards {
            meter.award(r#"{"points":1}"#, None).await;
        }
        let (reads, commits) = meter.cost(Method::POST, PUBLISH, "", None).await;
        table.push((what, reads, commits));
    }
    let expected = [
        ("the creation", 4, 1),
        ("one change", 4, 1),
        ("three changes", 4, 1),
        ("nothing", 3, 0),
    ];
    assert_eq!(table, expected);
}
