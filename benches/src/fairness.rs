//! What has to hold before anything is compared: the floor calls the store exactly as the functions do, and the native
//! server answers as they do.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use http::header::LAST_MODIFIED;

use crate::load::{Load, Request};
use crate::server::{Server, Surroundings};
use crate::store::Prepared;
use crate::subject::{Contender, Host, Platform, Program, Stock, Subject};

/// How long the log of a host may take to show what was answered.
const LOG: Duration = Duration::from_mins(1);

/// What one request came to.
struct Exchange {
    load: Load,
    answer: Answer,
    /// The calls of the store.
    calls: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
struct Answer {
    headers: BTreeSet<String>,
    body: String,
}

/// A call of the store, as the embedded host logs it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Call {
    component: String,
    operation: String,
}

/// A read that finds nothing, whose calls are the last of a log that is complete.
struct Marker {
    path: &'static str,
    component: &'static str,
    /// How many times it calls `get`, and nothing else.
    gets: usize,
}

/// Fails unless floor and native server are what they are said to be: in both worlds and on both stores, on the embedded
/// host, which logs the calls. `go_on` fails when it is to end early.
pub(crate) fn check(
    surroundings: &Surroundings,
    prepared: &Prepared,
    go_on: &impl Fn() -> Result<()>,
) -> Result<()> {
    for platform in Platform::of(Host::Embedded) {
        for stock in [Stock::Thousand, Stock::Fresh] {
            go_on()?;
            let all = |contender| exchange_all(surroundings, prepared, contender);
            let functions = all(platform.with(Program::Functions, stock))?;
            check_floor(platform, &functions, &all(platform.with(Program::Floor, stock))?)?;
            if platform.is_default() {
                let subject = Subject::Native;
                check_native(&functions, &all(Contender { subject, stock })?)?;
            }
        }
    }
    Ok(())
}

fn check_floor(platform: Platform, functions: &[Exchange], floor: &[Exchange]) -> Result<()> {
    for (functions, floor) in functions.iter().zip(floor) {
        ensure!(
            functions.calls == floor.calls && !floor.calls.is_empty(),
            "{platform}, {}: the functions call the store like this: {}\nand the floor like this: {}\n\
             Make the calls in benches/floor/examples the same",
            floor.load.name(),
            functions.calls.join(", "),
            floor.calls.join(", "),
        );
    }
    Ok(())
}

fn check_native(functions: &[Exchange], native: &[Exchange]) -> Result<()> {
    let both = functions.iter().zip(native);
    for (functions, native) in both.filter(|(_, native)| native.load.is_native()) {
        ensure!(
            functions.answer == native.answer,
            "{}: the functions answer {:?}\nand the native server {:?}\nMake the answers in benches/native the same",
            native.load.name(),
            functions.answer,
            native.answer,
        );
    }
    Ok(())
}

/// Sends one request of each load with the contender's stock to a server of its own, one after the other.
fn exchange_all(
    surroundings: &Surroundings,
    prepared: &Prepared,
    contender: Contender,
) -> Result<Vec<Exchange>> {
    let state = prepared.state(contender)?;
    let log = [("RUST_LOG", "host::store=debug")];
    let server = surroundings.start(contender.subject, &state, &log)?;
    if let Subject::Components(_, program) = contender.subject {
        // The read that every server is started with.
        complete_log(&server, &Marker::after(Load::Hit, program), 0)?;
    }
    let exchange = |load: Load| {
        exchange(&server, contender.subject, load).with_context(|| format!("{contender}, {}", load.name()))
    };
    Load::COMPARED
        .into_iter()
        .filter(|load| load.stock() == contender.stock)
        .map(exchange)
        .collect()
}

/// Sends one request. Where the server logs its calls of the store, the log must be complete.
fn exchange(server: &Server, subject: Subject, load: Load) -> Result<Exchange> {
    let before = logged(&server.output()).len();
    let answer = send(server.address(), load, &load.request(subject))?;
    let calls = match subject {
        Subject::Components(_, program) => complete_log(server, &Marker::after(load, program), before)?,
        Subject::Native | Subject::Seed => Vec::new(),
    };
    let calls = calls.into_iter().map(|call| call.operation).collect();
    Ok(Exchange { load, answer, calls })
}

