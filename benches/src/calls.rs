//! The floor is one only as long as it calls the store exactly as the functions do.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::plan::{Contender, Load, Request, Subject, THOUSAND};
use crate::server::Surroundings;
use crate::store::Prepared;

/// One load for each way in which the functions call the store.
const COMPARED: [Load; 5] = [
    Load::Hit,
    Load::Create,
    Load::AwardSpread,
    Load::PromoteNoop,
    Load::PromoteChange,
];

/// Fails unless the floor makes the functions' calls of the store, in their order.
pub(crate) fn compare(surroundings: &Surroundings, prepared: &Prepared) -> Result<()> {
    for load in COMPARED {
        let functions = calls(surroundings, prepared, load, Subject::Functions)?;
        let floor = calls(surroundings, prepared, load, Subject::Floor)?;
        ensure!(
            functions == floor && !functions.is_empty(),
            "{}: the functions call the store like this: {}\nand the floor like this: {}\n\
             Make the calls in benches/floor/examples the same",
            load.name(),
            functions.join(", "),
            floor.join(", "),
        );
    }
    Ok(())
}

/// The calls that one request of a load makes of the store.
fn calls(
    surroundings: &Surroundings,
    prepared: &Prepared,
    load: Load,
    subject: Subject,
) -> Result<Vec<String>> {
    let users = load
        .contenders(1, false)
        .first()
        .map_or(THOUSAND, |contender| contender.users);
    let contender = Contender { subject, users };
    let (state, _keep) = prepared.state(contender)?;
    let log = [("RUST_LOG", "host::store=debug")];
    let server = surroundings.start(contender, &state, &log)?;
    let before = logged(&server.output()).len();
    send(server.address(), &load.request(subject))?;
    // What is done behind the client's back is done within this time; of most loads that is nothing.
    let end = Instant::now() + Duration::from_secs(1);
    let is_complete =
        |calls: &[String]| load != Load::Create || calls.iter().any(|call| call == "delete-many");
    loop {
        let calls = logged(&server.output()).split_off(before);
        if is_complete(&calls) || Instant::now() > end {
            return Ok(calls);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Sends one request with the number 1.
fn send(address: &str, request: &Request) -> Result<()> {
    let digits = if request.path.contains("new") || request.body.contains("new") {
        "000000000001"
    } else {
        "000001"
    };
    let mut builder = http::Request::builder()
        .method(request.method)
        .uri(format!("http://{address}{}", request.path.replace("{}", digits)));
    if let Some((name, value)) = request.header.and_then(|header| header.split_once(": ")) {
        builder = builder.header(name, value.replace("{}", digits));
    }
    let sent = builder.body(request.body.replace("{}", digits))?;
    let status = ureq::run(sent)
        .with_context(|| format!("{} {}", request.method, request.path))?
        .status();
    ensure!(
        status == request.status,
        "{} {}: {status}",
        request.method,
        request.path
    );
    Ok(())
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
