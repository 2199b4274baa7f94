//! Requests that are sent more than once under one idempotency key.

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
    // White space between members does not make another request of it.
    let again = post(&app, "/user", "k", r#"{ "username": "jane", "points": 101 }"#).await;
    again.exactly(201, record);
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
    for _ in 0..3 {
        post(&app, "/user/points/jane", "k", r#"{"points":30}"#)
            .await
            .exactly(200, awarded);
    }
    post(&app, "/user/points/jane", "k", r#"{"points":31}"#)
        .await
        .problem(422, "idempotency-key-reused");
    app.get("/user/jane").await.exactly(200, awarded);

    // Each user's keys are a space of their own, and creations have another.
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
    // Far more than a record itself remembers.
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
async fn a_key_that_is_none_is_refused() {
    let app = App::start().await;
    app.create(r#"{"username":"jane"}"#).await;
    let longest = "k".repeat(255);
    post(&app, "/user/points/jane", &longest, r#"{"points":1}"#)
        .await
        .exactly(200, r#"{"username":"jane","points":1}"#);
    for key in ["", "a b", &"k".repeat(256)] {
        post(&app, "/user/points/jane", key, r#"{"points":1}"#)
            .await
            .problem(400, "malformed-header");
        post(&app, "/user", key, r#"{"username":"john"}"#)
            .await
            .problem(400, "malformed-header");
    }
}
