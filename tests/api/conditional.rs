//! Requests with preconditions.

use std::time::Duration;

use harness::{App, Reply};
use http::Method;

async fn send(app: &App, method: Method, path: &str, field: (&str, &str)) -> Reply {
    app.send(app.request(method, path).header(field.0, field.1)).await
}

async fn send_json(app: &App, path: &str, field: (&str, &str), body: &'static str) -> Reply {
    let request = app
        .request(Method::POST, path)
        .header("content-type", "application/json");
    app.send(request.header(field.0, field.1).body(body)).await
}

/// The record once it has a date, which is when the second of its last change is over.
async fn dated(app: &App, path: &str) -> Reply {
    for _ in 0..600 {
        let reply = app.get(path).await;
        if reply.headers.contains_key("last-modified") {
            return reply;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{path} never has a date");
}

#[tokio::test]
async fn a_read_says_what_has_not_changed() {
    let app = App::start().await;
    app.create(r#"{"username":"jane","points":101}"#).await;
    let first = dated(&app, "/user/jane").await;
    let (tag, date) = (
        first.header("etag").to_owned(),
        first.header("last-modified").to_owned(),
    );
    for method in [Method::GET, Method::HEAD] {
        for field in [
            ("if-none-match", tag.as_str()),
            ("if-none-match", "*"),
            ("if-none-match", &format!("\"x\", W/{tag}")),
            ("if-modified-since", &date),
        ] {
            let reply = send(&app, method.clone(), "/user/jane", field).await;
            assert_eq!(reply.status, 304, "{field:?}: {reply}");
            assert_eq!(reply.header("etag"), tag);
            assert_eq!(reply.header("cache-control"), "private, no-cache");
        }
    }
    for field in [
        ("if-none-match", "\"x\""),
        ("if-modified-since", "yesterday"),
        ("if-match", &tag),
    ] {
        assert_eq!(
            send(&app, Method::GET, "/user/jane", field).await.status,
            200,
            "{field:?}"
        );
    }
    send(&app, Method::GET, "/user/jane", ("if-match", "\"x\""))
        .await
        .problem(412, "precondition-failed");
    send(&app, Method::GET, "/user/jane", ("if-none-match", "x"))
        .await
        .problem(400, "malformed-header");
    send(&app, Method::GET, "/user/nobody", ("if-none-match", "*"))
        .await
        .problem(404, "user-not-found");

    app.put("/user/promote/jane").await;
    let reply = send(&app, Method::GET, "/user/jane", ("if-none-match", &tag)).await;
    assert_eq!(reply.status, 200, "{reply}");
    assert_ne!(reply.header("etag"), tag);
}

#[tokio::test]
async fn the_creation_tells_the_first_entity_tag() {
    let app = App::start().await;
    let created = app.create(r#"{"username":"jane"}"#).await;
    assert_eq!(created.header("etag"), app.get("/user/jane").await.header("etag"));
}

#[tokio::test]
async fn a_promotion_that_changes_nothing_writes_nothing() {
    let app = App::start().await;
    app.create(r#"{"username":"jane","points":51}"#).await;
    app.put("/user/promote/jane").await;
    let first = dated(&app, "/user/jane").await;
    let second = app.put("/user/promote/jane").await;
    second.exactly(200, r#"{"username":"jane","points":51,"status":"Silver"}"#);
    for name in ["etag", "last-modified"] {
        assert_eq!(first.header(name), second.header(name));
    }
}

#[tokio::test]
async fn no_date_stands_for_two_states() {
    let app = App::start().await;
    app.create(r#"{"username":"jane"}"#).await;
    for _ in 0..10 {
        let before = app.get("/user/jane").await;
        app.post("/user/points/jane", r#"{"points":1}"#).await;
        // Whichever date a client goes by: both may be of the second in which the record changed.
        let mut dates = vec![before.header("date").to_owned()];
        dates.extend(
            before
                .headers
                .get("last-modified")
                .map(|date| date.to_str().unwrap().to_owned()),
        );
        for date in dates {
            let read = send(&app, Method::GET, "/user/jane", ("if-modified-since", &date)).await;
            assert_eq!(read.status, 200, "{date}: {read}");
            send(
                &app,
                Method::PUT,
                "/user/promote/jane",
                ("if-unmodified-since", &date),
            )
            .await
            .problem(412, "precondition-failed");
        }
    }
}

#[tokio::test]
async fn a_date_counts_once_its_second_is_over() {
    let app = App::start().await;
    app.create(r#"{"username":"jane","points":51}"#).await;
    let record = dated(&app, "/user/jane").await;
    let date = record.header("last-modified").to_owned();
    let read = send(&app, Method::GET, "/user/jane", ("if-modified-since", &date)).await;
    assert_eq!(read.status, 304, "{read}");
    send(
        &app,
        Method::PUT,
        "/user/promote/jane",
        ("if-unmodified-since", &date),
    )
    .await
    .exactly(200, r#"{"username":"jane","points":51,"status":"Silver"}"#);
}

#[tokio::test]
async fn a_creation_has_nothing_to_match() {
    let app = App::start().await;
    let create = |field| send_json(&app, "/user", field, r#"{"username":"jane"}"#);
    for value in ["*", "\"x\"", "W/\"x\""] {
        create(("if-match", value))
            .await
            .problem(412, "precondition-failed");
    }
    create(("if-match", "x")).await.problem(400, "malformed-header");
    create(("if-none-match", "x"))
        .await
        .problem(400, "malformed-header");
    app.get("/user/jane").await.problem(404, "user-not-found");
    create(("if-none-match", "*"))
        .await
        .exactly(201, r#"{"username":"jane"}"#);
    create(("if-none-match", "*"))
        .await
        .problem(409, "username-taken");
}

#[tokio::test]
async fn a_write_can_be_bound_to_a_state() {
    let app = App::start().await;
    let tag = app
        .create(r#"{"username":"jane","points":51}"#)
        .await
        .header("etag")
        .to_owned();
    let weak = format!("W/{tag}");
    let promote = |field| send(&app, Method::PUT, "/user/promote/jane", field);
    promote(("if-match", "\"x\""))
        .await
        .problem(412, "precondition-failed");
    promote(("if-match", &weak))
        .await
        .problem(412, "precondition-failed");
    promote(("if-none-match", "*"))
        .await
        .problem(412, "precondition-failed");
    promote(("if-unmodified-since", "Thu, 01 Jan 1970 00:00:00 GMT"))
        .await
        .problem(412, "precondition-failed");
    promote(("if-match", "x")).await.problem(400, "malformed-header");
    app.get("/user/jane")
        .await
        .exactly(200, r#"{"username":"jane","points":51}"#);
    promote(("if-match", &tag))
        .await
        .exactly(200, r#"{"username":"jane","points":51,"status":"Silver"}"#);
    // A precondition that held a moment ago no longer holds.
    promote(("if-match", &tag))
        .await
        .problem(412, "precondition-failed");
    promote(("if-match", "*"))
        .await
        .exactly(200, r#"{"username":"jane","points":51,"status":"Silver"}"#);
}
