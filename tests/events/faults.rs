//! Receivers that are down, hang or refuse.

use super::{first_deliveries, publishing, sweep, sweep_to_the_end};
use harness::{App, Conduct, Receiver};

/// Creates `count` users called `user0` and so on.
async fn create(app: &App, count: usize) {
    for number in 0..count {
        let record = format!(r#"{{"username":"user{number}"}}"#);
        app.create(record.clone()).await.exactly(201, &record);
    }
}

#[tokio::test]
async fn what_a_failing_receiver_missed_is_published_by_the_next_sweep() {
    let receiver = Receiver::start().await;
    receiver.behave(Conduct::Answer(503));
    let app = publishing(&receiver).start().await;
    create(&app, 30).await;
    // Far fewer than changes: the publisher pauses after a failure.
    let attempts = receiver.attempts();
    assert!(attempts < 30, "{attempts} of 30 changes");
    assert!(receiver.accepted().is_empty());
    let swept = sweep(&app).await;
    assert_eq!((swept.published, swept.pending), (0, 30), "{swept:?}");
    assert!(receiver.attempts() <= attempts + 4, "a sweep gives up soon");
    app.logs("it answered 503").await;

    receiver.behave(Conduct::Answer(200));
    let swept = sweep(&app).await;
    assert_eq!((swept.published, swept.pending), (30, 0), "{swept:?}");
    assert_eq!(receiver.accepted().len(), 30);
}

#[tokio::test]
async fn a_hanging_receiver_fails_no_change_and_misses_none() {
    let receiver = Receiver::start().await;
    receiver.behave(Conduct::Hang);
    let app = publishing(&receiver).start().await;
    create(&app, 30).await;
    for _ in 0..30 {
        assert_eq!(
            app.post("/user/points/user0", r#"{"points":1}"#).await.status,
            200
        );
    }
    let attempts = receiver.attempts();
    assert!(attempts < 60, "{attempts} of 60 changes");
    receiver.behave(Conduct::Answer(200));
    sweep_to_the_end(&app).await;
    assert_eq!(
        first_deliveries(&receiver.accepted(), "user0"),
        (1..=31).collect::<Vec<_>>()
    );
    for number in 1..30 {
        assert_eq!(
            first_deliveries(&receiver.accepted(), &format!("user{number}")),
            [1]
        );
    }
}

#[tokio::test]
async fn a_receiver_that_is_not_there_fails_no_change() {
    let receiver = Receiver::start().await;
    // Nobody listens on the port of a receiver that is gone.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let app = publishing(&receiver)
        .variable("events_host", &url)
        .variable("events_url", format!("{url}/hook"))
        .start()
        .await;
    create(&app, 10).await;
    let swept = sweep(&app).await;
    assert_eq!((swept.published, swept.pending), (0, 10), "{swept:?}");
    app.logs("it could not be reached").await;
}

#[tokio::test]
async fn a_refused_event_holds_up_its_own_user_alone() {
    let receiver = Receiver::start().await;
    receiver.refuse(Some("user3"));
    let app = App::builder().receiver(&receiver).start().await;
    create(&app, 10).await;
    app.post("/user/points/user3", r#"{"points":1}"#).await;
    let swept = sweep(&app).await;
    assert_eq!((swept.published, swept.pending), (9, 2), "{swept:?}");
    app.logs("event 1 of a user: it answered 422").await;
    receiver.refuse(None);
    let swept = sweep(&app).await;
    assert_eq!((swept.published, swept.pending), (2, 0), "{swept:?}");
    assert_eq!(first_deliveries(&receiver.accepted(), "user3"), [1, 2]);
    let logged = app.stop();
    assert!(!logged.contains("user3"), "{logged}");
}

#[tokio::test]
async fn nothing_is_sent_to_a_host_that_the_manifest_does_not_allow() {
    let (allowed, other) = (Receiver::start().await, Receiver::start().await);
    let app = publishing(&allowed)
        .variable("events_url", format!("{}/hook?a=b", other.url()))
        .start()
        .await;
    create(&app, 1).await;
    let swept = sweep(&app).await;
    assert_eq!((swept.published, swept.pending), (0, 1), "{swept:?}");
    assert_eq!((allowed.attempts(), other.attempts()), (0, 0));
    app.logs("allowed_outbound_hosts").await;
}
