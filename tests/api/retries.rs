//! Requests that are repeated with the same idempotency key.

use harness::{App, Reply};
use http::Method;

async fn post(app: &App, path: &str, key: &str, body: &str) -> Reply {
    let request = app
        .request(Method::POST, path)
        .header("content-type", "application/json");
    app.send(request.header("idempotency-key", key).body(body.to_owned()))
        .await
}

#[tokio::test]
async fn a_creation_that_is_sent_again_is_answered_again() {
    let app = App::start().await;
    let record = r#"{"username":"jane","points":101}"#;
    let first = post(&app, "/user", "k", record).await;
    first.exactly(201, record);
    app.put("/user/promote/jane")
        .await
        .exactly(200, r#"{"username":"jane","points":101,"status":"Gold"}"#);
    // White space between members does not make it a different request.
    let again = post(&app, "/user", "k", r#"{ "username": "jane", "points": 101 }"#).await;
    again.exactly(201, record);
    assert!(!first.headers.contains_key("idempotent-replayed"), "{first}");
    assert_eq!(again.header("idempotent-replayed"), "true");
    for name in ["etag", "location"] {
        assert_eq!(first.header(name), again.header(name));
    }
    app.get("/user/jane")
        .await
        .exactly(200, r#"{"username":"jane","points":101,"status":"Gold"}"#);
    post(&app, "/user", "l", record)
        .await
        .problem(409, "username-taken");
    app.create(record).await.problem(409, "username-taken");
}

#[tokio::test]
async fn a_key_belongs_to_one_creation() {
    let app = App::start().await;
    post(&app, "/user", "k", r#"{"username":"jane"}"#)
        .await
        .exactly(201, r#"{"username":"jane"}"#);
    for other in [r#"{"username":"jane","points":1}"#, r#"{"username":"john"}"#] {
        post(&app, "/user", "k", other)
            .await
            .problem(422, "idempotency-key-reused");
    }
    app.get("/user/john").await.problem(404, "user-not-found");
}

#[tokio::test]
async fn an_award_that_is_sent_again_counts_once() {
    let app = App::start().await;
    app.create(r#"{"username":"jane"}"#).await;
    let awarded = r#"{"username":"jane","points":30}"#;
    for is_replay in [false, true, true] {
        let reply = post(&app, "/user/points/jane", "k", r#"{"points":30}"#).await;
        reply.exactly(200, awarded);
        assert_eq!(
            reply.headers.contains_key("idempotent-replayed"),
            is_replay,
            "{reply}"
        );
    }
    post(&app, "/user/points/jane", "k", r#"{"points":31}"#)
        .await
        .problem(422, "idempotency-key-reused");
    app.get("/user/jane").await.exactly(200, awarded);

    // Each user has a separate space of keys, and creations have another.
    app.create(r#"{"username":"john"}"#).await;
    post(&app, "/user/points/john", "k", r#"{"points":31}"#)
        .await
        .exactly(200, r#"{"username":"john","points":31}"#);
    post(&app, "/user", "k", r#"{"username":"joan"}"#)
        .await
        .exactly(201, r#"{"username":"joan"}"#);
}

#[tokio::test]
async fn a_key_counts_for_ever() {
    let app = App::start().await;
    app.create(r#"{"username":"jane"}"#).await;
    post(&app, "/user/points/jane", "old", r#"{"points":1000}"#).await;
    // Far more than an envelope holds.
    for number in 0..400 {
        let key = format!("new-{number}");
        post(&app, "/user/points/jane", &key, r#"{"points":1}"#).await;
    }
    let record = r#"{"username":"jane","points":1400}"#;
    post(&app, "/user/points/jane", "old", r#"{"points":1000}"#)
        .await
        .exactly(200, record);
    post(&app, "/user/points/jane", "new-7", r#"{"points":1}"#)
        .await
        .exactly(200, record);
    post(&app, "/user/points/jane", "new-7", r#"{"points":2}"#)
        .await
        .problem(422, "idempotency-key-reused");
}

#[tokio::test]
async fn without_a_key_every_request_counts() {
    let app = App::start().await;
    app.create(r#"{"username":"jane"}"#).await;
    for sum in 1..=3 {
        let record = format!(r#"{{"username":"jane","points":{sum}}}"#);
        app.post("/user/points/jane", r#"{"points":1}"#)
            .await
            .exactly(200, &record);
    }
}

#[tokio::test]
async fn a_key_is_the_same_with_quotes_and_without() {
    let app = App::start().await;
    app.create(r#"{"username":"jane"}"#).await;
    for (points, keys) in [
        (1, &["k", "\"k\""][..]),
        (2, &["\"k 1\"", "\"k 1\""]),
        (3, &["\"k  1\""]),
        (4, &["a\"b", r#""a\"b""#]),
        (5, &[r#""a\\b""#, r"a\b"]),
        (6, &["K"]),
    ] {
        for key in keys {
            let reply = post(&app, "/user/points/jane", key, r#"{"points":1}"#).await;
            reply.exactly(200, &format!(r#"{{"username":"jane","points":{points}}}"#));
        }
    }
    post(&app, "/user", "\"c\"", r#"{"username":"joan"}"#)
        .await
        .exactly(201, r#"{"username":"joan"}"#);
    post(&app, "/user", "c", r#"{"username":"joan"}"#)
        .await
        .exactly(201, r#"{"username":"joan"}"#);
    post(&app, "/user", "c", r#"{"username":"john"}"#)
        .await
        .problem(422, "idempotency-key-reused");
}

#[tokio::test]
async fn a_malformed_key_is_refused() {
    let app = App::start().await;
    app.create(r#"{"username":"jane"}"#).await;
    let longest = "k".repeat(255);
    for key in [longest.clone(), format!("\"{longest}\"")] {
        post(&app, "/user/points/jane", &key, r#"{"points":1}"#)
            .await
            .exactly(200, r#"{"username":"jane","points":1}"#);
    }
    let too_long = "k".repeat(256);
    let too_long_in_quotes = format!("\"{too_long}\"");
    for key in [
        "",
        "a b",
        &too_long,
        &too_long_in_quotes,
        "\"\"",
        "\"",
        "\"k",
        r#""a"b""#,
        r#""a\b""#,
        r#""k";a=1"#,
    ] {
        post(&app, "/user/points/jane", key, r#"{"points":1}"#)
            .await
            .problem(400, "malformed-header");
        post(&app, "/user", key, r#"{"username":"john"}"#)
            .await
            .problem(400, "malformed-header");
    }
    let twice = app
        .request(Method::POST, "/user")
        .header("content-type", "application/json")
        .header("idempotency-key", "k")
        .header("idempotency-key", "k");
    app.send(twice.body(r#"{"username":"john"}"#))
        .await
        .problem(400, "malformed-header");
}
