//! A WASI 0.2 function. Each of its paths shows one thing in which hosts may differ.
//!
//! | path | what it does |
//! |---|---|
//! | `/whole/<bytes>` | writes the body, then hands the response over |
//! | `/late/<bytes>` | hands the response over, and writes the body a moment later |
//! | `/read` | reads the whole request, then returns the size of its body in bytes |
//! | `/count` | returns the number of requests that this instance has served |
//! | `/after/<key>` | answers, then stores a value under the key |
//! | `/stored/<key>` | returns the value under the key, as read through each interface |
//! | `/variable/<name>` | returns the variable, as read through each interface |
//! | `/request` | returns the request: method, authority and headers, one per line |
//! | `/fetch/<url>` | fetches the URL, and returns the status and body of the response, or the error |
//! | `/redis/<url>` | appends to a stream of a Redis server, and returns the length of the stream, or the error |
//! | `/silent` | returns without a response |
//! | `/trap` | traps |
//!
//! `/confined` before a path leads to the same function, deployed as a component without permissions.

#[expect(clippy::pedantic, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        path: "../../host/wit",
        inline: "
            package tests:probe;
            world imports {
                import fermyon:spin/key-value@2.0.0;
                import fermyon:spin/redis@2.0.0;
                import fermyon:spin/variables@2.0.0;
                import wasi:config/store@0.2.0-draft-2024-09-27;
                import wasi:keyvalue/store@0.2.0-draft2;
                import wasi:keyvalue/atomics@0.2.0-draft2;
                import wasi:keyvalue/batch@0.2.0-draft2;
            }
        ",
        world: "tests:probe/imports",
        generate_all,
    });
}

use bindings::fermyon::spin;
use bindings::fermyon::spin::redis::{Connection, RedisParameter, RedisResult};
use bindings::wasi;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU32, Ordering};
use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingRequest, OutgoingBody, OutgoingRequest, OutgoingResponse, RequestOptions,
    ResponseOutparam, Scheme,
};

struct Probe;

wasip2::http::proxy::export!(Probe);

static REQUESTS: AtomicU32 = AtomicU32::new(0);

impl Guest for Probe {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        let served = REQUESTS.fetch_add(1, Ordering::Relaxed) + 1;
        let path = request.path_with_query().unwrap_or_default();
        let path = path.strip_prefix("/confined").unwrap_or(&path);
        let (action, argument) = path[1..].split_once(['/', '?']).unwrap_or((&path[1..], ""));
        match action {
            "whole" => respond(outparam, 200, &vec![b'x'; number(argument)]),
            "late" => respond_late(outparam, &vec![b'x'; number(argument)]),
            "read" => answer(outparam, Ok(read(&request).to_string())),
            "count" => answer(outparam, Ok(served.to_string())),
            "after" => {
                answer(outparam, Ok(String::new()));
                if let Err(error) = store(argument) {
                    eprintln!("{error}");
                }
            }
            "stored" => answer(outparam, stored(argument)),
            "variable" => answer(outparam, variable(argument)),
            "request" => answer(outparam, Ok(describe(&request))),
            "fetch" => answer(outparam, fetch(argument)),
            "redis" => answer(outparam, append(argument)),
            "silent" => {}
            _ => std::process::abort(),
        }
    }
}

fn number(text: &str) -> usize {
    text.parse().unwrap_or_else(|_| std::process::abort())
}

fn answer(outparam: ResponseOutparam, result: Result<String, String>) {
    match result {
        Ok(text) => respond(outparam, 200, text.as_bytes()),
        Err(text) => respond(outparam, 500, text.as_bytes()),
    }
}

fn response(status: u16, length: usize) -> OutgoingResponse {
    let fields = [("content-length".to_owned(), length.to_string().into_bytes())];
    let response = OutgoingResponse::new(or_abort(Fields::from_list(&fields)));
    or_abort(response.set_status_code(status));
    response
}

/// Writes the body before it hands the response over.
fn respond(outparam: ResponseOutparam, status: u16, content: &[u8]) {
    let response = response(status, content.len());
    let body = or_abort(response.body());
    write(&body, content);
    ResponseOutparam::set(outparam, Ok::<_, ErrorCode>(response));
    or_abort(OutgoingBody::finish(body, None));
}

/// Hands the response over some milliseconds before it writes the body.
fn respond_late(outparam: ResponseOutparam, content: &[u8]) {
    let response = response(200, content.len());
    let body = or_abort(response.body());
    ResponseOutparam::set(outparam, Ok::<_, ErrorCode>(response));
    subscribe_duration(5_000_000).block();
    write(&body, content);
    or_abort(OutgoingBody::finish(body, None));
}

