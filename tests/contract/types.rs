//! Compares the description with the Rust types: both must accept exactly the same.

use std::collections::BTreeSet;

use http::header::{HeaderMap, HeaderName, IF_MATCH};
use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Value, json};
use users::api::idempotency_key;
use users::api::preconditions::Preconditions;
use users::api::problem::Kind;
use users::domain::email;
use users::domain::json::InvalidDocument;
use users::domain::merge_patch::UserPatch;
use users::domain::points::Points;
use users::domain::points_request::{PointsRequest, Reason};
use users::domain::tier::{Thresholds, Tier};
use users::domain::user::User;
use users::domain::username::Username;

use crate::document::{DOCUMENT, Document};

/// The `type` of every kind of problem that the application has.
fn urns() -> BTreeSet<&'static str> {
    Kind::ALL.iter().map(|kind| kind.urn()).collect()
}

/// The kind of this `type`.
fn kind_of(urn: &Value) -> Kind {
    let found = Kind::ALL.iter().find(|kind| *urn == kind.urn());
    *found.unwrap_or_else(|| panic!("there is no kind {urn}"))
}

#[test]
fn every_kind_of_problem_is_described_and_no_other() {
    let described = DOCUMENT
        .at("/components/schemas/Problem/properties/type/enum")
        .as_array()
        .expect("a list");
    let described: Vec<_> = described.iter().filter_map(Value::as_str).collect();
    assert_eq!(described.iter().copied().collect::<BTreeSet<_>>(), urns());
    assert_eq!(described.len(), urns().len(), "each once");
}

#[test]
fn every_refusal_is_the_one_schema_of_problems() {
    for response in DOCUMENT.responses() {
        if response.status < 400 {
            continue;
        }
        let content = response.object["content"].as_object().expect("a body");
        assert_eq!(
            content.keys().collect::<Vec<_>>(),
            ["application/problem+json"],
            "{}",
            response.operation
        );
        assert_eq!(
            content["application/problem+json"]["schema"],
            json!({ "$ref": "#/components/schemas/Problem" }),
            "{} {}",
            response.operation,
            response.status
        );
        for example in Document::problems_of(&response) {
            let kind = kind_of(&example["type"]);
            let place = format!("{} {}", response.operation, kind.urn());
            assert_eq!(response.status, kind.status().as_u16(), "{place}");
            assert_eq!(example["status"], response.status, "{place}");
            assert_eq!(example["title"], kind.title(), "{place}");
            let has_errors = matches!(kind, Kind::InvalidUser | Kind::InvalidPoints);
            assert_eq!(example.get("errors").is_some(), has_errors, "{place}");
        }
    }
}

#[test]
fn the_manifest_answers_as_the_functions_do() {
    let answer = crate::routes::no_such_route();
    assert_eq!(kind_of(&answer["type"]), Kind::NoSuchRoute);
    assert_eq!(answer["title"], Kind::NoSuchRoute.title());
    assert_eq!(answer["status"], Kind::NoSuchRoute.status().as_u16());
}

#[test]
fn the_readme_lists_every_kind_of_problem_with_its_status() {
    let readme = std::fs::read_to_string(harness::root().join("README.md")).expect("a README");
    let (_, section) = readme
        .split_once("### Problems\n")
        .expect("a section on problems");
    let section = section.split("\n#").next().unwrap_or_default();
    let mut listed = BTreeSet::new();
    for row in section.lines().filter_map(|line| line.strip_prefix("| ")) {
        let cells: Vec<_> = row.split(" | ").collect();
        let [status, names, when] = cells[..] else {
            panic!("not a row of three cells: {row}");
        };
        let Ok(status) = status.parse::<u16>() else {
            // The head of the table.
            continue;
        };
        assert!(when.trim_end_matches(" |").len() > 3, "{row}");
        for name in names.split('`').skip(1).step_by(2) {
            assert!(
                listed.insert((status, format!("urn:problem:{name}"))),
                "twice: {name}"
            );
        }
    }
    let kinds: BTreeSet<_> = Kind::ALL
        .iter()
        .map(|kind| (kind.status().as_u16(), kind.urn().to_owned()))
        .collect();
    assert_eq!(listed, kinds);
}

#[test]
fn every_kind_of_problem_has_an_example() {
    let examples = DOCUMENT.problems();
    let shown: BTreeSet<_> = examples
        .iter()
        .filter_map(|problem| problem["type"].as_str())
        .collect();
    for urn in urns() {
        assert!(shown.contains(urn), "{urn}");
    }
}

