//! What has to hold before anything is compared: the floor calls the store exactly as the functions do, and the native
//! server answers as they do.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::plan::{Contender, Load, Request, Subject, THOUSAND, UNPROMOTED};
use crate::server::Surroundings;
use crate::store::Prepared;

/// What one request came to.
struct Exchange {
    answer: Answer,
    /// The calls of the store.
    calls: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
struct Answer {
    headers: BTreeSet<String>,
    body: String,
}

/// Fails unless floor and native server are what they are said to be.
pub(crate) fn check(surroundings: &Surroundings, prepared: &Prepared) -> Result<()> {
    for load in Load::ALL {
        let exchange = |subject| {
            exchange(surroundings, prepared, load, subject)
                .with_context(|| format!("{}, {}", subject.name(), load.name()))
        };
        let functions = exchange(Subject::Functions)?;
        let floor = exchange(Subject::Floor)?;
        ensure!(
            functions.calls == floor.calls && !floor.calls.is_empty(),
            "{}: the functions call the store like this: {}\nand the floor like this: {}\n\
             Make the calls in benches/floor/examples the same",
            load.name(),
            functions.calls.join(", "),
            floor.calls.join(", "),
        );
        let native = exchange(Subject::Native)?;
        // The native server does without problem details.
        ensure!(
            functions.answer == native.answer || load == Load::Miss,
            "{}: the functions answer {:?}\nand the native server {:?}\nMake the answers in benches/native the same",
            load.name(),
            functions.answer,
            native.answer,
        );
    }
    Ok(())
}

/// Sends one request of a load to a server of its own.
fn exchange(
    surroundings: &Surroundings,
    prepared: &Prepared,
    load: Load,
    subject: Subject,
) -> Result<Exchange> {
    let users = if load == Load::PromoteChange {
        UNPROMOTED
    } else {
        THOUSAND
    };
    let contender = Contender { subject, users };
    let (state, _keep) = prepared.state(contender)?;
    let log = [("RUST_LOG", "host::store=debug")];
    let server = surroundings.start(contender, &state, &log)?;
    let before = logged(&server.output()).len();
    let answer = send(server.address(), load, &load.request(subject))?;
    // A creation is not over with its answer.
    let end = Instant::now() + Duration::from_secs(1);
    let is_over = |calls: &[String]| load != Load::Create || calls.iter().any(|call| call == "delete-many");
    loop {
        let calls = logged(&server.output()).split_off(before);
        if is_over(&calls) || subject == Subject::Native || Instant::now() > end {
            return Ok(Exchange { answer, calls });
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Sends the request with the number 1.
fn send(address: &str, load: Load, request: &Request) -> Result<Answer> {
    let number = format!("{:0digits$}", 1, digits = load.digits());
    let fill = |text: &str| text.replace("{}", &number);
    let mut builder = http::Request::builder()
        .method(request.method)
        .uri(format!("http://{address}{}", fill(request.path)));
    if let Some((name, value)) = request.header.and_then(|header| header.split_once(": ")) {
        builder = builder.header(name, fill(value));
    }
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let mut response = agent.run(builder.body(fill(request.body))?)?;
    ensure!(
        response.status() == request.status,
        "the answer is {}",
        response.status()
    );
    Ok(Answer {
        headers: response
            .headers()
            .keys()
            .map(|name| name.as_str().to_owned())
            .collect(),
        // What the floor answers is no text.
        body: String::from_utf8_lossy(&response.body_mut().read_to_vec()?).into_owned(),
    })
}

/// The operations in what the host logs of its store.
fn logged(output: &str) -> Vec<String> {
    output
        .lines()
        .filter(|line| line.contains("host::store"))
        .filter_map(|line| {
            let (_, operation) = line.split_once("operation=\"")?;
            Some(operation.split_once('"')?.0.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_found_in_the_log() {
        let log = "2026-11-23T06:27:40Z DEBUG host::store: component=get operation=\"get\" commit=false\n\
                   2026-11-23T06:27:40Z  WARN other: operation=\"x\"\n\
                   2026-11-23T06:27:40Z DEBUG host::store: component=set operation=\"set-many\" commit=true\n";
        assert_eq!(logged(log), ["get", "set-many"]);
    }
}
