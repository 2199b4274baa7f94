//! `PATCH /user/update/:username`

use std::sync::Arc;

use harness::{App, Reply};
use http::Method;
use tokio::task::JoinSet;

const JANE: &str = "/user/update/jane";

async fn patch(app: &App, field: (&'static str, &str), body: &str) -> Reply {
    let request = app.request(Method::PATCH, JANE);
    let request = request.header(field.0, field.1).body(body.to_owned());
    app.send(if field.0 == "content-type" {
        request
    } else {
        request.header("content-type", "application/merge-patch+json")
    })
    .await
}

#[tokio::test]
async fn a_patch_changes_adds_and_removes_members_in_their_order() {
    let app = App::start().await;
    app.create(r#"{"username":"Jane","team":"red","email":"a@example.com","points":7,"zip":"1"}"#)
        .await;
    for (body, record) in [
        (
            r#"{"email":"b@example.com"}"#,
            r#"{"username":"Jane","team":"red","email":"b@example.com","points":7,"zip":"1"}"#,
        ),
        (
            r#"{"new":[1,null],"team":null,"other":{"a":null,"b":{"c":1}}}"#,
            r#"{"username":"Jane","email":"b@example.com","points":7,"zip":"1","new":[1,null],"other":{"b":{"c":1}}}"#,
        ),
        (
            r#"{"other":{"b":{"d":2},"e":3},"new":[2]}"#,
            r#"{"username":"Jane","email":"b@example.com","points":7,"zip":"1","new":[2],"other":{"b":{"c":1,"d":2},"e":3}}"#,
        ),
        (
            r#"{"other":{"b":null},"zip":{"a":1}}"#,
            r#"{"username":"Jane","email":"b@example.com","points":7,"zip":{"a":1},"new":[2],"other":{"e":3}}"#,
        ),
        (
            r#"{"email":null,"new":null,"other":"none","zip":false}"#,
            r#"{"username":"Jane","points":7,"zip":false,"other":"none"}"#,
        ),
        (
            r#"{"email":"c@example.com"}"#,
            r#"{"username":"Jane","points":7,"zip":false,"other":"none","email":"c@example.com"}"#,
        ),
    ] {
        let reply = app.patch("/user/update/JANE", body).await;
        reply.exactly(200, record);
        let read = app.get("/user/jane").await;
        read.exactly(200, record);
        assert_eq!(reply.header("etag"), read.header("etag"));
    }
}

#[tokio::test]
async fn a_patch_that_changes_nothing_writes_nothing() {
    let app = App::start().await;
    let record = r#"{"username":"jane","email":"a@example.com","a":{"b":[1]}}"#;
    let tag = app.create(record).await.header("etag").to_owned();
    for body in [
        "{}",
        r#"{"email":"a@example.com"}"#,
        r#"{"nothing":null}"#,
        r#"{"a":{}}"#,
        r#"{"a":{"b":[1],"c":null}}"#,
        r#"{"a":{"b":[1]},"email":"a@example.com"}"#,
    ] {
        let reply = app.patch(JANE, body).await;
        reply.exactly(200, record);
        assert_eq!(reply.header("etag"), tag, "{body}");
    }
    let history = app.get("/user/history/jane").await.json();
    assert_eq!(history["entries"].as_array().unwrap().len(), 1, "{history}");
}

#[tokio::test]
async fn a_patch_cannot_set_what_is_not_the_clients() {
    let app = App::start().await;
    let record = r#"{"username":"jane","points":7}"#;
    app.create(record).await;
    for (body, pointers) in [
        ("[]", &[""][..]),
        ("null", &[""]),
        ("7", &[""]),
        (r#""x""#, &[""]),
        (r#"{"username":"john"}"#, &["/username"]),
        (r#"{"username":"jane"}"#, &["/username"]),
        (r#"{"username":null}"#, &["/username"]),
        (r#"{"points":8}"#, &["/points"]),
        (r#"{"points":null}"#, &["/points"]),
        (r#"{"status":"Gold"}"#, &["/status"]),
        (r#"{"Status":"Gold","POINTS":1}"#, &["/Status", "/POINTS"]),
        (r#"{"email":7}"#, &["/email"]),
        (r#"{"email":"jane"}"#, &["/email"]),
        (r#"{"team":1,"team":2}"#, &["/team"]),
        (
            r#"{"status":1,"team":"red","email":"","points":1}"#,
            &["/status", "/email", "/points"],
        ),
    ] {
        let pointers: Vec<_> = pointers.iter().map(|&pointer| pointer.to_owned()).collect();
        assert_eq!(
            app.patch(JANE, body).await.invalid("invalid-user"),
            pointers,
            "{body}"
        );
    }
    for body in ["", "{", r#"{"a":1}x"#] {
        app.patch(JANE, body).await.problem(400, "malformed-json");
    }
    app.get("/user/jane").await.exactly(200, record);
}

#[tokio::test]
async fn a_patch_is_of_one_of_two_media_types() {
    let app = App::start().await;
    app.create(r#"{"username":"jane"}"#).await;
    for (number, kind) in [
        "application/merge-patch+json",
        "application/json",
        "Application/Merge-Patch+JSON; charset=utf-8",
    ]
    .into_iter()
    .enumerate()
    {
        let body = format!(r#"{{"number":{number}}}"#);
        patch(&app, ("content-type", kind), &body)
            .await
            .exactly(200, &format!(r#"{{"username":"jane","number":{number}}}"#));
    }
    for kind in [
        "application/json-patch+json",
        "text/plain",
        "application/x-www-form-urlencoded",
    ] {
        let reply = patch(&app, ("content-type", kind), "{}").await;
        reply.problem(415, "unsupported-media-type");
        let accepted = reply.header("accept-patch");
        for kind in ["application/merge-patch+json", "application/json"] {
            assert!(accepted.split(',').any(|one| one.trim() == kind), "{reply}");
        }
    }
    let options = app.send(app.request(Method::OPTIONS, JANE)).await;
    assert_eq!(options.header("allow"), "PATCH, OPTIONS");
    assert!(
        options
            .header("accept-patch")
            .contains("application/merge-patch+json"),
        "{options}"
    );
}

#[tokio::test]
async fn a_record_may_not_outgrow_16_kib_but_by_points_and_status() {
    const LIMIT: usize = 16 * 1024;
    let app = App::start().await;
    let record = |note: usize| format!(r#"{{"username":"jane","note":"{}"}}"#, "x".repeat(note));
    let room = LIMIT - record(0).len();
    app.create(record(room - 4000)).await;
    let set = async |note: usize| {
        // In two patches, since a request is limited, too.
        app.patch(JANE, format!(r#"{{"note":"{}"}}"#, "y".repeat(note)))
            .await
    };
    assert_eq!(set(room).await.status, 200);
    let more = app.patch(JANE, r#"{"a":1}"#).await;
    assert_eq!(more.invalid("invalid-user"), [""], "{}", more.text().len());
    app.get("/user/jane")
        .await
        .exactly(200, &record(room).replace('x', "y"));
    // Points and status do not count, and do not prevent changes of the rest.
    assert_eq!(
        app.post("/user/points/jane", r#"{"points":70}"#).await.status,
        200
    );
    assert_eq!(app.put("/user/promote/jane").await.status, 200);
    let same_length = format!(r#"{{"note":"{}"}}"#, "z".repeat(room));
    assert_eq!(app.patch(JANE, same_length).await.status, 200);
    let longer = app.patch(JANE, r#"{"b":2}"#).await;
    assert_eq!(longer.invalid("invalid-user"), [""]);
    app.patch(JANE, r#"{"note":null}"#)
        .await
        .exactly(200, r#"{"username":"jane","points":70,"status":"Silver"}"#);
    app.patch(JANE, " ".repeat(LIMIT + 1))
        .await
        .problem(413, "body-too-large");
}

#[tokio::test]
async fn an_update_can_be_bound_to_a_state() {
    let app = App::start().await;
    let tag = app
        .create(r#"{"username":"jane"}"#)
        .await
        .header("etag")
        .to_owned();
    let body = r#"{"team":"red"}"#;
    patch(&app, ("if-match", r#""x""#), body)
        .await
        .problem(412, "precondition-failed");
    patch(&app, ("if-none-match", "*"), body)
        .await
        .problem(412, "precondition-failed");
    patch(&app, ("if-match", "x"), body)
        .await
        .problem(400, "malformed-header");
    app.get("/user/jane").await.exactly(200, r#"{"username":"jane"}"#);
    let updated = patch(&app, ("if-match", &tag), body).await;
    updated.exactly(200, r#"{"username":"jane","team":"red"}"#);
    assert_ne!(updated.header("etag"), tag);
    patch(&app, ("if-match", &tag), body)
        .await
        .problem(412, "precondition-failed");
}

#[tokio::test]
async fn nobody_cannot_be_updated() {
    let app = App::start().await;
    for username in ["nobody", "-", "a%20b"] {
        app.patch(&format!("/user/update/{username}"), r#"{"team":"red"}"#)
            .await
            .problem(404, "user-not-found");
    }
    app.get("/user/nobody").await.problem(404, "user-not-found");
}

#[tokio::test]
async fn updates_of_different_members_at_once_are_all_made() {
    let app = Arc::new(App::start().await);
    app.create(r#"{"username":"jane"}"#).await;
    let mut updates = JoinSet::new();
    for number in 0..16 {
        let app = Arc::clone(&app);
        updates.spawn(async move { app.patch(JANE, format!(r#"{{"m{number}":{number}}}"#)).await });
    }
    for reply in updates.join_all().await {
        assert_eq!(reply.status, 200, "{reply}");
    }
    let record = app.get("/user/jane").await.json();
    for number in 0..16 {
        assert_eq!(record[format!("m{number}")], number, "{record}");
    }
    let history = app.get("/user/history/jane").await.json();
    assert_eq!(history["entries"].as_array().unwrap().len(), 17);
}

/// The functions have a small stack (`.cargo/config.toml`).
#[tokio::test]
async fn the_deepest_documents_are_read_merged_and_compared() {
    let app = App::start().await;
    for (start, end) in [(r#"{"a":"#, "}"), ("[", "]")] {
        let nested = |levels| start.repeat(levels) + "1" + &end.repeat(levels);
        let record = |levels| format!(r#"{{"username":"jane","x":{}}}"#, nested(levels));
        for _ in 0..2 {
            let reply = app
                .post_keyed("/user", &format!("{start}{end}"), record(63))
                .await;
            reply.exactly(201, &record(63));
        }
        assert_eq!(app.create(record(64)).await.invalid("invalid-user").len(), 1);
        for patch in [
            format!(r#"{{"x":{},"y":1}}"#, nested(63)),
            r#"{"x":{"a":{"b":2}}}"#.to_owned(),
        ] {
            assert_eq!(app.patch(JANE, patch).await.status, 200);
        }
        assert_eq!(app.delete("/user/erase/jane").await.status, 204);
    }
}
