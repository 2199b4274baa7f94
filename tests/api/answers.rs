//! Complete answers, to the last header field.

use harness::{App, Reply};
use http::Method;

/// An answer as text, without what differs from run to run: `date`; `last-modified`, which appears once the second
/// of the change is over, and the random part of `etag`.
fn text(reply: &Reply) -> String {
    let mut fields: Vec<_> = reply
        .headers
        .iter()
        .filter(|(name, _)| *name != "date" && *name != "last-modified")
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            match (name.as_str(), value.split_once('-')) {
                ("etag", Some((sequence, _))) => format!("{name}: {sequence}-…\""),
                _ => format!("{name}: {value}"),
            }
        })
        .collect();
    fields.sort();
    format!(
        "{}\n{}\n\n{}",
        reply.status.as_u16(),
        fields.join("\n"),
        reply.text()
    )
}

#[tokio::test]
async fn of_every_function() {
    let app = App::start().await;
    assert_eq!(
        text(&app.create(r#"{"username":"jane","points":101}"#).await),
        r#"201
content-length: 32
content-type: application/json
etag: "1-…"
location: /user/jane

{"username":"jane","points":101}"#
    );
    assert_eq!(
        text(&app.get("/user/jane").await),
        r#"200
cache-control: private, no-cache
content-length: 32
content-type: application/json
etag: "1-…"

{"username":"jane","points":101}"#
    );
    assert_eq!(
        text(&app.send(app.request(Method::HEAD, "/user/jane")).await),
        r#"200
cache-control: private, no-cache
content-length: 32
content-type: application/json
etag: "1-…"

"#
    );
    assert_eq!(
        text(&app.put("/user/promote/jane").await),
        r#"200
cache-control: private, no-cache
content-length: 48
content-type: application/json
etag: "2-…"

{"username":"jane","points":101,"status":"Gold"}"#
    );
    assert_eq!(
        text(&app.post("/user/points/jane", r#"{"points":-1}"#).await),
        r#"200
cache-control: private, no-cache
content-length: 48
content-type: application/json
etag: "3-…"

{"username":"jane","points":100,"status":"Gold"}"#
    );
    assert_eq!(
        text(
            &app.send(
                app.request(Method::GET, "/user/jane")
                    .header("if-none-match", "*")
            )
            .await
        ),
        r#"304
cache-control: private, no-cache
etag: "3-…"

"#
    );
}

#[tokio::test]
async fn of_refusals() {
    let app = App::start().await;
    assert_eq!(
        text(&app.get("/user/nobody").await),
        r#"404
cache-control: no-store
content-length: 144
content-type: application/problem+json

{"type":"urn:problem:user-not-found","title":"User not found","status":404,"detail":"There is no user called nobody.","instance":"/user/nobody"}"#
    );
    assert_eq!(
        text(&app.create(r#"{"points":1.5,"a/b":[{"x":1,"x":2}]}"#).await),
        r#"422
cache-control: no-store
content-length: 307
content-type: application/problem+json

{"type":"urn:problem:invalid-user","title":"Invalid user","status":422,"detail":"The body is not a valid user record.","instance":"/user","errors":[{"pointer":"/a~1b/0/x","detail":"must not be given twice"},{"pointer":"/username","detail":"is required"},{"pointer":"/points","detail":"must be an integer"}]}"#
    );
    assert_eq!(
        text(&app.create(r#"{"points":1.5}"#).await),
        r#"422
cache-control: no-store
content-length: 248
content-type: application/problem+json

{"type":"urn:problem:invalid-user","title":"Invalid user","status":422,"detail":"The body is not a valid user record.","instance":"/user","errors":[{"pointer":"/username","detail":"is required"},{"pointer":"/points","detail":"must be an integer"}]}"#
    );
    assert_eq!(
        text(&app.send(app.request(Method::OPTIONS, "/user/points/jane")).await),
        r"204
allow: POST, OPTIONS

"
    );
    assert_eq!(
        text(&app.get("/elsewhere").await),
        r#"404
cache-control: no-store
content-length: 114
content-type: application/problem+json

{"type":"urn:problem:no-such-route","title":"No such route","status":404,"detail":"No function serves this path."}"#
    );
}
