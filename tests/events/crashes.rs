//! Hosts that are killed while they write and publish.

use super::{first_deliveries, publishing, sweep_to_the_end};
use harness::{App, Conduct, Receiver, State};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How many users change at the same time, each by a client of its own.
const USERS: usize = 16;
/// How long a host may take for the changes after which it is killed, on a machine that may be busy.
const ROUND: Duration = Duration::from_mins(1);

/// How often the host is killed, and after how many changes each time. `CONSISTENCY=full` runs the numbers that the documents
/// quote.
fn kills_and_changes() -> (usize, usize) {
    if std::env::var("CONSISTENCY").is_ok_and(|value| value == "full") {
        (20, 500)
    } else {
        (6, 100)
    }
}

/// Changes `user` until told to stop or the host is gone. Returns how many changes were acknowledged.
async fn change(
    client: reqwest::Client,
    url: String,
    user: String,
    total: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
) -> usize {
    let mut acknowledged = 0;
    while !stop.load(Ordering::Relaxed) {
        let request = client
            .post(format!("{url}/user/points/{user}"))
            .header("content-type", "application/json")
            .body(r#"{"points":1}"#);
        match request.send().await {
            Ok(reply) if reply.status() == 200 => {
                acknowledged += 1;
                total.fetch_add(1, Ordering::Relaxed);
            }
            Ok(reply) => panic!("{user}: {}", reply.status()),
            // The host was killed; whether the change was made is open.
            Err(_) => break,
        }
    }
    acknowledged
}

async fn names(app: &App) -> Vec<String> {
    let names: Vec<_> = (0..USERS).map(|number| format!("user{number}")).collect();
    for name in &names {
        let reply = app.create(format!(r#"{{"username":"{name}"}}"#)).await;
        assert_eq!(reply.status, 201, "{reply}");
    }
    names
}

#[tokio::test]
async fn no_acknowledged_change_stays_untold_when_hosts_are_killed() {
    let receiver = Receiver::start().await;
    let state = State::new();
    let app = publishing(&receiver).state(&state).start().await;
    let names = names(&app).await;
    app.kill();

    let (kills, changes_before_each) = kills_and_changes();
    let total = Arc::new(AtomicUsize::new(0));
    let mut acknowledged = vec![0; USERS];
    for round in 0..kills {
        // A slow, a failing and a hanging receiver as well as a quick one.
        receiver.behave(match round % 4 {
            0 => Conduct::Answer(204),
            1 => Conduct::Slow(Duration::from_millis(30)),
            2 => Conduct::Answer(500),
            _ => Conduct::Hang,
        });
        let app = publishing(&receiver).state(&state).start().await;
        let stop = Arc::new(AtomicBool::new(false));
        let tasks: Vec<_> = names
            .iter()
            .map(|name| {
                tokio::spawn(change(
                    app.client().clone(),
                    app.url(),
                    name.clone(),
                    Arc::clone(&total),
                    Arc::clone(&stop),
                ))
            })
            .collect();
        let since = Instant::now();
        while total.load(Ordering::Relaxed) < (round + 1) * changes_before_each && since.elapsed() < ROUND {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        app.kill();
        stop.store(true, Ordering::Relaxed);
        for (count, task) in acknowledged.iter_mut().zip(tasks) {
            *count += task.await.unwrap();
        }
    }

    receiver.behave(Conduct::Answer(204));
    let app = publishing(&receiver).state(&state).start().await;
    sweep_to_the_end(&app).await;
    let events = receiver.accepted();
    let mut expected_in_all = 0;
    for (name, acknowledged) in names.iter().zip(acknowledged) {
        let user = app.get(&format!("/user/{name}")).await.json();
        let changes = user["points"].as_u64().unwrap_or(0);
        assert!(
            changes >= acknowledged as u64,
            "{name}: {changes} of {acknowledged}"
        );
        // The creation has the sequence number 1.
        let expected: Vec<_> = (1..=changes + 1).collect();
        assert_eq!(first_deliveries(&events, name), expected, "{name}");
        expected_in_all += expected.len();
    }
    let total = total.load(Ordering::Relaxed);
    assert!(total >= kills * changes_before_each, "{total} changes");
    eprintln!(
        "events: {total} changes acknowledged to {USERS} clients over {kills} kills; {expected_in_all} events, 0 missing, 0 out \
         of order, {} delivered again",
        events.len() - expected_in_all
    );
}