/// Writes `content`, at most 64 KiB, without waiting for anyone to read it.
fn write(body: &OutgoingBody, content: &[u8]) {
    let stream = or_abort(body.write());
    if or_abort(stream.check_write()) < content.len() as u64 {
        std::process::abort();
    }
    or_abort(stream.write(content));
}

/// Reads the request to its end and returns the length of its body in bytes.
fn read(request: &IncomingRequest) -> usize {
    let body = or_abort(request.consume());
    let stream = or_abort(body.stream());
    let mut length = 0;
    while let Ok(bytes) = stream.blocking_read(64 << 10) {
        length += bytes.len();
    }
    length
}

fn store(key: &str) -> Result<(), String> {
    let bucket = wasi::keyvalue::store::open("default").map_err(text)?;
    bucket.set(key, b"stored").map_err(text)
}

/// The value under `key`, in words: each interface has to find the same one.
fn stored(key: &str) -> Result<String, String> {
    let bucket = wasi::keyvalue::store::open("default").map_err(text)?;
    let wasi = bucket.get(key).map_err(text)?;
    let batch = wasi::keyvalue::batch::get_many(&bucket, &[key.to_owned()]).map_err(text)?;
    let batch = batch.into_iter().next().and_then(|(_, value)| value);
    let cas = wasi::keyvalue::atomics::Cas::new(&bucket, key).map_err(text)?;
    let current = cas.current().map_err(text)?;
    let spin = spin::key_value::Store::open("default").map_err(text)?;
    let spin = spin.get(key).map_err(text)?;
    if [&batch, &current, &spin] != [&wasi; 3] {
        return Err(format!("{wasi:?}, {batch:?}, {current:?}, {spin:?}"));
    }
    Ok(wasi.map_or_else(
        || "absent".to_owned(),
        |value| String::from_utf8_lossy(&value).into_owned(),
    ))
}

/// The variable `name`: each interface has to find the same one.
fn variable(name: &str) -> Result<String, String> {
    let spin = spin::variables::get(name).map_err(text)?;
    let config = wasi::config::store::get(name).map_err(text)?;
    let all = wasi::config::store::get_all().map_err(text)?;
    let all = all
        .into_iter()
        .find(|(other, _)| other == name)
        .map(|(_, value)| value);
    if config.as_ref() != Some(&spin) || all.as_ref() != Some(&spin) {
        return Err(format!("{spin:?}, {config:?}, {all:?}"));
    }
    Ok(spin)
}

/// Method, authority and headers of a request, a line each.
fn describe(request: &IncomingRequest) -> String {
    let authority = request.authority().unwrap_or_default();
    let mut lines = vec![format!("{:?} {authority}", request.method())];
    for (name, value) in request.headers().entries() {
        lines.push(format!("{name}: {}", String::from_utf8_lossy(&value)));
    }
    lines.join("\n")
}

/// Gets `url`, and returns status and body of the response.
fn fetch(url: &str) -> Result<String, String> {
    let (scheme, rest) = url.split_once("://").ok_or("not a URL")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    let request = OutgoingRequest::new(Fields::new());
    or_abort(request.set_scheme(Some(&scheme)));
    or_abort(request.set_authority(Some(authority)));
    or_abort(request.set_path_with_query(Some(path)));
    let options = RequestOptions::new();
    or_abort(options.set_connect_timeout(Some(1_000_000_000)));
    or_abort(options.set_first_byte_timeout(Some(1_000_000_000)));
    let future = outgoing_handler::handle(request, Some(options)).map_err(text)?;
    future.subscribe().block();
    let response = or_abort(or_abort(future.get().ok_or(()))).map_err(text)?;
    let body = or_abort(response.consume());
    let stream = or_abort(body.stream());
    let mut content = Vec::new();
    while let Ok(bytes) = stream.blocking_read(64 << 10) {
        content.extend(bytes);
    }
    Ok(format!(
        "{} {}",
        response.status(),
        String::from_utf8_lossy(&content)
    ))
}

/// Appends an entry to the stream `probe` of the Redis server at `url`, and returns the length of the stream.
fn append(url: &str) -> Result<String, String> {
    let connection = Connection::open(url).map_err(text)?;
    let words = |words: &[&str]| -> Vec<RedisParameter> {
        let word = |word: &&str| RedisParameter::Binary(word.as_bytes().to_vec());
        words.iter().map(word).collect()
    };
    let added = connection.execute("XADD", &words(&["probe", "*", "name", "value"]));
    added.map_err(text)?;
    match connection
        .execute("XLEN", &words(&["probe"]))
        .map_err(text)?
        .as_slice()
    {
        [RedisResult::Int64(length)] => Ok(length.to_string()),
        other => Err(format!("{other:?}")),
    }
}

fn text(error: impl Debug) -> String {
    format!("{error:?}")
}

fn or_abort<T, E>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|_| std::process::abort())
}
