//! `POST /user/points/:username` with `reverses` and `reason`

use harness::{App, Reply};
use serde_json::json;

const JANE: &str = "/user/points/jane";

async fn award(app: &App, points: i64) -> Reply {
    let reply = app.post(JANE, format!(r#"{{"points":{points}}}"#)).await;
    assert_eq!(reply.status, 200, "{reply}");
    reply
}

async fn reverse(app: &App, sequence: u64) -> Reply {
    app.post(JANE, format!(r#"{{"reverses":{sequence}}}"#)).await
}

async fn earned(app: &App) -> i64 {
    let history = app.get("/user/history/jane").await.json();
    history["earned"].as_i64().unwrap()
}

#[tokio::test]
async fn a_reversal_undoes_exactly_one_change() {
    let app = App::start().await;
    app.create(r#"{"username":"jane","points":10}"#).await;
    award(&app, 30).await;
    award(&app, -20).await;
    award(&app, 5).await;
    assert_eq!(earned(&app).await, 45);
    reverse(&app, 2).await.problem(409, "insufficient-points");
    reverse(&app, 3)
        .await
        .exactly(200, r#"{"username":"jane","points":45}"#);
    // Reversing a redemption earns nothing.
    assert_eq!(earned(&app).await, 45);
    reverse(&app, 2)
        .await
        .exactly(200, r#"{"username":"jane","points":15}"#);
    assert_eq!(earned(&app).await, 15);
    let history = app.get("/user/history/jane?limit=2").await.json();
    let entries = history["entries"].as_array().unwrap();
    for (entry, (points, balance, reverses)) in entries.iter().zip([(-30, 15, 2), (20, 45, 3)]) {
        assert_eq!(entry["points"], points, "{entry}");
        assert_eq!(entry["balance"], balance, "{entry}");
        assert_eq!(entry["reverses"], reverses, "{entry}");
        assert_eq!(entry["change"], "points", "{entry}");
    }
}

#[tokio::test]
async fn a_change_is_reversed_once() {
    let app = App::start().await;
    app.create(r#"{"username":"jane","points":100}"#).await;
    award(&app, 30).await;
    reverse(&app, 2)
        .await
        .exactly(200, r#"{"username":"jane","points":100}"#);
    for _ in 0..2 {
        let problem = reverse(&app, 2).await.problem(409, "already-reversed");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(" 3 "), "{detail}");
    }
    app.get("/user/jane")
        .await
        .exactly(200, r#"{"username":"jane","points":100}"#);
}

#[tokio::test]
async fn only_awards_and_redemptions_of_the_user_can_be_reversed() {
    let app = App::start().await;
    app.create(r#"{"username":"jane","points":101}"#).await;
    app.create(r#"{"username":"john"}"#).await;
    app.put("/user/promote/jane").await;
    app.patch("/user/update/jane", r#"{"team":"red"}"#).await;
    award(&app, 5).await;
    reverse(&app, 4).await;
    for _ in 0..3 {
        app.post("/user/points/john", r#"{"points":1}"#).await;
    }
    let record = app.get("/user/jane").await;
    // The creation, a promotion, an update, a reversal, and an entry that does not exist yet.
    for sequence in [1, 2, 3, 5, 6, 7, 9_007_199_254_740_991] {
        let reply = reverse(&app, sequence).await;
        assert_eq!(reply.invalid("invalid-points"), ["/reverses"], "{reply}");
    }
    for value in ["0", "-1", "1.5", "\"4\"", "null", "[4]", "9007199254740992"] {
        let reply = app.post(JANE, format!(r#"{{"reverses":{value}}}"#)).await;
        assert_eq!(reply.invalid("invalid-points"), ["/reverses"], "{value}: {reply}");
    }
    let both = app.post(JANE, r#"{"points":1,"reverses":4}"#).await;
    assert_eq!(both.invalid("invalid-points"), ["/reverses"], "{both}");
    app.post("/user/points/nobody", r#"{"reverses":1}"#)
        .await
        .problem(404, "user-not-found");
    assert_eq!(app.get("/user/jane").await.header("etag"), record.header("etag"));
}

#[tokio::test]
async fn a_change_that_the_record_has_long_forgotten_can_be_reversed_once() {
    let app = App::start().await;
    app.create(r#"{"username":"jane","points":1000}"#).await;
    for number in 1..=100 {
        award(&app, number).await;
    }
    // Some in the envelope, some in each page, including the ends of pages.
    let sequences = [2, 3, 25, 26, 27, 49, 50, 51, 73, 74, 75, 90, 101];
    let mut expected = 1000 + 5050;
    for (number, sequence) in (0..).zip(sequences) {
        expected -= i64::try_from(sequence).unwrap() - 1;
        reverse(&app, sequence)
            .await
            .exactly(200, &format!(r#"{{"username":"jane","points":{expected}}}"#));
        let problem = reverse(&app, sequence).await.problem(409, "already-reversed");
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            detail.contains(&format!(" {} ", 102 + number)),
            "{sequence}: {detail}"
        );
    }
    // Until the reversals are archived, too.
    for _ in 0..100 {
        award(&app, 1).await;
    }
    for (number, sequence) in (0..).zip(sequences) {
        let problem = reverse(&app, sequence).await.problem(409, "already-reversed");
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            detail.contains(&format!(" {} ", 102 + number)),
            "{sequence}: {detail}"
        );
        let reversal = reverse(&app, 102 + number).await;
        assert_eq!(reversal.invalid("invalid-points"), ["/reverses"], "{reversal}");
    }
    assert_eq!(earned(&app).await, expected + 100);
}

#[tokio::test]
async fn reversals_of_one_change_at_once_undo_it_once() {
    let app = App::start().await;
    app.create(r#"{"username":"jane","points":100}"#).await;
    award(&app, 30).await;
    let (one, other, third) = tokio::join!(reverse(&app, 2), reverse(&app, 2), reverse(&app, 2));
    let replies = [one, other, third];
    let done = replies.iter().filter(|reply| reply.status == 200).count();
    assert_eq!(done, 1, "{replies:?}");
    for reply in replies.iter().filter(|reply| reply.status != 200) {
        reply.problem(409, "already-reversed");
    }
    app.get("/user/jane")
        .await
        .exactly(200, r#"{"username":"jane","points":100}"#);
}

#[tokio::test]
async fn a_reversal_that_is_sent_again_under_its_key_is_answered_again() {
    let app = App::start().await;
    app.create(r#"{"username":"jane","points":100}"#).await;
    award(&app, 30).await;
    let body = r#"{"reverses":2,"reason":"goods came back"}"#;
    for is_replay in [false, true, true] {
        let reply = app.post_keyed(JANE, "k", body).await;
        reply.exactly(200, r#"{"username":"jane","points":100}"#);
        assert_eq!(
            reply.headers.contains_key("idempotent-replayed"),
            is_replay,
            "{reply}"
        );
    }
    // The reason is part of the request, however it is spelled.
    app.post_keyed(JANE, "k", r#"{"reason":"goods came bac\u006b","reverses":2.0}"#)
        .await
        .exactly(200, r#"{"username":"jane","points":100}"#);
    for other in [
        r#"{"reverses":2}"#,
        r#"{"reverses":2,"reason":"goods were lost"}"#,
        r#"{"points":-30,"reason":"goods came back"}"#,
    ] {
        app.post_keyed(JANE, "k", other)
            .await
            .problem(422, "idempotency-key-reused");
    }
    // Another key is another request.
    app.post_keyed(JANE, "l", body)
        .await
        .problem(409, "already-reversed");
    // That request was refused on sight, so its key is free.
    app.post_keyed(JANE, "l", r#"{"points":1}"#)
        .await
        .exactly(200, r#"{"username":"jane","points":101}"#);
}

#[tokio::test]
async fn a_reason_is_1_to_200_characters_without_control_characters() {
    let app = App::start().await;
    app.create(r#"{"username":"jane","points":7}"#).await;
    for reason in [
        json!(""),
        json!("a\nb"),
        json!("a\u{0}b"),
        json!("\u{7f}"),
        json!("\u{85}"),
        json!("x".repeat(201)),
        json!("ä".repeat(201)),
        json!(7),
        json!(null),
        json!(["x"]),
    ] {
        let reply = app
            .post(JANE, json!({"points": 1, "reason": reason}).to_string())
            .await;
        assert_eq!(reply.invalid("invalid-points"), ["/reason"], "{reason}: {reply}");
    }
    for reason in ["x".to_owned(), "😀".repeat(200), "\\\"/<&> é".to_owned()] {
        let body = json!({"points": 1, "reason": reason}).to_string();
        assert_eq!(app.post(JANE, body).await.status, 200, "{reason}");
        let history = app.get("/user/history/jane?limit=1").await.json();
        assert_eq!(history["entries"][0]["reason"], reason);
    }
}

#[tokio::test]
async fn what_was_ever_earned_has_an_upper_bound() {
    let app = App::start().await;
    let most = 9_007_199_254_740_991_i64;
    app.create(format!(r#"{{"username":"jane","points":{most}}}"#))
        .await;
    award(&app, -5).await;
    let reply = app.post(JANE, r#"{"points":1}"#).await;
    assert_eq!(reply.invalid("invalid-points"), ["/points"], "{reply}");
    reverse(&app, 2)
        .await
        .exactly(200, &format!(r#"{{"username":"jane","points":{most}}}"#));
    assert_eq!(earned(&app).await, most);
}

#[tokio::test]
async fn a_reversal_can_be_bound_to_a_state() {
    let app = App::start().await;
    let tag = app
        .create(r#"{"username":"jane"}"#)
        .await
        .header("etag")
        .to_owned();
    award(&app, 5).await;
    let request = app.request(http::Method::POST, JANE);
    let request = request
        .header("content-type", "application/json")
        .header("if-match", tag);
    app.send(request.body(r#"{"reverses":2}"#))
        .await
        .problem(412, "precondition-failed");
    app.get("/user/jane")
        .await
        .exactly(200, r#"{"username":"jane","points":5}"#);
}
