//! One idempotency key has one effect, whatever different requests do with it at the same moment.

use std::sync::Arc;

use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::Value;
use tokio::sync::Barrier;

use crate::service::{Service, on_every_store, scaled};

/// How many requests race for one key.
const RIVALS: usize = 3;

/// Different creations under one key, on connections that are open already.
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
        let together = Arc::new(Barrier::new(RIVALS));
        let race = (0..RIVALS).map(|rival| {
            let (service, key, body) = (Arc::clone(&service), key.clone(), body(rival));
            let together = Arc::clone(&together);
            tokio::spawn(async move {
                // A connection for each, which this opens.
                let http = reqwest::Client::builder().no_proxy().build().expect("a client");
                let url = service.url(rival % service.host_count());
                http.get(format!("{url}/user/nobody"))
                    .send()
                    .await
                    .expect("an answer");
                together.wait().await;
                post(&http, &url, &key, body).await
            })
        });
        let mut answers = Vec::new();
        for answer in race.collect::<Vec<_>>() {
            answers.push(answer.await.expect("an answer"));
        }
        let winners: Vec<_> = (0..RIVALS)
            .filter(|&rival| answers[rival].0 == StatusCode::CREATED)
            .collect();
        let losers = answers.iter().filter(|(status, kind)| {
            // A rival for the same name may be answered that it is taken, if the winner had finished by then.
            let is_taken = round % 4 == 3 && kind == "urn:problem:username-taken";
            *status == StatusCode::UNPROCESSABLE_ENTITY && kind == "urn:problem:idempotency-key-reused"
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
            let (status, _) = post(&service.http, &service.url(0), &key, body(rival)).await;
            if (status == StatusCode::CREATED) != (rival == winner) {
                service.violation(format!("round {round}: {rival} is told {status} later"));
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

/// The status, and the type of the problem if it is one.
async fn post(http: &reqwest::Client, url: &str, key: &str, body: String) -> (StatusCode, String) {
    let request = http
        .post(format!("{url}/user"))
        .header(CONTENT_TYPE, "application/json")
        .header("idempotency-key", key);
    let response = request.body(body).send().await.expect("an answer");
    let status = response.status();
    let body: Value = serde_json::from_slice(&response.bytes().await.expect("a body")).expect("JSON");
    (status, body["type"].as_str().unwrap_or_default().to_owned())
}

on_every_store!("one key", one_of_several_creations_is_made);
