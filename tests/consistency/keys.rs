//! One idempotency key has one effect, whatever requests use it at the same moment.

use std::sync::Arc;

use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::Value;
use tokio::sync::Barrier;

use crate::service::{Service, on_every_store, scaled};

/// How many requests race for one key.
const RIVALS: usize = 3;

/// What a request was answered.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    /// The type of the problem, if it is one.
    problem: String,
    is_replay: bool,
}

impl Answer {
    fn is_created(&self) -> bool {
        self.status == StatusCode::CREATED
    }
}

/// Sends a request with an idempotency key.
async fn post(http: &reqwest::Client, url: String, key: &str, body: String) -> Answer {
    let request = http
        .post(url)
        .header(CONTENT_TYPE, "application/json")
        .header("idempotency-key", key);
    let response = request.body(body).send().await.expect("an answer");
    let (status, is_replay) = (
        response.status(),
        response.headers().contains_key("idempotent-replayed"),
    );
    let body: Value = serde_json::from_slice(&response.bytes().await.expect("a body")).expect("JSON");
    Answer {
        status,
        problem: body["type"].as_str().unwrap_or_default().to_owned(),
        is_replay,
    }
}

/// Sends a request of each rival to `path` at the same moment, on connections that are open already.
async fn race(service: &Arc<Service>, path: &str, key: &str, body: impl Fn(usize) -> String) -> Vec<Answer> {
    let together = Arc::new(Barrier::new(RIVALS));
    let rivals = (0..RIVALS).map(|rival| {
        let (together, key, body) = (Arc::clone(&together), key.to_owned(), body(rival));
        let url = service.url(rival % service.host_count());
        let path = format!("{url}{path}");
        tokio::spawn(async move {
            // A connection for each, which this opens.
            let http = reqwest::Client::builder().no_proxy().build().expect("a client");
            http.get(format!("{url}/user/nobody"))
                .send()
                .await
                .expect("an answer");
            together.wait().await;
            post(&http, path, &key, body).await
        })
    });
    let mut answers = Vec::new();
    for answer in rivals.collect::<Vec<_>>() {
        answers.push(answer.await.expect("an answer"));
    }
    answers
}

/// Different creations under one key.
async fn one_of_several_creations_is_made(service: Arc<Service>) {
    let rounds = scaled(100, 400);
    let mut refused = 0;
    for round in 0..rounds {
        let key = format!("key-{round}");
        // Different names in one round, the same name in the next, with different members.
        let body = |rival: usize| {
            let name = if round % 4 == 3 { 0 } else { rival };
            format!(r#"{{"username":"user{round}-{name}","points":{rival}}}"#)
        };
        let answers = race(&service, "/user", &key, body).await;
        let winners: Vec<_> = (0..RIVALS).filter(|&rival| answers[rival].is_created()).collect();
        let losers = answers.iter().filter(|answer| {
            // A rival for the same name may be answered that it is taken, if the winner had finished by then.
            let is_taken = round % 4 == 3 && answer.problem == "urn:problem:username-taken";
            answer.status == StatusCode::UNPROCESSABLE_ENTITY
                && answer.problem == "urn:problem:idempotency-key-reused"
                || is_taken
        });
        let losers = losers.count();
        refused += losers;
        let [winner] = winners[..] else {
            service.violation(format!("round {round}: {answers:?}"));
            continue;
        };
        if losers != RIVALS - 1 {
            service.violation(format!("round {round}: {answers:?}"));
        }
        // A repetition gets the same answer, and no rival's user exists.
        for rival in 0..RIVALS {
            let url = format!("{}/user", service.url(0));
            let again = post(&service.http, url, &key, body(rival)).await;
            if again.is_created() != (rival == winner) {
                service.violation(format!("round {round}: {rival} later gets {again:?}"));
            }
            let path = format!("/user/user{round}-{rival}");
            let is_there = service.get(service.any_host(), &path).await.is_some();
            let is_expected = if round % 4 == 3 {
                rival == 0
            } else {
                rival == winner
            };
            if is_there != is_expected {
                service.violation(format!("round {round}: user {rival} exists: {is_there}"));
            }
        }
    }
    service.finish(&format!("{rounds} rounds, {refused} rivals refused"));
}

/// The same request several times: the creation of a user whose name was erased, and a change of points.
async fn one_of_several_retries_makes_the_change(service: Arc<Service>) {
    let rounds = scaled(50, 200);
    for round in 0..rounds {
        let name = format!("again{round}");
        let user = format!(r#"{{"username":"{name}"}}"#);
        let url = service.url(0);
        post(
            &service.http,
            format!("{url}/user"),
            &format!("first-{round}"),
            user.clone(),
        )
        .await;
        let erasure = service.http.delete(format!("{url}/user/erase/{name}"));
        erasure.send().await.expect("an answer");

        let key = format!("again-{round}");
        let created = race(&service, "/user", &key, |_| user.clone()).await;
        let path = format!("/user/points/{name}");
        let awarded = race(&service, &path, &key, |_| r#"{"points":1}"#.to_owned()).await;
        for (answers, status) in [(created, StatusCode::CREATED), (awarded, StatusCode::OK)] {
            let first = answers.iter().filter(|answer| !answer.is_replay).count();
            if first != 1 || answers.iter().any(|answer| answer.status != status) {
                service.violation(format!("round {round}: {answers:?}"));
            }
        }
        let record = service.get(service.any_host(), &format!("/user/{name}")).await;
        if record.as_ref().is_none_or(|record| record["points"] != 1) {
            service.violation(format!("round {round}: {record:?}"));
        }
    }
    service.finish(&format!("{rounds} rounds of {RIVALS} retries"));
}

mod creations {
    use super::*;

    on_every_store!("one key", one_of_several_creations_is_made);
}

mod retries {
    use super::*;

    on_every_store!("retries at once", one_of_several_retries_makes_the_change);
}
