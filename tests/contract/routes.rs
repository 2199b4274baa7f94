//! Compares the description with `spin.toml`.

use std::collections::{BTreeMap, BTreeSet};

use harness::App;
use http::Method;
use serde_json::Value;
use toml::Table;

use crate::document::DOCUMENT;

fn manifest() -> Table {
    let text = std::fs::read_to_string(harness::root().join("spin.toml")).expect("a manifest");
    text.parse().expect("TOML")
}

/// The static answer in `spin.toml` for paths without a function.
pub(crate) fn no_such_route() -> Value {
    let manifest = manifest();
    let triggers = manifest["trigger"]["http"].as_array().expect("triggers");
    let mut answers = triggers
        .iter()
        .filter_map(|trigger| trigger.get("static_response"));
    let answer = answers.next().expect("a static response");
    assert!(answers.next().is_none(), "there is one static response");
    let problem: Value = serde_json::from_str(answer["body"].as_str().expect("a text")).expect("JSON");
    assert_eq!(answer["status_code"].as_integer(), problem["status"].as_i64());
    assert_eq!(
        answer["headers"]["content-type"].as_str(),
        Some("application/problem+json")
    );
    assert_eq!(answer["headers"]["cache-control"].as_str(), Some("no-store"));
    problem
}

/// The functions' paths as the description writes them, each with the description of its function. What serves a whole
/// tree of files is not part of the API.
fn routes() -> BTreeMap<String, String> {
    let manifest = manifest();
    let mut routes = BTreeMap::new();
    for trigger in manifest["trigger"]["http"].as_array().expect("triggers") {
        if let Some(function) = trigger.get("component") {
            let route = trigger["route"].as_str().expect("a route");
            if route.ends_with("/...") {
                continue;
            }
            let path = route.split('/').map(|segment| match segment.strip_prefix(':') {
                Some(name) => format!("{{{name}}}"),
                None => segment.to_owned(),
            });
            let function = &manifest["component"][function.as_str().expect("a name")];
            let description = function["description"]
                .as_str()
                .expect("a description")
                .to_owned();
            routes.insert(path.collect::<Vec<_>>().join("/"), description);
        }
    }
    routes
}

#[test]
fn every_route_is_described_and_no_other() {
    let described: BTreeSet<_> = DOCUMENT.paths().keys().cloned().collect();
    assert_eq!(described, routes().into_keys().collect());
}

#[tokio::test]
async fn every_method_is_described_and_no_other() {
    let app = App::start().await;
    for (path, description) in routes() {
        let item = DOCUMENT.paths()[&path].as_object().expect("a path item");
        let described: BTreeSet<_> = item.keys().map(|method| method.to_uppercase()).collect();
        let reply = app
            .send(app.request(Method::OPTIONS, &path.replace("{username}", "johndoe")))
            .await;
        let allowed: BTreeSet<_> = reply.header("allow").split(", ").map(str::to_owned).collect();
        assert_eq!(described, allowed, "{path}");
        // The manifest's own words: "GET /user/:username: …".
        let named = description.split(' ').next().expect("a method");
        assert!(described.contains(named), "{description}");
        assert!(
            description.contains(&path.replace("{username}", ":username")),
            "{description}"
        );
    }
}
