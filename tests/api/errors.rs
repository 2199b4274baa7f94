//! The problems that all functions share.

use harness::{App, read_to_end};
use http::Method;
use tokio::io::AsyncWriteExt;

const LIMIT: usize = 16 * 1024;

#[tokio::test]
async fn a_path_that_no_function_serves() {
    let app = App::start().await;
    for path in [
        "/",
        "/users/jane",
        "/user/update/jane/now",
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
        ("/user/points/jane", &["POST"]),
        ("/user/update/jane", &["PATCH"]),
        ("/user/erase/jane", &["DELETE"]),
        ("/user/history/jane", &["GET", "HEAD"]),
        ("/users", &["GET", "HEAD"]),
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

    // By the announced length …
    let answer = app
        .raw(format!("{head}Content-Length: 1000000000\r\n\r\n{{"))
        .await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("urn:problem:body-too-large"), "{answer}");

    // … or, without one, by the bytes received so far.
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
    let stored = app.state().value("user:jane");
    let another_format = stored.replacen("\"format\":1", "\"format\":99", 1);
    assert_ne!(stored, another_format);
    for damage in ["", "{", "[]", "\u{fffd}secret", &another_format] {
        app.state().overwrite("user:jane", damage.as_bytes());
        for reply in [
            app.get("/user/jane").await,
            app.put("/user/promote/jane").await,
            app.post("/user/points/jane", r#"{"points":1}"#).await,
            // The record is damaged, but it exists.
            app.create(r#"{"username":"jane"}"#).await,
        ] {
            let problem = reply.problem(500, "corrupt-record");
            assert!(!reply.text().contains("secret"), "{reply}");
            let is_another_format = problem["detail"].as_str().unwrap().contains("99");
            assert_eq!(is_another_format, damage == another_format, "{reply}");
        }
    }
    app.get("/user/john").await.exactly(200, intact);
    app.state().overwrite("user:jane", stored.as_bytes());
    app.get("/user/jane")
        .await
        .exactly(200, r#"{"username":"jane","points":101}"#);
    let printed = app.stop();
    assert!(!printed.contains("secret"), "{printed}");
}

#[tokio::test]
async fn a_record_that_an_older_release_took_is_served_and_changed() {
    let app = App::start().await;
    app.create(r#"{"username":"jane","points":101,"email":"a@b.example","team":"x","size":1}"#)
        .await;
    let stored = app.state().value("user:jane");
    // No client could send these records today.
    for (today, then) in [
        ("\"email\":\"a@b.example\"", "\"email\":\"x\""),
        ("\"email\":\"a@b.example\"", "\"email\":7"),
        ("\"team\"", "\"Email\""),
        ("\"team\"", "\"Status\""),
        ("\"size\":1", "\"status\":\"Platinum\""),
    ] {
        let old = stored.replacen(today, then, 1);
        assert_ne!(old, stored);
        app.state().overwrite("user:jane", old.as_bytes());
        let record = app.get("/user/jane").await;
        assert_eq!(record.status, 200, "{then}: {record}");
        assert!(record.text().contains(then), "{then}: {record}");
        let awarded = app.post("/user/points/jane", r#"{"points":1}"#).await;
        awarded.exactly(200, &record.text().replace("101", "102"));
        let promoted = app.put("/user/promote/jane").await;
        assert_eq!(promoted.status, 200, "{then}: {promoted}");
        assert_eq!(promoted.json()["status"], "Gold", "{then}: {promoted}");
        assert_eq!(promoted.json()["points"], 102, "{then}: {promoted}");
    }
}

#[tokio::test]
async fn a_path_with_an_empty_segment_is_another_path() {
    let app = App::start().await;
    let record = r#"{"username":"jane"}"#;
    app.create(record).await.exactly(201, record);
    for (method, path) in [
        (Method::GET, "//user/jane"),
        (Method::GET, "/user//jane"),
        (Method::GET, "/user/jane/"),
        (Method::GET, "/user/jane//"),
        (Method::PUT, "/user/promote//jane"),
        (Method::PUT, "//user/promote/jane/"),
        (Method::POST, "/user/"),
        (Method::OPTIONS, "//user"),
        (Method::DELETE, "//user/jane"),
    ] {
        let problem = app
            .send(app.request(method, path))
            .await
            .problem(404, "no-such-route");
        assert_eq!(problem, app.get("/nowhere").await.json(), "{path}");
    }
    app.get("/user/jane").await.exactly(200, record);
}

#[tokio::test]
async fn a_problem_names_the_path_as_a_uri_reference() {
    let app = App::start().await;
    for (path, instance) in [
        ("/user/nobody", "/user/nobody"),
        ("/user/a%20b", "/user/a%20b"),
        ("/user/[x]", "/user/%5Bx%5D"),
        ("/user/%zz", "/user/%25zz"),
        ("/user/%", "/user/%25"),
        ("/user/a|b", "/user/a%7Cb"),
        ("/user/{a}\"", "/user/%7Ba%7D%22"),
    ] {
        let answer = app
            .raw(format!(
                "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            ))
            .await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
        assert!(
            answer.contains(&format!("\"instance\":\"{instance}\"")),
            "{path}: {answer}"
        );
    }
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
