//! What every function answers when it cannot do what was asked.

use harness::{App, read_to_end};
use http::Method;
use tokio::io::AsyncWriteExt;

const LIMIT: usize = 16 * 1024;

#[tokio::test]
async fn a_path_that_no_function_serves() {
    let app = App::start().await;
    for path in [
        "/",
        "/users",
        "/user/a/b",
        "/user/jane/points",
        "/user/promote/jane/now",
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            app.send(app.request(method, path))
                .await
                .problem(404, "no-such-route");
        }
    }
}

#[tokio::test]
async fn a_method_that_a_function_does_not_serve() {
    let app = App::start().await;
    app.create(r#"{"username":"jane"}"#).await;
    for (path, served) in [
        ("/user", &["POST"] as &[_]),
        ("/user/jane", &["GET", "HEAD"]),
        ("/user/nobody", &["GET", "HEAD"]),
        ("/user/promote/jane", &["PUT"]),
    ] {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"] {
            if served.contains(&method) {
                continue;
            }
            let reply = app.send(app.request(method.parse().unwrap(), path)).await;
            let allowed = reply.method_not_allowed();
            assert!(
                served.iter().all(|method| allowed.contains(method)),
                "{path}: {reply}"
            );
            assert!(!allowed.contains(&method), "{path}: {reply}");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_too_large() {
    let app = App::start().await;
    let record = |size: usize| {
        let rest = r#"{"username":"","note":""}"#;
        let username = format!("user{size}");
        let note = "x".repeat(size - rest.len() - username.len());
        format!(r#"{{"username":"{username}","note":"{note}"}}"#)
    };
    app.create(record(LIMIT)).await.exactly(201, &record(LIMIT));
    app.create(record(LIMIT + 1)).await.problem(413, "body-too-large");
    app.get(&format!("/user/user{}", LIMIT + 1))
        .await
        .problem(404, "user-not-found");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_is_there() {
    let app = App::start().await;
    let head =
        "POST /user HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n";

    // By the length that the client announces …
    let answer = app
        .raw(format!("{head}Content-Length: 1000000000\r\n\r\n{{"))
        .await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("urn:problem:body-too-large"), "{answer}");

    // … or, where it announces none, by what has come so far.
    let mut stream = app.connect().await;
    let chunk = format!("{:x}\r\n{}\r\n", LIMIT + 1, " ".repeat(LIMIT + 1));
    stream
        .write_all(format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunk}").as_bytes())
        .await
        .unwrap();
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_record_that_does_not_parse() {
    let app = App::start().await;
    let intact = r#"{"username":"john"}"#;
    app.create(intact).await.exactly(201, intact);
    app.create(r#"{"username":"jane","points":101}"#).await;
    for damage in [
        "",
        "{",
        "[]",
        "\u{fffd}secret",
        r#"{"version":99,"record":{"username":"secret"}}"#,
    ] {
        app.state().overwrite("user/jane", damage.as_bytes());
        for reply in [app.get("/user/jane").await, app.put("/user/promote/jane").await] {
            reply.problem(500, "corrupt-record");
            assert!(!reply.text().contains("secret"), "{reply}");
        }
        // It is damaged, but it is there.
        assert_ne!(app.create(r#"{"username":"jane"}"#).await.status, 201);
    }
    assert!(!app.log().contains("secret"), "{}", app.log());
    app.get("/user/john").await.exactly(200, intact);
}

#[tokio::test]
async fn a_store_that_fails_for_a_while() {
    let app = App::start().await;
    let record = r#"{"username":"jane","points":101}"#;
    app.create(record).await.exactly(201, record);
    let rename = |from: &str, to: &str| {
        app.state()
            .database()
            .execute(&format!("ALTER TABLE {from} RENAME TO {to}"), [])
            .unwrap();
    };
    rename("spin_key_value", "elsewhere");
    for reply in [
        app.create(r#"{"username":"john"}"#).await,
        app.get("/user/jane").await,
        app.put("/user/promote/jane").await,
    ] {
        reply.problem(503, "store-unavailable");
        assert!(reply.header("retry-after").parse::<u32>().is_ok(), "{reply}");
    }
    rename("elsewhere", "spin_key_value");
    app.get("/user/jane").await.exactly(200, record);
}
