//! The host: it starts or explains why not, keeps the records, and stops cleanly.

use std::net::TcpListener;
use std::time::Duration;

use harness::{App, AppBuilder, Manifest, Redis, State, on_spin, read_to_end, without};
use http::Method;
use rustix::process::Signal;
use tokio::io::AsyncWriteExt;

const JANE: &str = r#"{"username":"jane"}"#;

#[tokio::test]
async fn says_that_it_is_up() {
    let app = App::start().await;
    let health = app.get("/.well-known/spin/health").await;
    assert_eq!((health.status.as_u16(), health.text()), (200, "OK"));
}

#[tokio::test]
async fn records_survive_a_restart() {
    let app = App::start().await;
    app.create(JANE).await.exactly(201, JANE);
    let app = app.restart().await;
    app.get("/user/jane").await.exactly(200, JANE);
    let app = app.restart().await;
    app.create(JANE).await.problem(409, "username-taken");
}

#[tokio::test]
async fn records_survive_a_kill() {
    let app = App::start().await;
    let state = app.state().clone();
    app.create(JANE).await.exactly(201, JANE);
    app.kill();
    let app = App::builder().state(&state).start().await;
    app.get("/user/jane").await.exactly(200, JANE);
}

#[tokio::test]
async fn keeps_the_records_in_redis_if_told_to() {
    if without("redis-server") {
        return;
    }
    let redis = Redis::durable();
    let app = App::builder()
        .runtime_config(redis.runtime_config())
        .start()
        .await;
    app.create(JANE).await.exactly(201, JANE);
    app.get("/user/jane").await.exactly(200, JANE);

    let app = app.restart().await;
    app.get("/user/jane").await.exactly(200, JANE);
}

#[tokio::test]
async fn ends_when_told_to() {
    for signal in [Signal::TERM, Signal::INT] {
        App::start().await.stop_with(signal);
    }
}

#[tokio::test]
async fn lets_a_request_finish_before_it_ends() {
    if on_spin() {
        // Spin drops it.
        return;
    }
    let app = App::start().await;
    let mut stream = app.connect().await;
    let head = format!(
        "POST /user HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        JANE.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    app.signal(Signal::TERM);
    tokio::time::sleep(Duration::from_millis(500)).await;
    stream.write_all(JANE.as_bytes()).await.unwrap();
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert!(app.ended().status.success());
}

#[tokio::test]
async fn a_client_cannot_say_what_spin_says() {
    let app = App::start().await;
    app.create(JANE).await;
    let john = r#"{"username":"john"}"#;
    app.create(john).await;
    let request = app
        .request(Method::GET, "/user/jane")
        .header("spin-path-match-username", "john")
        .header("spin-matched-route", "/user/promote/:username");
    app.send(request).await.exactly(200, JANE);
}

/// It fails with one line that explains why.
async fn refuses(builder: AppBuilder, because: &str) {
    let ended = builder.start_in_vain().await;
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    if !on_spin() {
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        assert!(ended.stderr.starts_with("error: "), "{}", ended.stderr);
        assert!(ended.stderr.contains(because), "no {because}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn refuses_a_port_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    refuses(App::builder().listen(&address), &address).await;
}

#[tokio::test]
async fn refuses_to_start_without_a_function() {
    let manifest = Manifest::shipped().source("get-user", "/nowhere/get_user.wasm".as_ref());
    refuses(App::builder().manifest(&manifest), "/nowhere/get_user.wasm").await;
}

#[tokio::test]
async fn refuses_a_broken_manifest() {
    let shipped = Manifest::shipped();
    let older = shipped
        .to_string()
        .replace("spin_manifest_version = 2", "spin_manifest_version = 1");
    let coloured = shipped.set("get-user", "colour", "blue");
    refuses(
        App::builder().manifest_text("spin_manifest_version ="),
        "spin.toml",
    )
    .await;
    refuses(App::builder().manifest_text(older), "spin_manifest_version").await;
    refuses(App::builder().manifest(&coloured), "colour").await;
}

#[tokio::test]
async fn refuses_a_state_directory_that_it_cannot_write() {
    if on_spin() {
        // Spin starts, and every request fails.
        return;
    }
    let state = State::new();
    let file = state.path().join("file");
    std::fs::write(&file, "").unwrap();
    for unusable in [file.clone(), file.join("below"), "/proc/nowhere".into()] {
        refuses(App::builder().state_dir(&unusable), unusable.to_str().unwrap()).await;
    }
}
