//! Requests to change points: the body of `POST /user/points/:username`.

use crate::domain::json::{self, InvalidDocument, Object, Violation};
use crate::domain::points::{InvalidNumber, PointsDelta, integer};
use std::fmt;
use std::str::FromStr;

/// A requested change of points, with an optional reason.
///
/// ```
/// use users::domain::points_request::{Amount, PointsRequest};
///
/// let request = PointsRequest::from_client(br#"{"reverses":7,"reason":"goods came back"}"#).unwrap();
/// assert_eq!(request.amount, Amount::Reverses(7));
/// assert_eq!(request.reason.unwrap().as_str(), "goods came back");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointsRequest {
    /// The amount of the change.
    pub amount: Amount,
    /// Why, in the client's words.
    pub reason: Option<Reason>,
}

/// The amount by which points change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// This number: an award or a redemption.
    Points(PointsDelta),
    /// Whatever undoes the change with this sequence number, 1 to 2^53-1.
    Reverses(u64),
}

impl PointsRequest {
    /// Reads what a client sends: an object with either `points` or `reverses`, and optionally `reason`.
    ///
    /// # Errors
    /// Returns [`InvalidDocument`] if the body is not JSON, or not such an object.
    pub fn from_client(body: &[u8]) -> Result<Self, InvalidDocument> {
        Object::read_strictly(body, |members, violations| {
            let mut refuse = |name: &str, why: &dyn fmt::Display| {
                violations.push(Violation::of_member(name, why));
            };
            for name in members.names() {
                if !["points", "reverses", "reason"].contains(&name) {
                    refuse(
                        name,
                        &"must not be given: only points, reverses and reason are allowed",
                    );
                }
            }
            let amount = match (members.get("points"), members.get("reverses")) {
                (Some(points), None) => change(points)
                    .map(Amount::Points)
                    .map_err(|why| refuse("points", &why))
                    .ok(),
                (None, Some(reverses)) => sequence(reverses)
                    .map(Amount::Reverses)
                    .map_err(|why| refuse("reverses", &why))
                    .ok(),
                (None, None) => {
                    refuse("points", &"is required, unless reverses is given");
                    None
                }
                (Some(_), Some(_)) => {
                    refuse("reverses", &"must not be given together with points");
                    None
                }
            };
            let reason = members.get("reason").map(|value| {
                let text = json::string_from(value).ok_or(InvalidReason::NotAString);
                text.and_then(|text| text.parse())
                    .map_err(|why: InvalidReason| refuse("reason", &why))
            });
            Some(Self {
                amount: amount?,
                reason: reason.transpose().ok()?,
            })
        })
    }

    /// Writes the request in one canonical spelling, however the client spelled it. Two requests under one idempotency key
    /// are the same if these texts are equal.
    #[must_use]
    pub fn to_canonical_json(&self) -> String {
        let mut json = match self.amount {
            Amount::Points(change) => format!(r#"{{"points":{}"#, change.get()),
            Amount::Reverses(sequence) => format!(r#"{{"reverses":{sequence}"#),
        };
        if let Some(Reason(reason)) = &self.reason {
            json.push_str(r#","reason":"#);
            json.push_str(&json::string(reason));
        }
        json.push('}');
        json
    }
}

fn change(value: &str) -> Result<PointsDelta, InvalidNumber> {
    if json::is_number(value) {
        PointsDelta::from_json_number(value)
    } else {
        Err(InvalidNumber::NotAnInteger)
    }
}

/// Reads the sequence number of an entry of a history.
fn sequence(value: &str) -> Result<u64, &'static str> {
    let number = json::is_number(value).then(|| integer(value));
    number
        .and_then(|number| u64::try_from(number.ok()?).ok())
        .filter(|sequence| *sequence > 0)
        .ok_or(
            "must be the sequence number of an award or a redemption: an integer from 1 to 9007199254740991",
        )
}

/// The reason for a change of points: 1 to 200 characters without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// The maximum number of characters (Unicode scalar values) in a reason.
    pub const MAX_LENGTH: usize = 200;

    /// The reason as the client wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Reason {
    type Err = InvalidReason;

    fn from_str(text: &str) -> Result<Self, InvalidReason> {
        if text.is_empty() {
            Err(InvalidReason::Empty)
        } else if text.chars().count() > Self::MAX_LENGTH {
            Err(InvalidReason::TooLong)
        } else if text.chars().any(char::is_control) {
            Err(InvalidReason::ControlCharacter)
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

/// Why a value is not a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidReason {
    /// It is not a string.
    NotAString,
    /// It has no characters.
    Empty,
    /// It has more than [`Reason::MAX_LENGTH`] characters.
    TooLong,
    /// It has a line break or another control character.
    ControlCharacter,
}

impl fmt::Display for InvalidReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAString => "must be a string",
            Self::Empty => "must not be empty: leave it out if there is no reason",
            Self::TooLong => "must have at most 200 characters",
            Self::ControlCharacter => "must not contain control characters such as line breaks",
        })
    }
}

