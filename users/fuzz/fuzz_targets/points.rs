//! The body of `POST /user/points/{username}`, and numbers of points by themselves.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use users::api::Problem;
use users::api::problem::Kind;
use users::domain::points::{PointsDelta, InvalidNumber, Points};
use users::domain::points_request::{Amount, PointsRequest};

fuzz_target!(|bytes: &[u8]| {
    match PointsRequest::from_client(bytes) {
        Ok(request) => is_a_request(&request),
        Err(why) => {
            let kind = Problem::invalid_points(why).kind();
            assert!(matches!(kind, Kind::MalformedJson | Kind::InvalidPoints));
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && is_number(text)
    {
        is_evaluated(text);
    }
});

fn is_a_request(request: &PointsRequest) {
    let canonical = request.to_canonical_json();
    assert_eq!(
        PointsRequest::from_client(canonical.as_bytes()).as_ref(),
        Ok(request)
    );
    match request.amount {
        Amount::Points(change) => is_a_change(change),
        Amount::Reverses(sequence) => assert!((1..1 << 53).contains(&sequence)),
    }
}

fn is_a_change(change: PointsDelta) {
    let number = change.get();
    assert!(number != 0 && number.abs() <= Points::MAX.get());
    for before in [Points::ZERO, Points::MAX] {
        if let Ok(after) = before.plus(change.get()) {
            assert_eq!(after.get() - before.get(), number);
        }
    }
}

/// Compares with the standard library's evaluation, which is exact except for the last bit of large or long numbers.
#[expect(
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "integers up to 2^53 are exact"
)]
fn is_evaluated(text: &str) {
    let Ok(value) = text.parse::<f64>() else {
        panic!("a number to JSON alone: {text}");
    };
    match Points::from_json_number(text) {
        Ok(points) => assert_eq!(points.get() as f64, value, "{text}"),
        Err(InvalidNumber::OutOfRange) => {
            assert!(value < 0.0 || value >= Points::MAX.get() as f64, "{text}");
        }
        Err(InvalidNumber::NotAnInteger) => assert!(text.contains(['.', 'e', 'E']), "{text}"),
        Err(InvalidNumber::Zero) => panic!("zero points are points: {text}"),
    }
}

fn is_number(text: &str) -> bool {
    text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
        && text.ends_with(|last: char| last.is_ascii_digit())
        && serde_json::from_str::<IgnoredAny>(text).is_ok()
}
