//! Requests with preconditions.

use harness::{App, Reply};
use http::Method;

async fn send(app: &App, method: Method, path: &str, field: (&str, &str)) -> Reply {
    app.send(app.request(method, path).header(field.0, field.1)).await
}

#[tokio::test]
async fn a_read_says_what_has_not_changed() {
    let app = App::start().await;
    app.create(r#"{"username":"jane","points":101}"#).await;
    let first = app.get("/user/jane").await;
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
    let first = app.put("/user/promote/jane").await;
    let second = app.put("/user/promote/jane").await;
    second.exactly(200, r#"{"username":"jane","points":51,"status":"Silver"}"#);
    for name in ["etag", "last-modified"] {
        assert_eq!(first.header(name), second.header(name));
    }
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
    // What held a moment ago does not hold any more.
    promote(("if-match", &tag))
        .await
        .problem(412, "precondition-failed");
    promote(("if-match", "*"))
        .await
        .exactly(200, r#"{"username":"jane","points":51,"status":"Silver"}"#);
}
