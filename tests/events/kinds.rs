//! The events of each kind of change, and the receivers.

use super::{first_deliveries, kind, publishing, sweep, sweep_to_the_end, until, until_a_change_is_told};
use harness::{App, Conduct, Receiver};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn every_kind_of_change_arrives_signed_and_in_order() {
    let receiver = Receiver::start().await;
    let app = publishing(&receiver).start().await;
    app.create(r#"{"username":"Jane","points":60,"email":"jane@example.org"}"#)
        .await;
    app.post("/user/points/jane", r#"{"points":45,"reason":"order 7"}"#)
        .await;
    app.put("/user/promote/jane").await;
    app.patch("/user/update/jane", r#"{"email":null,"team":"red"}"#)
        .await;
    app.post("/user/points/jane", r#"{"reverses":2}"#).await;
    let told = |count: u64| {
        let expected: Vec<_> = (1..=count).collect();
        move |events: &[Value]| first_deliveries(events, "jane") == expected
    };
    let all = told(5);
    sweep_to_the_end(&app).await;
    until("all changes are told", || all(&receiver.accepted())).await;
    assert_eq!(app.delete("/user/erase/jane").await.status, 204);
    let all = told(6);
    sweep_to_the_end(&app).await;
    until("the erasure is told", || all(&receiver.accepted())).await;

    let events = receiver.accepted();
    let kinds = ["created", "points", "promoted", "updated", "points", "erased"];
    for event in &events {
        let (kind, sequence) = kind(event);
        assert_eq!(kind, kinds[usize::try_from(sequence).unwrap() - 1]);
    }
    for event in &events {
        assert_eq!(event["specversion"], "1.0");
        assert_eq!(event["source"], "/users");
        assert_eq!(event["id"], format!("jane/{}", kind(event).1));
        assert_eq!(event["time"], event["data"]["time"]);
        assert!(!event.to_string().contains("jane@example.org"), "{event}");
    }
}

#[tokio::test]
async fn a_sweep_tells_of_each_change_what_the_history_has() {
    let receiver = Receiver::start().await;
    let app = App::builder().receiver(&receiver).start().await;
    app.create(r#"{"username":"Jane","points":60}"#).await;
    app.post("/user/points/jane", r#"{"points":45,"reason":"order 7"}"#)
        .await;
    app.put("/user/promote/jane").await;
    app.patch("/user/update/jane", r#"{"team":"red"}"#).await;
    app.post("/user/points/jane", r#"{"reverses":2}"#).await;
    assert_eq!(receiver.attempts(), 0, "events are off");

    let swept = sweep(&app).await;
    assert_eq!((swept.published, swept.pending), (5, 0), "{swept:?}");
    let mut history = app.get("/user/history/jane").await.json()["entries"].clone();
    let entries = history.as_array_mut().unwrap();
    entries.reverse();
    for entry in entries.iter_mut() {
        entry["username"] = json!("Jane");
    }
    let told: Vec<_> = receiver
        .accepted()
        .iter()
        .map(|event| event["data"].clone())
        .collect();
    assert_eq!(&told, entries);
    assert_eq!(
        sweep(&app).await.published,
        0,
        "nothing is told twice without need"
    );
}

#[tokio::test]
async fn a_change_is_told_without_a_sweep() {
    let receiver = Receiver::start().await;
    let app = publishing(&receiver).start().await;
    app.create(r#"{"username":"jane"}"#).await;
    let change = async || assert_eq!(app.post("/user/points/jane", r#"{"points":1}"#).await.status, 200);
    until_a_change_is_told(&receiver, change).await;
}

#[tokio::test]
async fn without_a_receiver_nothing_is_pending() {
    let app = App::builder().variable("events", "on").start().await;
    app.create(r#"{"username":"jane"}"#)
        .await
        .exactly(201, r#"{"username":"jane"}"#);
    app.post("/events/publish/jane", "")
        .await
        .exactly(200, r#"{"published":0,"pending":0}"#);
    app.post("/events/publish", "")
        .await
        .exactly(200, r#"{"published":0,"pending":0}"#);
}

#[tokio::test]
async fn an_erasure_stands_for_what_was_not_told_before_it() {
    let receiver = Receiver::start().await;
    let app = App::builder().receiver(&receiver).start().await;
    app.create(r#"{"username":"Jane","points":60}"#).await;
    app.post("/user/points/jane", r#"{"points":45}"#).await;
    assert_eq!(app.delete("/user/erase/jane").await.status, 204);
    sweep_to_the_end(&app).await;
    let events = receiver.accepted();
    assert_eq!(events.iter().map(kind).collect::<Vec<_>>(), [("erased", 3)]);

    // The next user of the name is treated like any other.
    app.create(r#"{"username":"JANE"}"#).await;
    sweep_to_the_end(&app).await;
    let events = receiver.accepted();
    assert_eq!(
        events.iter().map(kind).collect::<Vec<_>>(),
        [("erased", 3), ("created", 4)]
    );
    assert_eq!(events[1]["subject"], "jane");
    assert_eq!(events[1]["data"]["username"], "JANE");
}

#[tokio::test]
async fn an_erasure_is_told_before_the_creation_that_follows_it() {
    let receiver = Receiver::start().await;
    let app = App::builder().receiver(&receiver).start().await;
    app.create(r#"{"username":"jane"}"#).await;
    assert_eq!(app.delete("/user/erase/jane").await.status, 204);
    app.create(r#"{"username":"jane"}"#).await;
    sweep_to_the_end(&app).await;
    let events = receiver.accepted();
    assert_eq!(
        events.iter().map(kind).collect::<Vec<_>>(),
        [("erased", 2), ("created", 3)]
    );
}

#[tokio::test]
async fn while_the_secret_is_changed_each_event_has_both_signatures() {
    let next = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let receiver = Receiver::with_secrets(&[Receiver::SECRET, next]).await;
    let app = App::builder()
        .receiver(&receiver)
        .variable("events_secret", format!("{next},{}", Receiver::SECRET))
        .start()
        .await;
    app.create(r#"{"username":"jane"}"#).await;
    sweep_to_the_end(&app).await;
    assert_eq!(receiver.accepted().len(), 1);
}

#[tokio::test]
async fn with_tokens_functions_publish_and_clients_need_a_write_token() {
    let receiver = Receiver::start().await;
    let app = publishing(&receiver)
        .variable("write_tokens", "w1,w2")
        .variable("read_tokens", "r")
        .start()
        .await;
    let create = app
        .request(Method::POST, "/user")
        .header("content-type", "application/json")
        .bearer_auth("w2")
        .body(r#"{"username":"jane"}"#);
    assert_eq!(app.send(create).await.status, 201);
    until_a_change_is_told(&receiver, async || {
        let award = app
            .request(Method::POST, "/user/points/jane")
            .header("content-type", "application/json")
            .bearer_auth("w2")
            .body(r#"{"points":1}"#);
        assert_eq!(app.send(award).await.status, 200);
    })
    .await;
    for path in ["/events/publish", "/events/publish/jane"] {
        app.post(path, "").await.problem(401, "unauthenticated");
        let reading = app.request(Method::POST, path).bearer_auth("r");
        app.send(reading).await.problem(403, "forbidden");
        let writing = app.request(Method::POST, path).bearer_auth("w2");
        assert_eq!(app.send(writing).await.status, 200);
    }
}

#[tokio::test]
async fn a_sweep_of_many_users_goes_on_at_next_and_leaves_out_nobody() {
    let receiver = Receiver::start().await;
    let app = App::builder().receiver(&receiver).start().await;
    for number in 0..25 {
        app.create(format!(r#"{{"username":"user{number}"}}"#)).await;
    }
    receiver.behave(Conduct::Slow(Duration::from_millis(200)));
    let swept = sweep(&app).await;
    assert_eq!((swept.published, swept.pending), (25, 0), "{swept:?}");
    assert!(swept.requests > 1, "{swept:?}");
    app.post("/events/publish?after=nowhere", "")
        .await
        .problem(400, "malformed-query");
    app.post("/events/publish/no%20name", "")
        .await
        .problem(404, "user-not-found");
}

#[tokio::test]
async fn a_long_history_is_published_whole_by_one_sweep() {
    let receiver = Receiver::start().await;
    let app = App::builder().receiver(&receiver).start().await;
    app.create(r#"{"username":"jane"}"#).await;
    for _ in 0..60 {
        app.post("/user/points/jane", r#"{"points":1}"#).await;
    }
    receiver.behave(Conduct::Slow(Duration::from_millis(100)));
    let swept = sweep(&app).await;
    assert_eq!((swept.published, swept.pending), (61, 0), "{swept:?}");
    let expected: Vec<_> = (1..=61).collect();
    assert_eq!(first_deliveries(&receiver.accepted(), "jane"), expected);
}

#[tokio::test]
async fn a_variable_that_cannot_be_used_is_named_and_nothing_is_written() {
    let app = App::builder().variable("events", "yes").start().await;
    let problem = app
        .create(r#"{"username":"jane"}"#)
        .await
        .problem(500, "misconfigured");
    assert!(
        problem["detail"].as_str().unwrap().contains("events"),
        "{problem}"
    );
    assert_eq!(app.get("/user/jane").await.status, 404);
    let app = App::builder()
        .variable("events_url", "hooks.example")
        .start()
        .await;
    let problem = app
        .post("/events/publish", "")
        .await
        .problem(500, "misconfigured");
    assert!(
        problem["detail"].as_str().unwrap().contains("events_url"),
        "{problem}"
    );
}
