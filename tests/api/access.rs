//! Access with and without tokens, directly and through a proxy.

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
            "Bearer realm=\"users\", error=\"insufficient_scope\""
        );
    }
    for (authorization, challenge) in [
        ("Bearer x", "Bearer realm=\"users\", error=\"invalid_token\""),
        ("Bearer r1,", "Bearer realm=\"users\", error=\"invalid_token\""),
        ("Basic cjE6", "Bearer realm=\"users\""),
        ("r1", "Bearer realm=\"users\""),
        ("Bearer", "Bearer realm=\"users\""),
    ] {
        let reply = with_token(&app, Method::GET, "/user/jane", authorization).await;
        reply.problem(401, "unauthenticated");
        assert_eq!(reply.header("www-authenticate"), challenge, "{authorization}");
    }
    let reply = app.get("/user/jane").await;
    reply.problem(401, "unauthenticated");
    assert_eq!(reply.header("www-authenticate"), "Bearer realm=\"users\"");
}

#[tokio::test]
async fn two_authorization_fields_are_refused_in_either_order() {
    let app = App::builder().variable("write_tokens", "w").start().await;
    for (first, second) in [
        ("Bearer w", "Bearer x"),
        ("Bearer x", "Bearer w"),
        ("Bearer w", "Bearer w"),
    ] {
        let request = app
            .request(Method::GET, "/user/jane")
            .header("authorization", first)
            .header("authorization", second);
        app.send(request).await.problem(401, "unauthenticated");
    }
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
async fn without_tokens_a_request_that_a_proxy_forwarded_is_refused() {
    let app = App::start().await;
    let record = r#"{"username":"jane"}"#;
    app.create(record).await.exactly(201, record);
    for (name, value) in [
        ("forwarded", "for=127.0.0.1"),
        ("via", "1.1 proxy"),
        ("x-forwarded", "for=127.0.0.1"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "localhost"),
        ("x-forwarded-port", "3000"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-server", "localhost"),
        ("x-real-ip", "127.0.0.1"),
        ("x-client-ip", "127.0.0.1"),
        ("x-cluster-client-ip", "127.0.0.1"),
        ("x-original-url", "/user/jane"),
        ("x-envoy-external-address", "127.0.0.1"),
        ("cf-connecting-ip", "127.0.0.1"),
        ("true-client-ip", "127.0.0.1"),
        ("fastly-client-ip", "127.0.0.1"),
    ] {
        let reply = app
            .send(app.request(Method::GET, "/user/jane").header(name, value))
            .await;
        let problem = reply.problem(401, "unauthenticated");
        assert!(
            problem["detail"].as_str().unwrap().contains("write_tokens"),
            "{reply}"
        );
    }
    // A client may forge the header fields that Spin adds.
    let spoofed = app
        .request(Method::GET, "/user/jane")
        .header("spin-client-addr", "192.0.2.1:1");
    app.send(spoofed).await.exactly(200, record);
}

#[tokio::test]
async fn without_tokens_only_requests_to_a_loopback_host_are_served() {
    let app = App::start().await;
    let record = r#"{"username":"jane","points":1}"#;
    app.create(record).await.exactly(201, record);
    for host in [
        "localhost",
        "LOCALHOST:80",
        "127.0.0.1:3000",
        "127.8.9.10",
        "[::1]:3000",
    ] {
        let request = app.request(Method::GET, "/user/jane").header("host", host);
        app.send(request).await.exactly(200, record);
    }
    for host in [
        "evil.example.org",
        "evil.example.org:3000",
        "localhost.evil.example.org",
        "127.0.0.1.evil.example.org",
        "a.localhost",
        "0.0.0.0:3000",
        "192.0.2.1",
        "[2001:db8::1]:3000",
    ] {
        for (method, path) in [
            (Method::GET, "/user/jane"),
            (Method::POST, "/user/points/jane"),
            (Method::PUT, "/user/promote/jane"),
        ] {
            let request = app
                .request(method, path)
                .header("host", host)
                .header("content-type", "application/json")
                .body(r#"{"points":1000}"#);
            app.send(request).await.problem(401, "unauthenticated");
        }
    }
    app.get("/user/jane").await.exactly(200, record);
}

#[tokio::test]
async fn without_tokens_a_page_of_another_site_is_refused() {
    let app = App::start().await;
    let record = r#"{"username":"jane"}"#;
    app.create(record).await.exactly(201, record);
    let from = |origin| app.request(Method::GET, "/user/jane").header("origin", origin);
    for origin in ["http://localhost:8080", "http://127.0.0.1"] {
        app.send(from(origin)).await.exactly(200, record);
    }
    for origin in [
        "http://evil.example.org",
        "https://localhost.evil.example.org",
        "null",
    ] {
        app.send(from(origin)).await.problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn with_a_token_neither_host_nor_origin_nor_proxy_matters() {
    let app = App::builder().variable("write_tokens", "w").start().await;
    let request = app
        .request(Method::GET, "/user/nobody")
        .bearer_auth("w")
        .header("host", "users.example.org")
        .header("origin", "https://shop.example.org")
        .header("x-forwarded-for", "192.0.2.1");
    app.send(request).await.problem(404, "user-not-found");
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
