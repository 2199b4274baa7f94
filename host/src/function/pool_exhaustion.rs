//! Tests what happens to a request when there is no room for another instance.

use super::{cost_budgets::functions, *};
use bytes::Bytes;
use futures_channel::mpsc::{self, UnboundedSender};
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::Frame;
use tokio::time::timeout;
use wasmtime_wasi_http::Error;

/// Long enough for a function to take its instance and wait for the body.
const START: Duration = Duration::from_millis(500);

/// A request whose body does not end before the sender is dropped.
fn endless(path: &str) -> (Request<WasiBody>, UnboundedSender<Result<Frame<Bytes>, Error>>) {
    let (sender, frames) = mpsc::unbounded();
    let request = Request::post(format!("http://localhost{path}"))
        .header("content-type", "application/json")
        .header("spin-client-addr", "127.0.0.1:1")
        .body(StreamBody::new(frames).boxed_unsync());
    (request.unwrap(), sender)
}

fn get(path: &str) -> Request<WasiBody> {
    let body = Empty::new().map_err(|never| match never {});
    Request::get(format!("http://localhost{path}"))
        .header("spin-client-addr", "127.0.0.1:1")
        .body(body.boxed_unsync())
        .unwrap()
}

/// While `first` has the only instance, `second` fails; afterwards it is answered.
async fn share_one_instance(first: (&Function, &str), second: (&Function, &str)) {
    let (request, body) = endless(first.1);
    let mut held = Box::pin(first.0.handle(request));
    assert!(timeout(START, held.as_mut()).await.is_err());
    assert!(second.0.handle(get(second.1)).await.is_err());

    drop(body);
    let held = held.await.unwrap();
    held.into_body().collect().await.unwrap();
    let answered = async {
        // The instance returns to the pool a moment after its answer.
        while second.0.handle(get(second.1)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(REQUEST_TIMEOUT, answered).await.unwrap();
}

#[tokio::test]
async fn a_request_fails_without_room_for_an_instance() {
    let directory = tempfile::tempdir().unwrap();
    let engine = engine::new(engine::config(), 1).unwrap();
    let functions = functions("spin.toml", directory.path(), engine);
    let function = |wanted: &str| &functions.iter().find(|(id, ..)| id == wanted).unwrap().2;
    share_one_instance(
        (function("create-user"), "/user"),
        (function("get-user"), "/user/nobody"),
    )
    .await;
}

#[tokio::test]
async fn a_wasip2_request_fails_without_room_for_an_instance() {
    let directory = tempfile::tempdir().unwrap();
    let engine = engine::new(engine::config(), 1).unwrap();
    let functions = functions("tests/probe-function/spin.toml", directory.path(), engine);
    let (_, _, probe) = functions.iter().find(|(id, ..)| id == "probe").unwrap();
    share_one_instance((probe, "/read"), (probe, "/count")).await;
}
