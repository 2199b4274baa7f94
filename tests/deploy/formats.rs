//! Records in a format that another build has written.

use harness::{App, State};

const JANE: &str = r#"{"username":"jane","points":101}"#;
const KEY: &str = "user:jane";

/// The stored value of Jane's key.
fn stored(state: &State) -> String {
    let query = "SELECT value FROM spin_key_value WHERE store = 'default' AND key = ?1";
    let value: Vec<u8> = state
        .database()
        .query_row(query, [KEY], |row| row.get(0))
        .unwrap();
    String::from_utf8(value).unwrap()
}

/// An application with Jane in it.
async fn with_jane() -> App {
    let app = App::start().await;
    let request = app
        .request(http::Method::POST, "/user")
        .header("content-type", "application/json")
        .header("idempotency-key", "jane-1")
        .body(JANE);
    app.send(request).await.exactly(201, JANE);
    app
}

/// Replaces Jane's stored record with the result of `change`, and checks that each function refuses it with this detail and
/// does not change it.
async fn is_refused(change: impl FnOnce(&str) -> String, detail: &str) {
    let app = with_jane().await;
    let known = stored(app.state());
    let foreign = change(&known);
    assert_ne!(foreign, known);
    app.state().overwrite(KEY, foreign.as_bytes());

    let creation = || {
        app.request(http::Method::POST, "/user")
            .header("content-type", "application/json")
            .body(JANE)
    };
    for reply in [
        app.get("/user/jane").await,
        app.get("/user/JANE").await,
        app.put("/user/promote/jane").await,
        app.post("/user/points/jane", r#"{"points":1}"#).await,
        app.send(creation()).await,
        // Including the retry of the request that created her.
        app.send(creation().header("idempotency-key", "jane-1")).await,
    ] {
        let problem = reply.problem(500, "corrupt-record");
        assert_eq!(
            problem["detail"],
            format!("The stored value user:jane {detail}."),
            "{foreign}"
        );
        assert_eq!(stored(app.state()), foreign);
    }
    // Other users are not affected.
    app.create(r#"{"username":"john"}"#)
        .await
        .exactly(201, r#"{"username":"john"}"#);

    // The build that knows the format continues where the other stopped.
    app.state().overwrite(KEY, known.as_bytes());
    app.get("/user/jane").await.exactly(200, JANE);
    app.send(creation().header("idempotency-key", "jane-1"))
        .await
        .exactly(201, JANE);
    app.stop();
}

#[tokio::test]
async fn a_newer_format_is_refused_and_left_as_it_is() {
    is_refused(
        |known| known.replace(r#""format":1,"#, r#""format":2,"#),
        "has format version 2; this release reads version 1",
    )
    .await;
    // Another format may have entirely different members.
    is_refused(
        |_| r#"{"user":{"username":"jane"},"format":2}"#.to_owned(),
        "has format version 2; this release reads version 1",
    )
    .await;
}

#[tokio::test]
async fn a_record_without_one_of_its_members_is_refused_and_left_as_it_is() {
    for member in [
        "format", "sequence", "first", "creation", "archived", "earned", "entries", "record",
    ] {
        is_refused(
            |known| {
                let mut envelope: serde_json::Map<_, _> = serde_json::from_str(known).unwrap();
                envelope.remove(member).unwrap();
                serde_json::to_string(&envelope).unwrap()
            },
            "is damaged",
        )
        .await;
    }
}

#[tokio::test]
async fn a_record_with_a_member_that_is_not_known_is_refused_and_left_as_it_is() {
    // Rewriting the record would lose the member.
    is_refused(
        |known| known.replace(r#""format":1,"#, r#""format":1,"region":"eu","#),
        "is damaged",
    )
    .await;
}
