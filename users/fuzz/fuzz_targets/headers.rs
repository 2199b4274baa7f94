//! Header fields: preconditions and idempotency keys. The input is lines of `name: value`.

#![no_main]

use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};
use users::api::idempotency_key;
use users::api::preconditions::Preconditions;
use users::api::problem::Kind;
use users::domain::tier::Promotion;
use users::domain::user::User;
use users::storage::Draft;
use users::storage::envelope::Envelope;
use users::storage::operation::{IdempotencyKey, Operation};

static USER: LazyLock<User> =
    LazyLock::new(|| User::from_client(br#"{"username":"john"}"#).expect("a valid record"));

/// A record of revision `1-000000000001`, changed at 1994-11-15 12:45:26.789 GMT.
static RECORD: LazyLock<Envelope> = LazyLock::new(|| {
    let changed = SystemTime::UNIX_EPOCH + Duration::from_millis(784_903_526_789);
    let draft = Draft::creation(&USER, &Promotion::STANDARD);
    Envelope::new(&draft, &Operation::fresh(1), None, changed.into(), None)
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
    match idempotency_key::from_headers(&headers) {
        Ok(Some(key)) => operations(&key),
        Ok(None) => assert!(!headers.contains_key("idempotency-key")),
        Err(problem) => assert_eq!(problem.kind(), Kind::MalformedHeader),
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
        // Reads and writes treat only If-None-Match and If-Modified-Since differently.
        (Err(_), Err(_)) => assert!(has(IF_MATCH) || has(IF_UNMODIFIED_SINCE)),
        (Ok(not_modified), write) if has(IF_NONE_MATCH) => assert_eq!(not_modified, write.is_err()),
        (Ok(not_modified), write) => {
            assert!(!not_modified || has(IF_MODIFIED_SINCE));
            assert!(write.is_ok());
        }
        (Err(_), Ok(())) => panic!("a precondition of reads alone"),
    }
}

fn operations(key: &IdempotencyKey) {
    let creation = Operation::creation(key, &USER);
    let award = Operation::change_of_points(key, USER.username(), 1, r#"{"points":1}"#);
    assert_ne!(creation.id(), award.id());
    for operation in [creation, award] {
        assert_eq!(operation.to_string().parse(), Ok(operation));
    }
}
