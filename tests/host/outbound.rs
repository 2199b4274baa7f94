//! Outbound requests of a function.

use crate::probe;
use harness::{Redis, free_ports, on_spin, without};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Starts a server that gives each connection one answer during the test, and returns its URL.
async fn receiver(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                if stream.read(&mut request).await.is_ok_and(|length| length > 0) && !answer.is_empty() {
                    let _ = stream.write_all(answer.as_bytes()).await;
                } else {
                    // The connection stays open without an answer.
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    url
}

const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

#[tokio::test]
async fn a_function_reaches_the_host_that_a_variable_names() {
    let receiver = receiver(ACCEPTED).await;
    let app = probe().variable("receiver", &receiver).start().await;
    assert_eq!(app.get(&format!("/fetch/{receiver}/hook")).await.text(), "202 ok");
}

#[tokio::test]
async fn a_function_reaches_no_host_that_is_not_named() {
    let (named, other) = (receiver(ACCEPTED).await, receiver(ACCEPTED).await);
    let app = probe().variable("receiver", &named).start().await;
    for path in [
        format!("/fetch/{other}/hook"),
        format!("/confined/fetch/{named}/hook"),
        "/fetch/http://probe.spin.internal/count".to_owned(),
    ] {
        let reply = app.get(&path).await;
        assert_eq!(reply.status, 500, "{path}");
        assert!(reply.text().contains("HttpRequestDenied"), "{path}: {reply}");
    }
}

#[tokio::test]
async fn an_absent_and_a_hanging_receiver_are_told_apart() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let absent = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    for (receiver, expected) in [
        (absent, "ConnectionRefused"),
        (receiver("").await, "ConnectionReadTimeout"),
    ] {
        let app = probe().variable("receiver", &receiver).start().await;
        let reply = app.get(&format!("/fetch/{receiver}/hook")).await;
        assert!(reply.text().contains(expected), "{expected}: {reply}");
    }
}

#[tokio::test]
async fn components_reach_each_other_as_on_spin() {
    let app = probe().start().await;
    let reply = app.get("/fetch/http://confined.spin.internal/request?a=b").await;
    let (status, request) = reply.text().split_once(' ').unwrap();
    assert_eq!(status, "200");
    let mut lines = request.lines();
    assert!(
        lines.next().unwrap().ends_with(" confined.spin.internal"),
        "{request}"
    );
    let mut headers: Vec<_> = lines.collect();
    headers.sort_unstable();
    assert_eq!(
        headers,
        [
            "spin-base-path: /",
            "spin-client-addr: 0.0.0.0:0",
            "spin-component-route: ",
            "spin-full-url: http://localhost/request?a=b",
            "spin-matched-route: /...",
            "spin-path-info: /request",
            "spin-raw-component-route: /...",
        ]
    );
}

#[tokio::test]
async fn a_call_of_a_component_that_is_not_there_traps() {
    let app = probe().start().await;
    let reply = app.get("/fetch/http://nobody.spin.internal/count").await;
    assert_eq!((reply.status.as_u16(), reply.text()), (500, ""));
    assert_eq!(app.get("/count").await.text(), "1");
}

#[tokio::test]
async fn a_function_reaches_its_own_application() {
    // Spin 3.6 calls the port that it was told to listen on, even if that is 0.
    let [port] = free_ports();
    let app = probe().listen(format!("127.0.0.1:{port}")).start().await;
    assert_eq!(app.get("/fetch/http://self.alt/count").await.text(), "200 1");
    let denied = app.get("/confined/fetch/http://self.alt/count").await;
    assert!(denied.text().contains("HttpRequestDenied"), "{denied}");
}

#[tokio::test]
async fn a_client_cannot_pass_for_a_component() {
    let app = probe().start().await;
    let answer = app
        .raw("GET /count HTTP/1.1\r\nHost: probe.spin.internal\r\n\r\n")
        .await;
    assert_eq!(answer, "");
}

#[tokio::test]
async fn a_function_reaches_the_redis_server_that_a_variable_names() {
    if without("redis-server") {
        return;
    }
    let redis = Redis::in_memory();
    let app = probe().variable("redis", redis.url()).start().await;
    for expected in ["1", "2"] {
        assert_eq!(app.get(&format!("/redis/{}", redis.url())).await.text(), expected);
    }
    let denied = app.get(&format!("/confined/redis/{}", redis.url())).await;
    assert!(denied.text().contains("InvalidAddress"), "{denied}");
}

#[tokio::test]
async fn a_manifest_with_a_path_in_allowed_outbound_hosts_is_refused() {
    let path = harness::probe_manifest();
    let manifest = std::fs::read_to_string(&path).unwrap();
    let source = path.parent().unwrap().join("../../target");
    let manifest = manifest
        .replace("../../target", source.to_str().unwrap())
        .replace("\"http://self\"", "\"http://example.com/path\"");
    let ended = harness::App::builder()
        .manifest_text(manifest)
        .start_in_vain()
        .await;
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    if !on_spin() {
        assert!(ended.stderr.contains("must not have a path"), "{}", ended.stderr);
    }
}
