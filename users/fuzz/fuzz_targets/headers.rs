//! Header fields: preconditions and idempotency keys. The input is lines of `name: value`.

#![no_main]

use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};
use users::envelope::Envelope;
use users::http::Preconditions;
use users::http::problem::Kind;
use users::operation::{IdempotencyKey, Operation};
use users::points::Change;
use users::user::User;

static USER: LazyLock<User> =
    LazyLock::new(|| User::from_client(br#"{"username":"john"}"#).expect("a valid record"));

/// A record of revision `1-000000000001`, changed at 1994-11-15 12:45:26.789 GMT.
static RECORD: LazyLock<Envelope> = LazyLock::new(|| {
    let changed = SystemTime::UNIX_EPOCH + Duration::from_millis(784_903_526_789);
    Envelope::new(&USER, Operation::fresh(1), changed)
});

fuzz_target!(|bytes: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name),
            HeaderValue::from_bytes(value.strip_prefix(b":").unwrap_or_default().trim_ascii()),
        ) {
            headers.append(name, value);
        }
    }
    preconditions(&headers);
    for value in headers.get_all("idempotency-key") {
        if let Ok(Ok(key)) = value.to_str().map(str::parse) {
            idempotency_key(&key);
        }
    }
});

fn preconditions(headers: &HeaderMap) {
    let preconditions = match Preconditions::from_headers(headers) {
        Ok(preconditions) => preconditions,
        Err(problem) => {
            assert_eq!(problem.kind(), Kind::MalformedHeader);
            return;
        }
    };
    let has = |name| headers.contains_key(name);
    match (preconditions.not_modified(&RECORD), preconditions.check(&RECORD)) {
        // Reads and writes differ in what they make of If-None-Match and If-Modified-Since alone.
        (Err(_), Err(_)) => assert!(has(IF_MATCH) || has(IF_UNMODIFIED_SINCE)),
        (Ok(not_modified), write) if has(IF_NONE_MATCH) => assert_eq!(not_modified, write.is_err()),
        (Ok(not_modified), write) => {
            assert!(!not_modified || has(IF_MODIFIED_SINCE));
            assert!(write.is_ok());
        }
        (Err(_), Ok(())) => panic!("a precondition of reads alone"),
    }
}

fn idempotency_key(key: &IdempotencyKey) {
    let change = Change::from_json_number("1").expect("a valid change");
    let creation = Operation::creation(key, &USER);
    let award = Operation::award(key, USER.username(), change);
    assert_ne!(creation.id(), award.id());
    for operation in [creation, award] {
        assert_eq!(operation.to_string().parse(), Ok(operation));
    }
}
