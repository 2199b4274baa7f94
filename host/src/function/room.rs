//! What becomes of requests when there is no room for another instance.

use super::*;
use bytes::Bytes;
use futures_channel::mpsc;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use std::pin::pin;
use tokio::time::timeout;

#[tokio::test]
async fn requests_wait_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let engine = engine(config(), 1).unwrap();
    let functions = budgets::functions(directory.path(), engine);
    let handler = |wanted: &str| &functions.iter().find(|(id, ..)| id == wanted).unwrap().2;

    // As long as its body is on its way, the first request has the only instance, and shares it with no other.
    let (body, frames) = mpsc::unbounded::<Result<Frame<Bytes>, _>>();
    let creation = budgets::request("create", 1).map(|_| StreamBody::new(frames).boxed_unsync());
    let mut creation = pin!(handle(handler("create-user"), creation));
    let mut another = pin!(handle(handler("create-user"), budgets::request("create", 2)));
    let mut reading = pin!(handle(handler("get-user"), budgets::request("get nobody", 1)));
    for answer in [creation.as_mut(), another.as_mut()] {
        assert!(timeout(20 * WAIT_FOR_ROOM, answer).await.is_err());
    }
    assert!(timeout(20 * WAIT_FOR_ROOM, reading.as_mut()).await.is_err());

    drop(body);
    assert_eq!(creation.await.unwrap().status(), 400);
    assert_eq!(another.await.unwrap().status(), 201);
    assert_eq!(reading.await.unwrap().status(), 404);
}
