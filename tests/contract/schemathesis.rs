//! Runs Schemathesis against the application: it generates valid and invalid requests from the description, and checks
//! the answers against it. All its checks are on; `schemathesis.toml` and `hooks.py` tell it what it must know.

use std::collections::BTreeMap;
use std::fs;

use harness::{App, python};
use serde_json::{Value, json};

use crate::document::DOCUMENT;

/// The result of a run: for each operation, how often it was answered with each status.
type Answers = BTreeMap<String, BTreeMap<u64, usize>>;

#[tokio::test]
async fn the_application_does_what_the_description_says() {
    if harness::without(python::PROGRAM) {
        return;
    }
    let app = App::start().await;
    let answers = run(&app, DOCUMENT.root(), &[]);
    let total: usize = answers.values().flat_map(BTreeMap::values).sum();
    assert!(total >= 2000, "only {total} cases");
    for (path, item) in DOCUMENT.paths() {
        for method in item.as_object().expect("a path item").keys() {
            let operation = format!("{} {path}", method.to_uppercase());
            let cases: usize = answers
                .get(&operation)
                .into_iter()
                .flat_map(BTreeMap::values)
                .sum();
            // There is only one request for the methods of a path without a name in it, and an erased user is erased once.
            let enough = match method.as_str() {
                "options" if !path.contains('{') => 1,
                "delete" => 40,
                _ => 100,
            };
            assert!(cases >= enough, "only {cases} cases of {operation}");
        }
    }
    // It got far enough to find faults.
    for (operation, status) in [
        ("POST /user", 201),
        ("POST /user", 409),
        ("GET /user/{username}", 200),
        ("GET /user/{username}", 304),
        ("HEAD /user/{username}", 200),
        ("PUT /user/promote/{username}", 200),
        ("PUT /user/promote/{username}", 412),
        ("POST /user/points/{username}", 200),
        ("POST /user/points/{username}", 422),
        ("PATCH /user/update/{username}", 200),
        ("DELETE /user/erase/{username}", 204),
        ("GET /user/history/{username}", 200),
        ("GET /user/history/{username}", 304),
        ("GET /users", 200),
        ("GET /users", 400),
        ("POST /events/publish", 200),
    ] {
        assert!(
            answers[operation].contains_key(&status),
            "{operation} was never answered {status}"
        );
    }
}

#[tokio::test]
async fn every_operation_wants_a_token_once_one_is_set() {
    if harness::without(python::PROGRAM) {
        return;
    }
    let app = App::builder().variable("write_tokens", "writer").start().await;
    let mut description = DOCUMENT.root().clone();
    // Requests without a token are only for applications without tokens.
    assert_eq!(description["security"], json!([{ "bearer": [] }, {}]));
    description["security"] = json!([{ "bearer": [] }]);
    let answers = run(
        &app,
        &description,
        &["--header", "Authorization: Bearer writer", "--max-examples", "30"],
    );
    for (operation, statuses) in answers {
        let open = operation.starts_with("OPTIONS ") || statuses.contains_key(&405);
        assert!(
            open || statuses.contains_key(&401),
            "{operation} was never tried without a token"
        );
    }
}

/// Runs Schemathesis, which must find nothing.
fn run(app: &App, description: &Value, args: &[&str]) -> Answers {
    let own = harness::root().join("tests/contract");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("openapi.json");
    fs::write(&file, description.to_string()).expect("a temporary file can be written");
    let events = folder.path().join("events.ndjson");
    let seed = std::env::var("SCHEMATHESIS_SEED").unwrap_or_else(|_| "1".to_owned());
    let output = python::tool("schemathesis")
        .arg("--config-file")
        .arg(own.join("schemathesis.toml"))
        .args(["--no-color", "run"])
        .arg(&file)
        .args([
            "--url",
            &app.url(),
            "--seed",
            &seed,
            "--report",
            "ndjson",
            "--report-ndjson-path",
        ])
        .arg(&events)
        .args(args)
        .env("PYTHONPATH", &own)
        .current_dir(&folder)
        .output()
        .expect("Schemathesis runs");
    println!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        output.status.success(),
        "Schemathesis found something; SCHEMATHESIS_SEED={seed} repeats it"
    );

    let answers = read(&fs::read_to_string(&events).expect("a report"));
    for (operation, statuses) in &answers {
        println!("{operation}: {statuses:?}");
        assert!(
            statuses.keys().all(|status| (200..500).contains(status)),
            "{operation}"
        );
    }
    answers
}

/// Reads a report of events, one in each line.
fn read(report: &str) -> Answers {
    let mut answers = Answers::new();
    for line in report.lines() {
        let event: Value = serde_json::from_str(line).expect("JSON");
        let recorder = &event["ScenarioFinished"]["recorder"];
        for (id, interaction) in recorder["interactions"].as_object().into_iter().flatten() {
            let case = &recorder["cases"][id]["value"];
            let text = |name: &str| {
                case[name]
                    .as_str()
                    .unwrap_or_else(|| panic!("no {name} in {case}"))
            };
            let status = interaction["response"]["status_code"].as_u64();
            let status = status.unwrap_or_else(|| panic!("no answer to {case}"));
            let operation = format!("{} {}", text("method"), text("path"));
            *answers.entry(operation).or_default().entry(status).or_default() += 1;
        }
    }
    answers
}
