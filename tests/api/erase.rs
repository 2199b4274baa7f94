//! `DELETE /user/erase/:username`

use harness::App;
use http::Method;
use serde_json::json;

const JANE: &str = "/user/erase/jane";

#[tokio::test]
async fn an_erased_user_is_unknown_everywhere() {
    let app = App::start().await;
    app.create(r#"{"username":"Jane","email":"a@example.com","points":101}"#)
        .await;
    app.create(r#"{"username":"john"}"#).await;
    app.put("/user/promote/jane").await;
    let reply = app.delete("/user/erase/JANE").await;
    assert_eq!(reply.status, 204, "{reply}");
    for reply in [
        app.get("/user/jane").await,
        app.get("/user/JANE").await,
        app.get("/user/history/jane").await,
        app.put("/user/promote/jane").await,
        app.post("/user/points/jane", r#"{"points":1}"#).await,
        app.post("/user/points/jane", r#"{"reverses":2}"#).await,
        app.post_keyed("/user/points/jane", "k", r#"{"points":1}"#).await,
        app.patch("/user/update/jane", r#"{"team":"red"}"#).await,
        app.delete(JANE).await,
    ] {
        reply.problem(404, "user-not-found");
    }
    let head = app.send(app.request(Method::HEAD, "/user/jane")).await;
    assert_eq!(head.status, 404, "{head}");
    assert_eq!(
        app.get("/users").await.json(),
        json!({"users": [{"username": "john"}]})
    );
}

#[tokio::test]
async fn nobody_cannot_be_erased() {
    let app = App::start().await;
    for username in ["nobody", "-", "a%20b"] {
        app.delete(&format!("/user/erase/{username}"))
            .await
            .problem(404, "user-not-found");
    }
}

#[tokio::test]
async fn an_erasure_can_be_bound_to_a_state() {
    let app = App::start().await;
    let tag = app
        .create(r#"{"username":"jane"}"#)
        .await
        .header("etag")
        .to_owned();
    let erase = |tag: &str| app.send(app.request(Method::DELETE, JANE).header("if-match", tag));
    app.post("/user/points/jane", r#"{"points":1}"#).await;
    erase(&tag).await.problem(412, "precondition-failed");
    erase("x").await.problem(400, "malformed-header");
    let record = app.get("/user/jane").await;
    record.exactly(200, r#"{"username":"jane","points":1}"#);
    let reply = erase(record.header("etag")).await;
    assert_eq!(reply.status, 204, "{reply}");
    app.get("/user/jane").await.problem(404, "user-not-found");
}

#[tokio::test]
async fn a_name_that_is_created_anew_goes_on_with_its_sequence() {
    let app = App::start().await;
    let mut tags = Vec::new();
    for round in 0..3 {
        let first = 3 * round + 1;
        // The spelling is that of the last creation.
        let name = ["jane", "Jane", "JANE"][round];
        let created = app.create(format!(r#"{{"username":"{name}","points":7}}"#)).await;
        created.exactly(201, &format!(r#"{{"username":"{name}","points":7}}"#));
        let changed = app.post("/user/points/jane", r#"{"points":1}"#).await;
        changed.exactly(200, &format!(r#"{{"username":"{name}","points":8}}"#));
        for (reply, sequence) in [(&created, first), (&changed, first + 1)] {
            let tag = reply.header("etag");
            assert!(tag.starts_with(&format!("\"{sequence}-")), "{reply}");
            assert!(!tags.contains(&tag.to_owned()), "{reply}");
            tags.push(tag.to_owned());
        }
        let history = app.get("/user/history/jane").await.json();
        let entries = history["entries"].as_array().unwrap();
        let entries: Vec<_> = entries
            .iter()
            .map(|entry| {
                (
                    entry["sequence"].as_u64().unwrap(),
                    entry["change"].as_str().unwrap(),
                )
            })
            .collect();
        let first = u64::try_from(first).unwrap();
        assert_eq!(entries, [(first + 1, "points"), (first, "created")], "{history}");
        assert_eq!((&history["earned"], history.get("next")), (&json!(8), None));
        let users = app.get("/users").await.json();
        assert_eq!(users, json!({"users": [{"username": name, "points": 8}]}));
        assert_eq!(app.delete(JANE).await.status, 204);
    }
}

#[tokio::test]
async fn nothing_of_an_earlier_user_can_be_reversed() {
    let app = App::start().await;
    app.create(r#"{"username":"jane"}"#).await;
    app.post("/user/points/jane", r#"{"points":5}"#).await;
    app.delete(JANE).await;
    app.create(r#"{"username":"jane","points":5}"#).await;
    for sequence in 1..=5 {
        let reply = app
            .post("/user/points/jane", format!(r#"{{"reverses":{sequence}}}"#))
            .await;
        assert_eq!(reply.invalid("invalid-points"), ["/reverses"], "{sequence}");
    }
}

#[tokio::test]
async fn a_retry_of_an_erased_users_creation_does_not_bring_it_back() {
    let app = App::start().await;
    let record = r#"{"username":"jane"}"#;
    let retry = || app.post_keyed("/user", "k", record);
    retry().await.exactly(201, record);
    assert_eq!(app.delete(JANE).await.status, 204);
    for _ in 0..2 {
        retry().await.problem(410, "user-erased");
        app.get("/user/jane").await.problem(404, "user-not-found");
    }
    // The key still belongs to its request.
    app.post_keyed("/user", "k", r#"{"username":"john"}"#)
        .await
        .problem(422, "idempotency-key-reused");
    // A retry does not bring the user back after the name was used again, either.
    app.post_keyed("/user", "l", record).await.exactly(201, record);
    retry().await.problem(409, "username-taken");
    assert_eq!(app.delete(JANE).await.status, 204);
    retry().await.problem(410, "user-erased");
    app.post_keyed("/user", "l", record)
        .await
        .problem(410, "user-erased");
    app.create(record).await.exactly(201, record);
    retry().await.problem(409, "username-taken");
}

#[tokio::test]
async fn a_key_of_a_change_of_points_is_new_after_a_re_creation() {
    let app = App::start().await;
    let award = || app.post_keyed("/user/points/jane", "k", r#"{"points":5}"#);
    for _ in 0..3 {
        app.create(r#"{"username":"jane"}"#).await;
        for is_replay in [false, true] {
            let reply = award().await;
            reply.exactly(200, r#"{"username":"jane","points":5}"#);
            assert_eq!(
                reply.headers.contains_key("idempotent-replayed"),
                is_replay,
                "{reply}"
            );
        }
        assert_eq!(app.delete(JANE).await.status, 204);
        award().await.problem(404, "user-not-found");
    }
}

#[tokio::test]
async fn an_erasure_leaves_nothing_of_the_person_in_the_store() {
    let app = App::start().await;
    let secret = "personal";
    let record = format!(
        r#"{{"username":"jane","email":"{secret}@example.com","{secret}-name":"{secret}","points":60}}"#
    );
    let created = app.post_keyed("/user", &format!("{secret}-key"), record).await;
    assert_eq!(created.status, 201, "{created}");
    let award = |number: i32| {
        let key = format!("{secret}-{number}");
        let body = format!(r#"{{"points":{},"reason":"{secret} {number}"}}"#, 31_337 + number);
        let app = &app;
        async move { app.post_keyed("/user/points/jane", &key, body).await }
    };
    for number in 0..150 {
        assert_eq!(award(number).await.status, 200);
        if number % 10 == 0 {
            // Some reversals and updates, in the envelope or in pages.
            let reversal = format!(r#"{{"reverses":{},"reason":"{secret}"}}"#, 2 + number / 10 * 12);
            let reply = app.post("/user/points/jane", reversal).await;
            assert_eq!(reply.status, 200, "{reply}");
            let patch = format!(r#"{{"{secret}-{number}":"{secret}"}}"#);
            assert_eq!(app.patch("/user/update/jane", patch).await.status, 200);
        }
    }
    assert!(
        app.state()
            .all()
            .iter()
            .any(|(key, _)| key.starts_with("page:jane:"))
    );
    assert_eq!(app.delete(JANE).await.status, 204);
    let all = app.state().all();
    for (key, value) in &all {
        assert!(!key.starts_with("page:"), "{key}");
        for text in [key, value] {
            assert!(!text.contains(secret), "{key}: {value}");
            // Amounts and balances are personal data, too; here they have at least five digits.
            assert!(
                !text.contains("\"points\"") && !text.contains("\"balance\""),
                "{key}: {value}"
            );
        }
    }
    // What stays reveals only that there was a user.
    assert!(all.iter().any(|(key, _)| key == "user:jane"));
    // And the name can be used.
    app.create(r#"{"username":"jane"}"#)
        .await
        .exactly(201, r#"{"username":"jane"}"#);
    app.post_keyed("/user/points/jane", &format!("{secret}-7"), r#"{"points":1}"#)
        .await
        .exactly(200, r#"{"username":"jane","points":1}"#);
}

#[tokio::test]
async fn erasures_at_once_have_one_effect() {
    let app = App::start().await;
    app.create(r#"{"username":"jane"}"#).await;
    let (one, other, third) = tokio::join!(app.delete(JANE), app.delete(JANE), app.delete(JANE));
    let statuses = [&one, &other, &third].map(|reply| reply.status.as_u16());
    assert!(statuses.contains(&204), "{statuses:?}");
    assert!(
        statuses.iter().all(|status| [204, 404].contains(status)),
        "{statuses:?}"
    );
    app.create(r#"{"username":"jane"}"#).await;
    // One erasure takes one sequence number.
    let tag = app.get("/user/jane").await.header("etag").to_owned();
    assert!(tag.starts_with("\"3-"), "{tag}");
}

#[tokio::test]
async fn a_history_too_long_for_one_request_is_deleted_by_several() {
    let app = App::start().await;
    app.create(r#"{"username":"jane"}"#).await;
    app.post("/user/points/jane", r#"{"points":1}"#).await;
    // As if there had been 24,024 changes more, in 1,001 pages, of which the first and the last are here.
    let long = app
        .state()
        .value("user:jane")
        .replacen(r#""sequence":2,"#, r#""sequence":24026,"#, 1)
        .replacen(r#""archived":1,"#, r#""archived":24025,"#, 1);
    app.state().overwrite("user:jane", long.as_bytes());
    app.state().insert("page:jane:2", b"[]");
    app.state().insert("page:jane:24002", b"[]");
    let pages = || {
        let keys = app.state().all().into_iter().map(|(key, _)| key);
        keys.filter(|key| key.starts_with("page:")).collect::<Vec<_>>()
    };

    let problem = app.delete(JANE).await.problem(503, "try-again");
    assert!(
        problem["detail"].as_str().unwrap().contains("erased user"),
        "{problem}"
    );
    assert_eq!(pages(), ["page:jane:24002"]);
    app.get("/user/jane").await.problem(404, "user-not-found");
    assert_eq!(app.delete(JANE).await.status, 204);
    assert!(pages().is_empty());
    app.delete(JANE).await.problem(404, "user-not-found");
}
