//! What has to hold before anything is compared: the floor calls the store exactly as the functions do, and the native
//! server answers as they do.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};

use crate::load::{Changes, Load, Request};
use crate::server::Surroundings;
use crate::store::Prepared;
use crate::subject::{Contender, Host, Platform, Program, Stock, Subject};

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

/// Fails unless the floor makes the functions' calls of the store, in both worlds and on both stores, and the native
/// server gives their answers. Runs on the embedded host, which logs the calls. `go_on` returns an error to stop early.
pub(crate) fn check(
    surroundings: &Surroundings,
    prepared: &Prepared,
    go_on: &impl Fn() -> Result<()>,
) -> Result<()> {
    for platform in Platform::of(Host::Embedded) {
        for stock in [Stock::Thousand, Stock::Fresh] {
            go_on()?;
            let loads: Vec<_> = Load::COMPARED
                .into_iter()
                .filter(|load| load.stock() == stock)
                .collect();
            let all = |program| exchange_all(surroundings, prepared, platform.with(program, stock), &loads);
            let (functions, floor) = (all(Program::Functions)?, all(Program::Floor)?);
            for ((load, functions), floor) in loads.iter().zip(&functions).zip(&floor) {
                ensure!(
                    functions.calls == floor.calls && !floor.calls.is_empty(),
                    "{platform}, {}: the functions call the store like this: {}\nand the floor like this: {}\n\
                     Make the calls in benches/floor/examples the same",
                    load.name(),
                    functions.calls.join(", "),
                    floor.calls.join(", "),
                );
            }
        }
    }
    let loads = [Load::Hit, Load::Create, Load::Award, Load::AwardOne(Changes::Few)];
    let stock = Stock::Thousand;
    let [platform, ..] = Platform::of(Host::Embedded);
    let functions = platform.with(Program::Functions, stock);
    let functions = exchange_all(surroundings, prepared, functions, &loads)?;
    let native = Contender {
        subject: Subject::Native,
        stock,
    };
    let native = exchange_all(surroundings, prepared, native, &loads)?;
    for ((load, functions), native) in loads.iter().zip(&functions).zip(&native) {
        ensure!(
            functions.answer == native.answer,
            "{}: the functions answer {:?}\nand the native server {:?}\nMake the answers in benches/native the same",
            load.name(),
            functions.answer,
            native.answer,
        );
    }
    Ok(())
}

/// Sends one request of each load to a server of its own.
fn exchange_all(
    surroundings: &Surroundings,
    prepared: &Prepared,
    contender: Contender,
    loads: &[Load],
) -> Result<Vec<Exchange>> {
    let state = prepared.state(contender)?;
    let log = [("RUST_LOG", "host::store=debug")];
    let server = surroundings.start(contender.subject, &state, &log)?;
    let exchange = |load: Load| -> Result<Exchange> {
        let before = logged(&server.output()).len();
        let answer = send(server.address(), load, &load.request(contender.subject))?;
        let calls = logged(&server.output()).split_off(before);
        Ok(Exchange { answer, calls })
    };
    let exchange = |load: &Load| exchange(*load).with_context(|| format!("{contender}, {}", load.name()));
    loads.iter().map(exchange).collect()
}

/// Sends the request with the number 1.
fn send(address: &str, load: Load, request: &Request) -> Result<Answer> {
    let number = format!("{:0digits$}", 1, digits = load.digits());
    let fill = |text: &str| text.replace("{}", &number).replace("[]", "000000000001");
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
