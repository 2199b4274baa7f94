//! WASI 0.2 functions: an instance for each request, and what they may import.

use crate::probe;
use std::time::Duration;

#[tokio::test]
async fn every_wasip2_request_gets_a_fresh_instance() {
    let app = probe().start().await;
    for _ in 0..3 {
        assert_eq!(app.get("/count").await.text(), "1");
    }
}

#[tokio::test]
async fn work_after_the_answer_is_done() {
    let app = probe().start().await;
    assert_eq!(app.get("/stored/later").await.text(), "absent");
    assert_eq!(app.get("/after/later").await.status, 200);
    while app.get("/stored/later").await.text() != "stored" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn all_interfaces_read_the_same_values() {
    let app = probe().variable("greeting", "good morning").start().await;
    assert_eq!(app.get("/stored/nothing").await.text(), "absent");
    assert_eq!(app.get("/variable/greeting").await.text(), "good morning, world");
}

#[tokio::test]
async fn the_body_of_a_request_is_read_to_its_end() {
    let app = probe().start().await;
    let body = vec![b'x'; 100_000];
    assert_eq!(app.post("/read", body).await.text(), "100000");
}

#[tokio::test]
async fn a_function_that_fails_is_a_500_and_the_next_request_is_answered() {
    let app = probe().start().await;
    for path in ["/silent", "/trap"] {
        assert_eq!(app.get(path).await.status, 500, "{path}");
        assert_eq!(app.get("/count").await.text(), "1");
    }
}
