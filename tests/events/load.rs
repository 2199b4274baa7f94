//! Hosts that are busy.

use super::{first_deliveries, publishing, sweep_to_the_end};
use harness::Receiver;
use std::sync::Arc;
use std::time::Duration;

/// A few more than the manual lets a proxy connect to one host.
const CLIENTS: usize = 256;
const CHANGES: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn publishers_leave_instances_for_256_connections() {
    let receiver = Receiver::start().await;
    let app = Arc::new(publishing(&receiver).start().await);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let app = Arc::clone(&app);
            tokio::spawn(async move {
                let reply = app.create(format!(r#"{{"username":"user{number}"}}"#)).await;
                assert_eq!(reply.status, 201, "{reply}");
                for _ in 1..CHANGES {
                    let path = format!("/user/points/user{number}");
                    let reply = app.post(&path, r#"{"points":1}"#).await;
                    assert_eq!(reply.status, 200, "{reply}");
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    assert!(!receiver.accepted().is_empty(), "publishers were asked");
}

#[tokio::test]
async fn a_slow_change_is_left_to_the_sweep() {
    let receiver = Receiver::start().await;
    let app = Arc::new(publishing(&receiver).start().await);
    app.create(r#"{"username":"jane"}"#).await;
    sweep_to_the_end(&app).await;

    let database = app.state().database();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    let award = tokio::spawn({
        let app = Arc::clone(&app);
        async move { app.post("/user/points/jane", r#"{"points":1}"#).await }
    });
    tokio::time::sleep(Duration::from_secs(2)).await;
    database.execute_batch("COMMIT").unwrap();
    let reply = award.await.unwrap();
    assert_eq!(reply.status, 200, "{reply}");
    // Enough for a publisher, if there was one.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(first_deliveries(&receiver.accepted(), "jane"), [1]);
    sweep_to_the_end(&app).await;
    assert_eq!(first_deliveries(&receiver.accepted(), "jane"), [1, 2]);
}
