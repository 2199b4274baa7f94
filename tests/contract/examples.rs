//! The examples of the description against its schemas and the Rust types.

use serde_json::{Map, Value};
use users::domain::merge_patch::UserPatch;
use users::domain::points_request::PointsRequest;
use users::domain::user::User;

use crate::document::DOCUMENT;

/// Every example in `value`, with its place and its schema.
fn examples<'a>(value: &'a Value, place: &str, found: &mut Vec<(String, &'a Value, &'a Value)>) {
    if let Some(object) = value.as_object() {
        if let Some(schema) = object.get("schema") {
            let named = object
                .get("examples")
                .and_then(Value::as_object)
                .into_iter()
                .flat_map(Map::values);
            for example in named.map(|named| &named["value"]).chain(object.get("example")) {
                found.push((place.to_owned(), schema, example));
            }
        }
        for (name, member) in object {
            examples(member, &format!("{place}/{name}"), found);
        }
    }
    for (index, element) in value.as_array().into_iter().flatten().enumerate() {
        examples(element, &format!("{place}/{index}"), found);
    }
}

#[test]
fn every_example_is_of_its_schema() {
    let mut found = Vec::new();
    examples(DOCUMENT.root(), "", &mut found);
    assert!(found.len() > 40, "only {} examples", found.len());
    for (place, schema, example) in found {
        if let Err(error) = DOCUMENT.validator(schema).validate(example) {
            panic!("{place}: {example}: {error}");
        }
    }
}

/// Every place in `value` with a schema but no example.
fn without_example(value: &Value, place: &str, found: &mut Vec<String>) {
    if let Some(object) = value.as_object() {
        if object.contains_key("schema")
            && !object.contains_key("example")
            && !object.contains_key("examples")
        {
            found.push(place.to_owned());
        }
        for (name, member) in object {
            without_example(member, &format!("{place}/{name}"), found);
        }
    }
}

#[test]
fn every_body_header_and_parameter_has_an_example() {
    let mut found = Vec::new();
    for part in ["components", "paths"] {
        without_example(&DOCUMENT.root()[part], part, &mut found);
    }
    assert!(found.is_empty(), "{found:?}");
}

fn request_bodies(path: &str, method: &str) -> Vec<String> {
    let content = DOCUMENT.paths()[path][method]["requestBody"]["content"]
        .as_object()
        .expect("a body");
    content
        .values()
        .flat_map(|media_type| media_type["examples"].as_object().expect("examples").values())
        .map(|example| example["value"].to_string())
        .collect()
}

#[test]
fn requests_in_examples_are_accepted() {
    for body in request_bodies("/user", "post") {
        assert!(User::from_client(body.as_bytes()).is_ok(), "{body}");
    }
    for body in request_bodies("/user/update/{username}", "patch") {
        assert!(UserPatch::from_client(body.as_bytes()).is_ok(), "{body}");
    }
    for body in request_bodies("/user/points/{username}", "post") {
        assert!(PointsRequest::from_client(body.as_bytes()).is_ok(), "{body}");
    }
}

#[test]
fn records_in_examples_could_be_stored() {
    let mut records = 0;
    for response in DOCUMENT.responses() {
        let content = &response.object["content"]["application/json"];
        let schema = content["schema"]["$ref"].as_str().unwrap_or_default();
        if !["User", "PromotedUser", "UserWithPoints"]
            .contains(&schema.rsplit('/').next().unwrap_or_default())
        {
            continue;
        }
        let examples = &content["examples"];
        for example in examples.as_object().into_iter().flat_map(Map::values) {
            records += 1;
            let record = example["value"].to_string();
            assert!(
                User::from_stored(&record).is_ok(),
                "{}: {record}",
                response.operation
            );
        }
    }
    assert!(records > 3);
}
