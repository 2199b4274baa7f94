//! The log of the functions.

use harness::App;
use http::Method;
use serde_json::Value;

/// Ends the host and returns the lines that its functions logged.
fn lines(app: App) -> Vec<Value> {
    app.stop()
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// Function, event, outcome and problem of a line.
fn essence(line: &Value) -> (&str, &str, u64, Option<&str>) {
    let text = |name: &str| line[name].as_str();
    (
        text("function").unwrap_or_default(),
        text("event").unwrap_or_default(),
        line["outcome"].as_u64().unwrap_or_default(),
        text("problem").and_then(|problem| problem.strip_prefix("urn:problem:")),
    )
}

#[tokio::test]
async fn each_change_and_each_refusal_is_told_once() {
    let app = App::start().await;
    let keyed = |path: &str, body: &'static str| {
        app.request(Method::POST, path)
            .header("content-type", "application/json")
            .header("idempotency-key", "k")
            .body(body)
    };
    app.create(r#"{"username":"jane","points":60}"#).await;
    app.get("/user/jane").await;
    app.get("/user/nobody").await;
    app.put("/user/promote/jane").await;
    // Changes nothing.
    app.put("/user/promote/jane").await;
    for _ in 0..2 {
        app.send(keyed("/user/points/jane", r#"{"points":5}"#)).await;
    }
    for _ in 0..2 {
        app.send(keyed("/user", r#"{"username":"joan"}"#)).await;
    }
    app.post("/user/points/jane", r#"{"points":-100}"#).await;
    app.put("/user/jane").await;

    let lines = lines(app);
    let told: Vec<_> = lines.iter().map(essence).collect();
    assert_eq!(
        told,
        [
            ("create-user", "change", 201, None),
            ("get-user", "refusal", 404, Some("user-not-found")),
            ("promote-user", "change", 200, None),
            ("award-points", "change", 200, None),
            ("create-user", "change", 201, None),
            ("award-points", "refusal", 409, Some("insufficient-points")),
            ("get-user", "refusal", 405, Some("method-not-allowed")),
        ]
    );
    for line in &lines {
        assert_eq!(line["build"], env!("CARGO_PKG_VERSION"));
        assert_eq!(line["retries"], 0);
        assert!(
            line["time_ms"]
                .as_u64()
                .is_some_and(|time| time > 1_700_000_000_000)
        );
        assert!(line["duration_us"].as_u64().is_some_and(|duration| duration > 0));
        assert!(line.get("detail").is_none() && line.get("trace_id").is_none());
    }
}

#[tokio::test]
async fn a_fault_is_told_with_what_to_mend() {
    let app = App::builder().variable("gold_above", "many").start().await;
    app.create(r#"{"username":"jane","points":60}"#).await;
    app.put("/user/promote/jane").await;
    app.state()
        .database()
        .execute(
            "UPDATE spin_key_value SET value = x'00' WHERE key = 'user:jane'",
            [],
        )
        .unwrap();
    app.get("/user/jane").await;

    let lines = lines(app);
    let told: Vec<_> = lines.iter().map(essence).collect();
    assert_eq!(
        told,
        [
            ("create-user", "change", 201, None),
            ("promote-user", "fault", 500, Some("misconfigured")),
            ("get-user", "fault", 500, Some("corrupt-record")),
        ]
    );
    assert!(lines[1]["detail"].as_str().unwrap().contains("gold_above"));
    assert!(lines[2]["detail"].as_str().unwrap().contains("user:jane"));
}

#[tokio::test]
async fn a_line_leads_to_the_trace_of_its_request() {
    let app = App::start().await;
    let request = app.request(Method::GET, "/user/nobody").header(
        "traceparent",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    );
    app.send(request).await.problem(404, "user-not-found");
    let lines = lines(app);
    // Spin replaces the header field, but keeps the trace.
    assert_eq!(lines[0]["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
}

#[tokio::test]
async fn no_secret_is_told() {
    let app = App::builder()
        .variable("write_tokens", "token-a7e1")
        .variable("read_tokens", "token-r0b2")
        .start()
        .await;
    let post = |token: &str, path: &str, body: &'static str| {
        app.request(Method::POST, path)
            .header("content-type", "application/json")
            .bearer_auth(token)
            .header("idempotency-key", "key-c3d4")
            .body(body)
    };
    let record = r#"{"username":"jane","email":"jane@example.com","note":"note-e5f6","points":-1}"#;
    app.send(post("token-a7e1", "/user", record)).await;
    let record = r#"{"username":"jane","email":"jane@example.com","note":"note-e5f6","points":1}"#;
    app.send(post("token-a7e1", "/user", record)).await;
    app.send(post("token-r0b2", "/user", record)).await;
    app.send(post("token-wrong", "/user", record)).await;
    app.send(post("token-a7e1", "/user/points/jane", r#"{"points":-9}"#))
        .await;

    let printed = app.stop();
    assert_eq!(
        printed.lines().filter(|line| line.starts_with('{')).count(),
        5,
        "{printed}"
    );
    for secret in ["token-", "example.com", "note-e5f6", "key-c3d4", "\"jane"] {
        assert!(!printed.contains(secret), "{secret}: {printed}");
    }
}
