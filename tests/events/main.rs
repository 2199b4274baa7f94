//! Events over a real network, while receivers and hosts fail.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what helps the tests may fail them"
)]

mod crashes;
mod faults;
mod kinds;
mod load;
mod stream;

use harness::{App, AppBuilder, Receiver};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Generous, because the machine may be busy; no test measures time by it.
const PATIENCE: Duration = Duration::from_mins(1);

/// The application as shipped, with events on and a webhook as the receiver.
fn publishing(receiver: &Receiver) -> AppBuilder {
    App::builder().receiver(receiver).variable("events", "on")
}

/// Waits until `is_so`.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "{what}: in vain");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Makes changes until the receiver gets one, without a sweep.
///
/// Some may be missed: on a busy machine the receiver may be too slow, and then the publisher pauses.
async fn until_a_change_is_told(receiver: &Receiver, mut change: impl AsyncFnMut()) {
    let end = Instant::now() + PATIENCE;
    let told = receiver.accepted().len();
    while receiver.accepted().len() == told {
        assert!(Instant::now() < end, "no change was published");
        change().await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// The numbers of published and pending changes of a sweep, and of its requests.
#[derive(Debug, PartialEq, Eq)]
struct Swept {
    published: u64,
    pending: u64,
    requests: usize,
}

/// Sweeps once, through all of its requests.
async fn sweep(app: &App) -> Swept {
    let mut swept = Swept {
        published: 0,
        pending: 0,
        requests: 0,
    };
    let mut next = Some("/events/publish".to_owned());
    while let Some(path) = next {
        let reply = app.post(&path, "").await;
        assert_eq!(reply.status, 200, "{path}: {reply}");
        let body = reply.json();
        swept.published += body["published"].as_u64().unwrap();
        swept.pending += body["pending"].as_u64().unwrap();
        swept.requests += 1;
        next = body["next"].as_str().map(str::to_owned);
        assert_ne!(next.as_ref(), Some(&path), "a sweep gets on");
    }
    swept
}

/// Sweeps until nothing is pending, as a timer does.
async fn sweep_to_the_end(app: &App) {
    let end = Instant::now() + PATIENCE;
    while sweep(app).await.pending > 0 {
        assert!(Instant::now() < end, "sweeps in vain");
    }
}

/// The type and the sequence number of an event.
fn kind(event: &Value) -> (&str, u64) {
    let kind = event["type"].as_str().unwrap();
    (kind.strip_prefix("users.").unwrap(), sequence(event))
}

fn sequence(event: &Value) -> u64 {
    event["data"]["sequence"].as_u64().unwrap()
}

/// The sequence numbers of the events of `user` in the order in which they came for the first time.
fn first_deliveries(events: &[Value], user: &str) -> Vec<u64> {
    let mut seen = Vec::new();
    for event in events.iter().filter(|event| event["subject"] == user) {
        if !seen.contains(&sequence(event)) {
            seen.push(sequence(event));
        }
    }
    seen
}
