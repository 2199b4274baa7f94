//! A Redis stream as the receiver.

use super::{first_deliveries, kind, sweep, sweep_to_the_end, until};
use harness::{App, without};
use serde_json::Value;

/// The events of a stream, each with its field `id`.
fn stream(server: &harness::Redis) -> Vec<(String, Value)> {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_connection().unwrap();
    let entries: Vec<(String, Vec<(String, String)>)> = redis::cmd("XRANGE")
        .arg(&["changes", "-", "+"])
        .query(&mut connection)
        .unwrap();
    entries
        .into_iter()
        .map(|(_, fields)| {
            let [(id, of), (event, json)] = &fields[..] else {
                panic!("{fields:?}");
            };
            assert_eq!((&**id, &**event), ("id", "event"));
            (of.clone(), serde_json::from_str(json).unwrap())
        })
        .collect()
}

#[tokio::test]
async fn a_redis_stream_gets_every_change_also_after_the_server_was_away() {
    if without("redis-server") {
        return;
    }
    let mut redis = harness::Redis::durable();
    let app = App::builder()
        .variable("events", "on")
        .variable("events_host", redis.url())
        .variable("events_url", format!("{}/0?stream=changes", redis.url()))
        .start()
        .await;
    app.create(r#"{"username":"jane"}"#).await;
    sweep_to_the_end(&app).await;
    until("the creation is told", || !stream(&redis).is_empty()).await;
    redis.kill();
    app.post("/user/points/jane", r#"{"points":101}"#).await;
    assert_eq!(app.put("/user/promote/jane").await.status, 200);
    let swept = sweep(&app).await;
    assert_eq!((swept.published, swept.pending), (0, 2), "{swept:?}");
    redis.start();
    sweep_to_the_end(&app).await;
    let entries = stream(&redis);
    let mut told: Vec<_> = entries.iter().map(|(_, event)| kind(event)).collect();
    told.dedup();
    assert_eq!(told, [("created", 1), ("points", 2), ("promoted", 3)]);
    for (id, event) in &entries {
        assert_eq!(event["id"], **id);
    }
}

#[tokio::test]
async fn a_hanging_redis_server_fails_no_change_and_misses_none() {
    if without("redis-server") {
        return;
    }
    let redis = harness::Redis::durable();
    let app = App::builder()
        .variable("events", "on")
        .variable("events_host", redis.url())
        .variable("events_url", format!("{}/0?stream=changes", redis.url()))
        .start()
        .await;
    app.create(r#"{"username":"jane"}"#).await;
    sweep_to_the_end(&app).await;
    until("the creation is told", || !stream(&redis).is_empty()).await;
    redis.freeze();
    for _ in 0..30 {
        assert_eq!(app.post("/user/points/jane", r#"{"points":1}"#).await.status, 200);
    }
    let swept = sweep(&app).await;
    assert_eq!(swept.published, 0, "a sweep keeps off it: {swept:?}");
    redis.thaw();
    sweep_to_the_end(&app).await;
    let events: Vec<_> = stream(&redis).into_iter().map(|(_, event)| event).collect();
    assert_eq!(first_deliveries(&events, "jane"), (1..=31).collect::<Vec<_>>());
}
