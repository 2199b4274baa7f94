//! What each request costs in reads and commits, as `docs/CONSISTENCY.md` has it, counted in the embedded host.

use std::time::{Duration, Instant};

use harness::{App, AppBuilder, Redis, on_spin, without};
use http::Method;

/// Counts the calls of the store that the host has logged since the last time.
struct Meter {
    app: App,
    counted: usize,
}

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
        body: &'static str,
        key: Option<&str>,
    ) -> (usize, usize) {
        let mut request = self.app.request(method, path);
        if !body.is_empty() {
            request = request.header("content-type", "application/json").body(body);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let reply = self.app.send(request).await;
        assert!(reply.status.is_success(), "{reply}");
        // The log comes through a pipe.
        tokio::time::sleep(Duration::from_millis(100)).await;
        self.count()
    }

    fn count(&mut self) -> (usize, usize) {
        let log = self.app.log();
        let calls: Vec<_> = log
            .lines()
            .filter(|line| line.contains("host::store:"))
            // To begin a compare-and-swap costs nothing on `SQLite`; it is `current` that reads.
            .filter(|line| !line.contains(r#"operation="cas""#))
            .collect();
        let news = &calls[self.counted..];
        let commits = news.iter().filter(|line| line.contains("commit=true")).count();
        let costs = (news.len() - commits, commits);
        self.counted = calls.len();
        costs
    }

    /// Waits for the claims to be removed, which is one commit for all that were made meanwhile.
    async fn claims_are_removed(&mut self) {
        let end = Instant::now() + Duration::from_secs(5);
        let mut commits = 0;
        while commits == 0 && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(50)).await;
            commits = self.count().1;
        }
        assert_eq!(commits, 1);
    }

    /// The costs of each kind of request: by name, reads and commits.
    async fn table(&mut self) -> Vec<(&'static str, usize, usize)> {
        const THIRTY: &str = r#"{"points":30}"#;
        const AWARD: &str = "/user/points/jane";
        const PROMOTE: &str = "/user/promote/jane";
        let mut table = Vec::new();
        let mut enter = |what, (reads, commits)| table.push((what, reads, commits));
        enter(
            "create",
            self.cost(Method::POST, "/user", r#"{"username":"jane"}"#, None)
                .await,
        );
        enter(
            "create with a key",
            self.cost(Method::POST, "/user", r#"{"username":"john"}"#, Some("k"))
                .await,
        );
        self.claims_are_removed().await;
        enter("get", self.cost(Method::GET, "/user/jane", "", None).await);
        enter("award", self.cost(Method::POST, AWARD, THIRTY, None).await);
        enter(
            "award with a key",
            self.cost(Method::POST, AWARD, THIRTY, Some("l")).await,
        );
        enter(
            "award again with the key",
            self.cost(Method::POST, AWARD, THIRTY, Some("l")).await,
        );
        enter("promote", self.cost(Method::PUT, PROMOTE, "", None).await);
        enter(
            "promote without a change",
            self.cost(Method::PUT, PROMOTE, "", None).await,
        );
        table
    }
}

#[tokio::test]
async fn are_what_the_document_says() {
    if on_spin() {
        // Spin does not log them.
        return;
    }
    let table = Meter::start(App::builder()).await.table().await;
    let expected = [
        ("create", 4, 2),
        ("create with a key", 5, 3),
        ("get", 1, 0),
        ("award", 1, 1),
        ("award with a key", 1, 1),
        ("award again with the key", 1, 0),
        ("promote", 1, 1),
        ("promote without a change", 1, 0),
    ];
    assert_eq!(table, expected);
}

#[tokio::test]
async fn are_two_reads_more_for_each_swap_on_redis() {
    if on_spin() || without("redis-server") {
        return;
    }
    let redis = Redis::in_memory();
    let builder = App::builder().runtime_config(redis.runtime_config());
    let table = Meter::start(builder).await.table().await;
    let expected = [
        ("create", 6, 2),
        ("create with a key", 7, 3),
        ("get", 1, 0),
        ("award", 3, 1),
        ("award with a key", 3, 1),
        ("award again with the key", 1, 0),
        ("promote", 3, 1),
        ("promote without a change", 1, 0),
    ];
    assert_eq!(table, expected);
}