/// The calls that are logged after the first `before`, once those of the marker show that no more are to come.
fn complete_log(server: &Server, marker: &Marker, before: usize) -> Result<Vec<Call>> {
    let agent = agent();
    agent
        .get(format!("http://{}{}", server.address(), marker.path))
        .call()
        .with_context(|| format!("GET {}", marker.path))?;
    let end = Instant::now() + LOG;
    loop {
        let calls = logged(&server.output()).split_off(before);
        if let Some(calls) = marker.strip_from(&calls) {
            return Ok(calls.to_vec());
        }
        ensure!(
            Instant::now() < end,
            "the log does not show GET {} after {calls:?}",
            marker.path
        );
        thread::sleep(Duration::from_millis(1));
    }
}

impl Marker {
    /// A read by another component than the one that takes this load.
    fn after(load: Load, program: Program) -> Self {
        let is_read = matches!(
            load,
            Load::Hit | Load::Miss | Load::NotModified | Load::ReadOne(_)
        );
        let (path, component, gets) = match (program, is_read) {
            (Program::Floor, false) => ("/get/nobody", "get", 1),
            (Program::Floor, true) => ("/history/nobody", "history", 2),
            (_, false) => ("/user/nobody", "get-user", 1),
            (_, true) => ("/user/history/nobody", "get-history", 1),
        };
        Self {
            path,
            component,
            gets,
        }
    }

    /// The calls before those of this marker; `None` while its own are not all there.
    fn strip_from<'a>(&self, calls: &'a [Call]) -> Option<&'a [Call]> {
        let (before, own) = calls.split_at_checked(calls.len().checked_sub(self.gets)?)?;
        let is_own = |call: &Call| call.component == self.component && call.operation == "get";
        own.iter().all(is_own).then_some(before)
    }
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
    let mut response = agent().run(builder.body(fill(request.body))?)?;
    ensure!(
        response.status() == request.status,
        "the answer is {}",
        response.status()
    );
    // Writes change the user just before. The answer has a date only if that second is over.
    let is_certain = |name: &&http::HeaderName| request.method == "GET" || **name != LAST_MODIFIED;
    Ok(Answer {
        headers: response
            .headers()
            .keys()
            .filter(is_certain)
            .map(|name| name.as_str().to_owned())
            .collect(),
        // What the floor answers is no text.
        body: String::from_utf8_lossy(&response.body_mut().read_to_vec()?).into_owned(),
    })
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into()
}

/// The calls in what the host logs of its store.
fn logged(output: &str) -> Vec<Call> {
    let (whole_lines, _) = output.rsplit_once('\n').unwrap_or_default();
    whole_lines
        .lines()
        .filter(|line| line.contains("host::store"))
        .filter_map(|line| {
            let (_, call) = line.split_once("component=")?;
            let (component, call) = call.split_once(" operation=\"")?;
            Some(Call {
                component: component.to_owned(),
                operation: call.split_once('"')?.0.to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "2026-11-23T06:27:40Z DEBUG host::store: component=set operation=\"get\" commit=false\n\
                       2026-11-23T06:27:40Z  WARN other: component=set operation=\"x\"\n\
                       2026-11-23T06:27:40Z DEBUG host::store: component=set operation=\"set-many\" commit=true\n\
                       2026-11-23T06:27:40Z DEBUG host::store: component=get operation=\"get\" commit=false\n";

    #[test]
    fn calls_are_found_in_whole_lines_of_the_log() {
        let call = |component: &str, operation: &str| Call {
            component: component.to_owned(),
            operation: operation.to_owned(),
        };
        let calls = [call("set", "get"), call("set", "set-many"), call("get", "get")];
        assert_eq!(logged(LOG), calls);
        assert_eq!(logged(LOG.trim_end()), calls[..2]);
        assert_eq!(logged(""), []);
    }

    #[test]
    fn a_log_is_complete_once_it_ends_with_the_marker() {
        let calls = logged(LOG);
        let one = Marker::after(Load::Create, Program::Floor);
        assert_eq!(one.strip_from(&calls), Some(&calls[..2]));
        assert_eq!(one.strip_from(&calls[..2]), None);
        assert_eq!(one.strip_from(&[]), None);
        let two = Marker { gets: 2, ..one };
        assert_eq!(two.strip_from(&calls), None);
    }
}