#[test]
fn the_bounds_are_the_same() {
    let username = DOCUMENT.at("/components/schemas/Username");
    assert_eq!(username["maxLength"], Username::MAX_LENGTH);
    let points = DOCUMENT.at("/components/schemas/Points");
    assert_eq!(points["minimum"], Points::ZERO.get());
    assert_eq!(points["maximum"], Points::MAX.get());
    let change = DOCUMENT.at("/components/schemas/PointsChange/properties/points");
    assert_eq!(change["minimum"], -Points::MAX.get());
    assert_eq!(change["maximum"], Points::MAX.get());
    assert_eq!(
        *DOCUMENT.at("/components/schemas/Tier/enum"),
        json!(Tier::ALL.map(Tier::name))
    );
}

#[test]
fn the_rule_is_the_same() {
    let described = DOCUMENT
        .at("/paths/~1user~1promote~1{username}/put/description")
        .as_str()
        .expect("a text");
    let (gold, silver) = (
        Thresholds::STANDARD.gold_above().get(),
        Thresholds::STANDARD.silver_above().get(),
    );
    let rule = format!("more than {gold} are `Gold`, more than {silver} `Silver`, fewer\nor none `Bronze`");
    assert!(described.contains(&rule), "{described}");
}

#[test]
fn the_limits_of_a_body_are_the_same() {
    let described = DOCUMENT.at("/info/description").as_str().expect("a text");
    assert!(described.contains("at most 64 levels"), "{described}");
    // The body itself is the first level.
    let nested = |depth: usize| {
        format!(
            r#"{{"username":"a","b":{}{}}}"#,
            "[".repeat(depth - 1),
            "]".repeat(depth - 1)
        )
    };
    assert!(User::from_client(nested(64).as_bytes()).is_ok());
    assert!(User::from_client(nested(65).as_bytes()).is_err());
}

/// Texts that nearly match a form, and some that do not at all.
fn nearly(form: &'static str) -> impl Strategy<Value = String> {
    let near =
        (form, any::<prop::sample::Index>(), "[ -~]|[A-Za-z0-9]|\\PC|").prop_map(|(text, index, extra)| {
            let mut characters: Vec<char> = text.chars().collect();
            let at = index.index(characters.len() + 1);
            characters.splice(at..at, extra.chars());
            characters.into_iter().collect()
        });
    prop_oneof![4 => form, 4 => near, 1 => ".{0,80}"]
}

/// Numbers near the bounds of points, and others, each in some spelling.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        (-3_i64..3).prop_map(|offset| (Points::MAX.get() + offset).to_string()),
        (-3_i64..3).prop_map(|offset| (-Points::MAX.get() + offset).to_string()),
        "-?(0|[1-9][0-9]{0,2})(\\.[0-9]{1,2})?([eE][+-]?[0-2])?",
    ]
}