impl std::error::Error for InvalidReason {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(body: &str) -> PointsRequest {
        PointsRequest::from_client(body.as_bytes()).unwrap_or_else(|why| panic!("{body}: {why:?}"))
    }

    fn pointers(body: &str) -> Vec<String> {
        match PointsRequest::from_client(body.as_bytes()) {
            Err(InvalidDocument::Invalid(violations)) => violations
                .into_iter()
                .map(|violation| violation.pointer)
                .collect(),
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn awards_redemptions_and_reversals_are_read() {
        for (body, canonical) in [
            (r#"{"points":30}"#, r#"{"points":30}"#),
            (r#"{ "points" : -3e1 }"#, r#"{"points":-30}"#),
            (r#"{"reverses":7.0}"#, r#"{"reverses":7}"#),
            (
                r#"{"reverses":9007199254740991}"#,
                r#"{"reverses":9007199254740991}"#,
            ),
            (
                r#"{"reason":"order \u00e9\"7","points":1}"#,
                r#"{"points":1,"reason":"order é\"7"}"#,
            ),
        ] {
            assert_eq!(read(body).to_canonical_json(), canonical);
            assert_eq!(read(canonical), read(body));
        }
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        for (body, expected) in [
            ("{}", &["/points"][..]),
            (r#"{"points":0}"#, &["/points"]),
            (r#"{"points":"1"}"#, &["/points"]),
            (r#"{"points":null}"#, &["/points"]),
            (r#"{"points":1,"reverses":1}"#, &["/reverses"]),
            (r#"{"reverses":0}"#, &["/reverses"]),
            (r#"{"reverses":-1}"#, &["/reverses"]),
            (r#"{"reverses":1.5}"#, &["/reverses"]),
            (r#"{"reverses":"1"}"#, &["/reverses"]),
            (r#"{"reverses":null}"#, &["/reverses"]),
            (r#"{"reverses":9007199254740992}"#, &["/reverses"]),
            (r#"{"reverses":99999999999999999999}"#, &["/reverses"]),
            (r#"{"points":1,"reason":""}"#, &["/reason"]),
            (r#"{"points":1,"reason":null}"#, &["/reason"]),
            (r#"{"points":1,"reason":"a\nb"}"#, &["/reason"]),
            (r#"{"points":1,"reason":"\u0085"}"#, &["/reason"]),
            (r#"{"point":1,"reason":7}"#, &["/point", "/points", "/reason"]),
            ("[]", &[""]),
        ] {
            assert_eq!(pointers(body), expected, "{body}");
        }
        let many: Vec<_> = (0..100).map(|number| format!(r#""m{number}":1"#)).collect();
        assert_eq!(
            pointers(&format!("{{{}}}", many.join(","))).len(),
            json::VIOLATION_LIMIT
        );
    }

    #[test]
    fn a_reason_has_at_most_200_characters_whatever_their_bytes() {
        for character in ["x", "é", "😀"] {
            assert!(character.repeat(200).parse::<Reason>().is_ok());
            assert_eq!(
                character.repeat(201).parse::<Reason>(),
                Err(InvalidReason::TooLong)
            );
        }
    }

    proptest! {
        #[test]
        fn a_request_is_read_back_from_its_canonical_form(points in 1_i64..(1 << 53), reason in "\\PC{1,30}") {
            let body = format!(r#"{{"points":{points},"reason":{}}}"#, json::string(&reason));
            let request = read(&body);
            prop_assert_eq!(request.reason.as_ref().map(Reason::as_str), Some(reason.as_str()));
            prop_assert_eq!(read(&request.to_canonical_json()), request);
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = PointsRequest::from_client(&bytes);
        }
    }
}
