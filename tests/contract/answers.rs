//! Compares the problems in the description's examples with the answers of the application.

use harness::{App, Reply};
use http::Method;
use serde_json::Value;
use users::api::Problem;
use users::storage::StoreError;

use crate::document::DOCUMENT;

const JSON: &str = "application/json";

/// Applications in all the states that cause problems.
struct Apps {
    open: App,
    with_tokens: App,
    misconfigured: App,
    without_store: App,
}

impl Apps {
    async fn start() -> Self {
        let open = App::start().await;
        let record = r#"{"username":"johndoe","points":0}"#;
        open.create(record).await.exactly(201, record);
        // Binds the key to a request that differs from those below.
        let first = r#"{"username":"first"}"#;
        open.send(post(&open, "/user", first).header("idempotency-key", "used"))
            .await
            .exactly(201, first);
        let award = post(&open, "/user/points/johndoe", r#"{"points":1}"#).header("idempotency-key", "used");
        open.send(award)
            .await
            .exactly(200, r#"{"username":"johndoe","points":1}"#);

        let with_tokens = App::builder().variable("read_tokens", "reader").start().await;
        let misconfigured = App::builder()
            .variable("gold_above", "50")
            .variable("silver_above", "50")
            .start()
            .await;
        let without_store = App::start().await;
        let damage = "ALTER TABLE spin_key_value RENAME TO elsewhere";
        // The table is made when the store is first used.
        without_store
            .get("/user/nobody")
            .await
            .problem(404, "user-not-found");
        without_store
            .state()
            .database()
            .execute(damage, [])
            .expect("the table can be renamed");
        Self {
            open,
            with_tokens,
            misconfigured,
            without_store,
        }
    }

    /// Provokes the problem in this example.
    async fn provoke(&self, kind: &str, path: &str) -> Reply {
        let open = &self.open;
        let request = match (kind, path) {
            ("malformed-json", _) => post(open, path, r#"{"points":30,}"#),
            ("malformed-header", "/user/johndoe") => {
                open.request(Method::GET, path).header("if-match", "abc")
            }
            ("malformed-header", _) => post(open, path, "{}").header("idempotency-key", "a b"),
            ("malformed-query", _) => open.request(Method::GET, &format!("{path}?limit=0")),
            ("unauthenticated", _) => return self.with_tokens.get(path).await,
            ("forbidden", _) => {
                let request = self
                    .with_tokens
                    .request(Method::PUT, path)
                    .header("authorization", "Bearer reader");
                return self.with_tokens.send(request).await;
            }
            ("user-not-found", _) => open.request(Method::GET, path),
            ("no-such-route", _) => open.request(Method::GET, "/user/a/b"),
            ("method-not-allowed", _) => open.request(Method::DELETE, path),
            ("username-taken", _) => post(open, path, r#"{"username":"johndoe"}"#),
            ("insufficient-points", _) => post(open, path, r#"{"points":-30}"#),
            ("already-reversed", _) => return self.reversed_twice(path).await,
            ("user-erased", _) => return self.erased().await,
            ("precondition-failed", "/user") => post(open, path, "{}")
                .header("if-match", "*")
                .body(r#"{"username":"second"}"#),
            ("precondition-failed", _) => open.request(Method::PUT, path).header("if-match", "\"0\""),
            ("body-too-large", _) => post(open, path, &" ".repeat(16 * 1024 + 1)),
            ("unsupported-media-type", "/user/update/johndoe") => {
                open.request(Method::PATCH, path).body("{}")
            }
            ("unsupported-media-type", _) => open.request(Method::POST, path).body("{}"),
            ("invalid-user", "/user/update/johndoe") => open
                .request(Method::PATCH, path)
                .header("content-type", "application/merge-patch+json")
                .body(r#"{"username":"john"}"#),
            ("invalid-user", _) => post(open, path, r#"{"status":"Gold","points":"30"}"#),
            ("invalid-points", _) => post(open, path, r#"{"points":0}"#),
            ("idempotency-key-reused", "/user") => {
                post(open, path, r#"{"username":"second"}"#).header("idempotency-key", "used")
            }
            ("idempotency-key-reused", _) => {
                post(open, path, r#"{"points":2}"#).header("idempotency-key", "used")
            }
            ("misconfigured", _) => return self.misconfigured.put(path).await,
            ("store-unavailable", "/user") => {
                return self.without_store.create(r#"{"username":"johndoe"}"#).await;
            }
            ("store-unavailable", _) => return self.without_store.get(path).await,
            _ => panic!("how is {kind} of {path} provoked?"),
        };
        open.send(request).await
    }

    /// The second reversal of an award, where the first one is entry 4: after the creation and the award at the start
    /// comes the award.
    async fn reversed_twice(&self, path: &str) -> Reply {
        let open = &self.open;
        open.post(path, r#"{"points":1}"#).await;
        open.post(path, r#"{"reverses":3}"#).await;
        open.post(path, r#"{"reverses":3}"#).await
    }

    /// A retry of a creation whose user was erased, in an application where nobody is called johndoe yet.
    async fn erased(&self) -> Reply {
        let app = App::start().await;
        let create = || post(&app, "/user", r#"{"username":"johndoe"}"#).header("idempotency-key", "k");
        app.send(create()).await.exactly(201, r#"{"username":"johndoe"}"#);
        app.send(app.request(Method::DELETE, "/user/erase/johndoe")).await;
        app.send(create()).await
    }
}

fn post(app: &App, path: &str, body: &str) -> reqwest::RequestBuilder {
    app.request(Method::POST, path)
        .header("content-type", JSON)
        .body(body.to_owned())
}

#[tokio::test]
async fn every_problem_in_an_example_is_answered_so() {
    let apps = Apps::start().await;
    for example in DOCUMENT.problems() {
        let text = |name: &str| example[name].as_str().unwrap_or_default();
        let kind = text("type").strip_prefix("urn:problem:").expect("a type");
        if matches!(kind, "try-again" | "corrupt-record") {
            continue;
        }
        let reply = apps.provoke(kind, text("instance")).await;
        assert_eq!(
            Some(u64::from(reply.status.as_u16())),
            example["status"].as_u64(),
            "{reply}"
        );
        assert_eq!(&reply.json(), example, "{reply}");
        check_headers(kind, &reply);
    }
    let open = &apps.open;
    // Last, since it damages the record.
    open.state().overwrite("user:johndoe", b"damage");
    assert_example("corrupt-record", &open.get("/user/johndoe").await.json());
}

/// Checks an answer's header fields against those in the description.
fn check_headers(kind: &str, reply: &Reply) {
    let kind = format!("urn:problem:{kind}");
    for response in DOCUMENT.responses() {
        let examples = response.object["content"]["application/problem+json"]["examples"].as_object();
        if !examples
            .into_iter()
            .flatten()
            .any(|(_, example)| example["value"]["type"] == *kind)
        {
            continue;
        }
        for (name, header) in response.object["headers"].as_object().expect("headers") {
            let header = DOCUMENT.resolve(header);
            if header["required"] != true && !reply.headers.contains_key(name) {
                continue;
            }
            let value = reply.header(name);
            let value = match header["schema"]["type"].as_str() {
                Some("integer") => value.parse::<u64>().map_or(Value::Null, Value::from),
                _ => Value::from(value),
            };
            assert!(
                DOCUMENT.validator(&header["schema"]).is_valid(&value),
                "{name}: {reply}"
            );
        }
    }
}

#[track_caller]
fn assert_example(kind: &str, problem: &Value) {
    let kind = format!("urn:problem:{kind}");
    let example = DOCUMENT
        .problems()
        .into_iter()
        .find(|example| example["type"] == *kind);
    assert_eq!(Some(problem), example);
}

/// Only a race causes it.
#[test]
fn the_problem_that_is_hard_to_provoke_is_told_as_in_its_example() {
    let problem = Problem::from(StoreError::TryAgain);
    let examples = DOCUMENT.problems();
    let example = examples
        .iter()
        .find(|example| example["type"] == "urn:problem:try-again")
        .expect("an example");
    assert_eq!(example["detail"], problem.detail());
}