/// Values for a member: mostly valid ones, sometimes any.
fn value(fit: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = String> {
    let other = prop_oneof![
        Just("null"),
        Just("true"),
        Just("\"\""),
        Just("\"Gold\""),
        Just("[]"),
        Just("{\"a\":1}")
    ];
    prop_oneof![5 => fit, 1 => other.prop_map(str::to_owned), 1 => number()]
}

/// The text of an object of these members, each there with its probability.
fn object(members: Vec<(&'static str, BoxedStrategy<String>, f64)>) -> impl Strategy<Value = String> {
    let members: Vec<_> = members
        .into_iter()
        .map(|(name, value, probability)| {
            let member = value.prop_map(move |value| format!("{name:?}:{value}"));
            prop::option::weighted(probability, member)
        })
        .collect();
    members.prop_map(|members| {
        let members: Vec<_> = members.into_iter().flatten().collect();
        format!("{{{}}}", members.join(","))
    })
}

fn quoted(form: &'static str) -> BoxedStrategy<String> {
    nearly(form)
        .prop_map(|text| Value::from(text).to_string())
        .boxed()
}

/// The same without characters beyond ASCII, on which the description and the parser of addresses may differ.
fn quoted_ascii(form: &'static str) -> BoxedStrategy<String> {
    nearly(form)
        .prop_map(|text| Value::from(text.chars().filter(char::is_ascii).collect::<String>()).to_string())
        .boxed()
}

const EMAIL: &str = concat!(
    r#"([a-z.]{1,5}|[a-zà-öø-ÿα-ω]{1,5}|[!-~]{1,2}|[a-z]{62,66}|"([a-z@ ö]|\\["\\a]){0,3}")@"#,
    r"([a-zà-öа-я-]{1,5}(\.[a-zа-я]{1,3}){0,2}|[a-z0-9-]{1,3}(\.[a-z-]{1,2}){0,2}|[a-z]{62,64}(\.[a-z]{60}){2,3}|\[[0-9]{1,3}(\.[0-9]{1,2}){3}\]",
    r"|\[IPv6:([0-9a-fA-F]{1,4}:){0,7}:?(:[0-9a-f]{1,2}){0,7}(:?[0-9]{1,3}(\.[0-9]{1,2}){3})?\])",
);

fn agree(validator: &Validator, text: &str, parsed: bool) -> Result<(), TestCaseError> {
    prop_assert_eq!(validator.is_valid(&Value::from(text)), parsed, "{}", text);
    Ok(())
}

/// Checks a request body against its schema; `refusal` is why it was refused, if it was.
fn agree_on_body(
    validator: &Validator,
    body: &str,
    refusal: Option<InvalidDocument>,
) -> Result<(), TestCaseError> {
    let document: Value = serde_json::from_str(body).expect("JSON");
    prop_assert_eq!(validator.is_valid(&document), refusal.is_none(), "{}", body);
    if let Some(InvalidDocument::Invalid(violations)) = refusal {
        let violation = DOCUMENT.schema("Violation");
        prop_assert!(!violations.is_empty());
        for found in violations {
            prop_assert!(
                violation.is_valid(&serde_json::to_value(&found).expect("JSON")),
                "{:?}",
                found
            );
        }
    }
    Ok(())
}

/// Runs one property often, with a validator that is made once.
fn holds<S: Strategy>(
    schema: &str,
    strategy: S,
    property: impl Fn(&Validator, S::Value) -> Result<(), TestCaseError>,
) {
    let validator = DOCUMENT.schema(schema);
    let config = ProptestConfig {
        cases: 4096,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    runner
        .run(&strategy, |value| property(&validator, value))
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn usernames_are_the_same() {
    holds(
        "Username",
        nearly("[A-Za-z0-9._-]{0,3}|[A-Za-z0-9][A-Za-z0-9._-]{0,70}"),
        |schema, text| agree(schema, &text, text.parse::<Username>().is_ok()),
    );
}

#[test]
fn email_addresses_are_the_same() {
    holds("Email", nearly(EMAIL), |schema, text| {
        if text.is_ascii() {
            return agree(schema, &text, email::check(&text).is_ok());
        }
        // A pattern can neither count bytes nor know every character.
        if email::check(&text).is_ok() {
            prop_assert!(schema.is_valid(&Value::from(text)));
        }
        Ok(())
    });
}

#[test]
fn international_email_addresses_are_described() {
    let validator = DOCUMENT.schema("Email");
    for address in [
        "jörg@müller.example",
        "用户@例子.广告",
        "\"jörg müller\"@example.com",
        "a@b.한국",
    ] {
        assert!(
            email::check(address).is_ok() && validator.is_valid(&Value::from(address)),
            "{address}"
        );
    }
    for address in [
        "jörg",
        "jörg müller@example.com",
        "jörg@-müller.example",
        "jörg@mü_ller.example",
    ] {
        assert!(
            email::check(address).is_err() && !validator.is_valid(&Value::from(address)),
            "{address}"
        );
    }
}

#[test]
fn idempotency_keys_are_the_same() {
    holds(
        "IdempotencyKey",
        nearly("[!-~]{0,4}|[!-~]{250,260}|\"([ -~]|\\\\[\"\\\\]){0,4}\"|\"[a-z ]{250,260}\"")
            // A header in ASCII, as HTTP strips it.
            .prop_map(|text| {
                let text: String = text.chars().filter(|c| matches!(c, ' '..='~')).collect();
                text.trim().to_owned()
            }),
        |schema, text| {
            let headers = HeaderMap::from_iter([(
                HeaderName::from_static("idempotency-key"),
                text.parse().expect("a header"),
            )]);
            agree(schema, &text, idempotency_key::from_headers(&headers).is_ok())
        },
    );
}

#[test]
fn lists_of_entity_tags_are_the_same() {
    // A header in ASCII, as HTTP strips it.
    let lists = nearly(
        "\\*|(,[ \t]{0,2}){0,2}(W/)?\"[!#-~]{0,3}\"([ \t]?,?[ \t]?(W/)?\"[!#-~]{0,3}\"){0,3}[ \t,]{0,2}",
    )
    .prop_map(|text| {
        let text: String = text.chars().filter(|c| matches!(c, '\t' | ' '..='~')).collect();
        text.trim().to_owned()
    });
    holds("EntityTags", lists, |schema, text| {
        let headers = HeaderMap::from_iter([(IF_MATCH, text.parse().expect("a header"))]);
        agree(schema, &text, Preconditions::from_headers(&headers).is_ok())
    });
}

#[test]
fn points_are_the_same() {
    holds("Points", number(), |schema, text| {
        let number: Value = serde_json::from_str(&text).expect("a number");
        prop_assert_eq!(
            schema.is_valid(&number),
            Points::from_json_number(&text).is_ok(),
            "{}",
            text
        );
        Ok(())
    });
}

#[test]
fn new_users_are_the_same() {
    let bodies = object(vec![
        ("username", value(quoted("[a-z.]{1,3}")).boxed(), 0.9),
        ("email", value(quoted_ascii("[a-z]{1,2}@[a-z]{1,2}")).boxed(), 0.5),
        ("points", value(number()).boxed(), 0.5),
        ("status", value(quoted("Gold|Silver")).boxed(), 0.1),
        ("other", value(number()).boxed(), 0.3),
        ("Status", value(number()).boxed(), 0.1),
        ("ſtatuſ", value(number()).boxed(), 0.1),
        ("emaıl", value(number()).boxed(), 0.1),
        ("stat", value(number()).boxed(), 0.1),
    ]);
    holds("NewUser", bodies, |schema, body| {
        agree_on_body(schema, &body, User::from_client(body.as_bytes()).err())
    });
}

#[test]
fn patches_of_users_are_the_same() {
    let bodies = object(vec![
        ("email", value(quoted_ascii("[a-z]{1,2}@[a-z]{1,2}")).boxed(), 0.5),
        ("username", value(quoted("[a-z]")).boxed(), 0.1),
        ("points", value(number()).boxed(), 0.1),
        ("status", value(number()).boxed(), 0.1),
        ("POINTS", value(number()).boxed(), 0.1),
        ("ﬆatus", value(number()).boxed(), 0.1),
        ("other", value(number()).boxed(), 0.5),
    ]);
    holds("UserPatch", bodies, |schema, body| {
        agree_on_body(schema, &body, UserPatch::from_client(body.as_bytes()).err())
    });
}

#[test]
fn requests_for_points_are_the_same() {
    let bodies = object(vec![
        ("points", value(number()).boxed(), 0.6),
        ("reverses", value(number()).boxed(), 0.4),
        ("reason", value(quoted("[a-z ]{1,9}")).boxed(), 0.4),
        ("other", value(number()).boxed(), 0.1),
    ]);
    holds("PointsRequest", bodies, |schema, body| {
        agree_on_body(schema, &body, PointsRequest::from_client(body.as_bytes()).err())
    });
}

#[test]
fn reasons_are_the_same() {
    holds(
        "Reason",
        nearly("\\PC{0,4}|[a-zé😀]{196,204}"),
        |schema, text| agree(schema, &text, text.parse::<Reason>().is_ok()),
    );
    let validator = DOCUMENT.schema("Reason");
    for text in ["a\nb", "\u{7f}", "\u{85}", "\0"] {
        assert!(
            text.parse::<Reason>().is_err() && !validator.is_valid(&Value::from(text)),
            "{text:?}"
        );
    }
}

#[test]
fn what_is_no_object_is_refused_by_both() {
    for body in ["null", "[]", "1", "\"{}\""] {
        let document: Value = serde_json::from_str(body).expect("JSON");
        assert!(!DOCUMENT.schema("NewUser").is_valid(&document));
        assert!(!DOCUMENT.schema("PointsRequest").is_valid(&document));
        assert!(!DOCUMENT.schema("UserPatch").is_valid(&document));
        assert!(User::from_client(body.as_bytes()).is_err());
        assert!(UserPatch::from_client(body.as_bytes()).is_err());
        assert!(PointsRequest::from_client(body.as_bytes()).is_err());
    }
}

#[test]
fn records_with_a_status_are_users() {
    for tier in Tier::ALL {
        let user = User::from_client(br#"{"username":"a","b":[]}"#)
            .expect("a user")
            .with_status(tier);
        let record: Value = serde_json::from_str(&user.to_json()).expect("JSON");
        assert!(DOCUMENT.schema("PromotedUser").is_valid(&record), "{record}");
    }
}
