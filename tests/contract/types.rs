//! The description against the Rust types: each property test accepts in one exactly what it accepts in the other.

use std::collections::BTreeSet;

use http::header::{HeaderMap, IF_MATCH};
use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Value, json};
use users::email::Email;
use users::http::preconditions::Preconditions;
use users::http::problem::Kind;
use users::json::InvalidDocument;
use users::operation::IdempotencyKey;
use users::points::{Change, Points};
use users::tier::{Thresholds, Tier};
use users::user::User;
use users::username::Username;

use crate::document::DOCUMENT;

/// The kinds of problem that the application has: type, status, title.
fn kinds() -> BTreeSet<(String, u64, String)> {
    let of_functions = Kind::ALL.into_iter().map(|kind| {
        let (status, r#type, title) = kind.table();
        (r#type.to_owned(), u64::from(status.as_u16()), title.to_owned())
    });
    let no_such_route = crate::routes::no_such_route();
    let text = |name: &str| no_such_route[name].as_str().expect("a text").to_owned();
    let of_manifest = (
        text("type"),
        no_such_route["status"].as_u64().expect("a status"),
        text("title"),
    );
    of_functions.chain([of_manifest]).collect()
}

/// The same of a schema of the description.
fn kind_of(schema: &Value) -> (String, u64, String) {
    let constant = |name: &str| &schema["properties"][name]["const"];
    (
        constant("type").as_str().expect("a type").to_owned(),
        constant("status").as_u64().expect("a status"),
        constant("title").as_str().expect("a title").to_owned(),
    )
}

#[test]
fn every_kind_of_problem_is_described_and_no_other() {
    let alternatives = DOCUMENT
        .at("/components/schemas/Problem/oneOf")
        .as_array()
        .expect("a list");
    let described: Vec<_> = alternatives
        .iter()
        .map(|schema| kind_of(DOCUMENT.resolve(schema)))
        .collect();
    assert_eq!(described.iter().cloned().collect::<BTreeSet<_>>(), kinds());
    assert_eq!(described.len(), kinds().len(), "each once");

    let mapping = DOCUMENT.at("/components/schemas/Problem/discriminator/mapping");
    let mapping = mapping.as_object().expect("a mapping");
    assert_eq!(mapping.len(), alternatives.len());
    for (kind, reference) in mapping {
        assert_eq!(&kind_of(DOCUMENT.resolve(&json!({ "$ref": reference }))).0, kind);
        assert!(alternatives.contains(&json!({ "$ref": reference })), "{kind}");
    }
}

#[test]
fn every_kind_of_problem_is_an_answer_with_its_status() {
    let mut answered = BTreeSet::new();
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
        let schema = &content["application/problem+json"]["schema"];
        let schemas = schema["oneOf"]
            .as_array()
            .map_or_else(|| vec![schema], |all| all.iter().collect());
        for schema in schemas {
            let kind = kind_of(DOCUMENT.resolve(schema));
            assert_eq!(
                kind.1,
                u64::from(response.status),
                "{} {}",
                response.operation,
                kind.0
            );
            answered.insert(kind);
        }
    }
    assert_eq!(answered, kinds());
}

#[test]
fn every_kind_of_problem_has_an_example() {
    let examples = DOCUMENT.problems();
    let shown: BTreeSet<_> = examples
        .iter()
        .filter_map(|problem| problem["type"].as_str())
        .collect();
    for (kind, _, _) in kinds() {
        assert!(shown.contains(kind.as_str()), "{kind}");
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

/// Texts that are nearly of a form, and some that are far from it.
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

/// Values that a member may have: mostly fit for it, or else anything.
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

const EMAIL: &str = concat!(
    r#"([a-z.]{1,5}|[!-~]{1,2}|[a-z]{62,66}|"([a-z@ ]|\\["\\a]){0,3}")@"#,
    r"([a-z0-9-]{1,3}(\.[a-z-]{1,2}){0,2}|[a-z]{62,64}(\.[a-z]{60}){2,3}|\[[0-9]{1,3}(\.[0-9]{1,2}){3}\]",
    r"|\[IPv6:([0-9a-fA-F]{1,4}:){0,7}:?(:[0-9a-f]{1,2}){0,7}(:?[0-9]{1,3}(\.[0-9]{1,2}){3})?\])",
);

fn agree(validator: &Validator, text: &str, parsed: bool) -> Result<(), TestCaseError> {
    prop_assert_eq!(validator.is_valid(&Value::from(text)), parsed, "{}", text);
    Ok(())
}

/// Holds a request body to its schema; `refusal` is why it was refused, if it was.
fn agree_on_body(
    validator: &Validator,
    body: &str,
    refusal: Option<InvalidDocument>,
) -> Result<(), TestCaseError> {
    let document: Value = serde_json::from_str(body).expect("JSON");
    prop_assert_eq!(validator.is_valid(&document), refusal.is_none(), "{}", body);
    if let Some(InvalidDocument::Invalid(faults)) = refusal {
        let fault = DOCUMENT.schema("Fault");
        prop_assert!(!faults.is_empty());
        for found in faults {
            prop_assert!(
                fault.is_valid(&serde_json::to_value(&found).expect("JSON")),
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
        agree(schema, &text, text.parse::<Email>().is_ok())
    });
}

#[test]
fn idempotency_keys_are_the_same() {
    holds(
        "IdempotencyKey",
        nearly("[!-~]{0,4}|[!-~]{250,260}"),
        |schema, text| agree(schema, &text, text.parse::<IdempotencyKey>().is_ok()),
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
        ("email", value(quoted("[a-z]{1,2}@[a-z]{1,2}")).boxed(), 0.5),
        ("points", value(number()).boxed(), 0.5),
        ("status", value(quoted("Gold|Silver")).boxed(), 0.1),
        ("other", value(number()).boxed(), 0.3),
        ("Status", value(number()).boxed(), 0.1),
    ]);
    holds("NewUser", bodies, |schema, body| {
        agree_on_body(schema, &body, User::from_client(body.as_bytes()).err())
    });
}

#[test]
fn changes_of_points_are_the_same() {
    let bodies = object(vec![
        ("points", value(number()).boxed(), 0.9),
        ("other", value(number()).boxed(), 0.1),
    ]);
    holds("PointsChange", bodies, |schema, body| {
        agree_on_body(schema, &body, Change::from_client(body.as_bytes()).err())
    });
}

#[test]
fn what_is_no_object_is_refused_by_both() {
    for body in ["null", "[]", "1", "\"{}\""] {
        let document: Value = serde_json::from_str(body).expect("JSON");
        assert!(!DOCUMENT.schema("NewUser").is_valid(&document));
        assert!(!DOCUMENT.schema("PointsChange").is_valid(&document));
        assert!(User::from_client(body.as_bytes()).is_err() && Change::from_client(body.as_bytes()).is_err());
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
