//! Who is served, with and without tokens, directly and through a proxy.

use harness::{App, Nginx, Reply, without};
use http::Method;

async fn with_token(app: &App, method: Method, path: &str, authorization: &str) -> Reply {
    app.send(app.request(method, path).header("authorization", authorization))
        .await
}

#[tokio::test]
async fn tokens_have_their_scopes() {
    let app = App::builder()
        .variable("read_tokens", "r1, r2")
        .variable("write_tokens", "w1,w2")
        .start()
        .await;
    let create = app
        .request(Method::POST, "/user")
        .header("content-type", "application/json");
    let record = r#"{"username":"jane"}"#;
    app.send(create.header("authorization", "Bearer w1").body(record))
        .await
        .exactly(201, record);
    for token in ["Bearer r1", "bearer r2", "Bearer w1", "Bearer w2"] {
        with_token(&app, Method::GET, "/user/jane", token)
            .await
            .exactly(200, record);
    }
    with_token(&app, Method::PUT, "/user/promote/jane", "Bearer w2")
        .await
        .exactly(200, r#"{"username":"jane","status":"Bronze"}"#);
    for (method, path) in [
        (Method::PUT, "/user/promote/jane"),
        (Method::POST, "/user/points/jane"),
        (Method::POST, "/user"),
    ] {
        let reply = with_token(&app, method, path, "Bearer r1").await;
        reply.problem(403, "forbidden");
        assert_eq!(
            reply.header("www-authenticate"),
            "Bearer error=\"insufficient_scope\""
        );
    }
    for authorization in ["Bearer x", "Bearer r1,", "Basic cjE6", "r1", "Bearer"] {
        let reply = with_token(&app, Method::GET, "/user/jane", authorization).await;
        reply.problem(401, "unauthenticated");
        assert!(reply.header("www-authenticate").starts_with("Bearer"), "{reply}");
    }
    let reply = app.get("/user/jane").await;
    reply.problem(401, "unauthenticated");
    assert_eq!(reply.header("www-authenticate"), "Bearer");
}

#[tokio::test]
async fn a_refusal_tells_nothing_of_the_records() {
    let app = App::builder().variable("write_tokens", "w").start().await;
    let known = app
        .request(Method::POST, "/user")
        .header("content-type", "application/json");
    app.send(
        known
            .header("authorization", "Bearer w")
            .body(r#"{"username":"jane"}"#),
    )
    .await;
    let (there, not_there) = (app.get("/user/jane").await, app.get("/user/nobody").await);
    assert_eq!(
        there.problem(401, "unauthenticated")["detail"],
        not_there.problem(401, "unauthenticated")["detail"]
    );
}

#[tokio::test]
async fn without_tokens_forwarded_requests_are_refused() {
    let app = App::start().await;
    let record = r#"{"username":"jane"}"#;
    app.create(record).await.exactly(201, record);
    for (name, value) in [("x-forwarded-for", "127.0.0.1"), ("forwarded", "for=127.0.0.1")] {
        let reply = app
            .send(app.request(Method::GET, "/user/jane").header(name, value))
            .await;
        let problem = reply.problem(401, "unauthenticated");
        assert!(
            problem["detail"].as_str().unwrap().contains("write_tokens"),
            "{reply}"
        );
    }
    // A client may say what it likes in Spin's name.
    let spoofed = app
        .request(Method::GET, "/user/jane")
        .header("spin-client-addr", "192.0.2.1:1");
    app.send(spoofed).await.exactly(200, record);
}

#[tokio::test]
async fn behind_a_proxy_tokens_are_needed() {
    if without("nginx") {
        return;
    }
    let record = r#"{"username":"jane"}"#;
    let shut = App::start().await;
    shut.create(record).await.exactly(201, record);
    let proxy = Nginx::before(&[&shut]).await;
    shut.send(proxy.request(&shut, Method::GET, "/user/jane"))
        .await
        .problem(401, "unauthenticated");
    let spoofed = proxy
        .request(&shut, Method::GET, "/user/jane")
        .header("spin-client-addr", "127.0.0.1:1");
    shut.send(spoofed).await.problem(401, "unauthenticated");

    let open = App::builder()
        .state(shut.state())
        .variable("read_tokens", "r")
        .start()
        .await;
    let proxy = Nginx::before(&[&open]).await;
    let request = proxy
        .request(&open, Method::GET, "/user/jane")
        .header("authorization", "Bearer r");
    open.send(request).await.exactly(200, record);
}

#[tokio::test]
async fn a_token_that_cannot_be_sent_is_misconfigured() {
    let app = App::builder().variable("write_tokens", "two words").start().await;
    let reply = app.get("/user/jane").await;
    let problem = reply.problem(500, "misconfigured");
    assert!(
        problem["detail"].as_str().unwrap().contains("write_tokens"),
        "{reply}"
    );
    assert!(!reply.text().contains("words"), "{reply}");
}
