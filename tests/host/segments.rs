//! Whether a body leaves with its head. Without `TCP_NODELAY`, one that leaves later waits for the acknowledgement that
//! the client delays by some 40 ms.

use crate::probe;
use harness::{App, first_read};

/// How often each request is sent on one connection: a client delays its acknowledgements after the first few.
const ROUNDS: usize = 20;

/// The number of body bytes that each answer brings together with its head.
async fn bytes_with_the_head(app: &App, path: &str, length: usize) -> Vec<usize> {
    let mut stream = app.connect().await;
    let mut found = Vec::new();
    for _ in 0..ROUNDS {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        found.push(first_read(&mut stream, &request, length).await);
    }
    found
}

#[tokio::test]
async fn a_body_that_is_written_first_arrives_with_its_head() {
    let app = probe().start().await;
    for length in [1, 100, 4096, 16_384, 60_000] {
        let found = bytes_with_the_head(&app, &format!("/whole/{length}"), length).await;
        assert_eq!(found, [length; ROUNDS]);
    }
    // More than one segment of the loopback interface: the rest follows, but nothing waits for it.
    let found = bytes_with_the_head(&app, "/whole/65536", 65_536).await;
    assert!(found.iter().all(|bytes| *bytes > 0), "{found:?}");
}

#[tokio::test]
async fn a_body_that_is_written_last_arrives_after_its_head() {
    let app = probe().start().await;
    let found = bytes_with_the_head(&app, "/late/100", 100).await;
    assert!(found.contains(&0), "{found:?}");
}
