//! `GET /user/history/:username`

use harness::{App, Reply};
use http::Method;
use serde_json::{Value, json};

const JANE: &str = "/user/history/jane";

/// The entries of an answer, without their times, which must be in UTC with milliseconds.
#[track_caller]
fn entries(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{reply}");
    let mut page = reply.json();
    let entries = page["entries"].as_array_mut().expect("a list");
    for entry in entries.iter_mut() {
        let time = entry.as_object_mut().and_then(|entry| entry.remove("time"));
        let time = time.unwrap_or_default();
        let digits = time
            .as_str()
            .unwrap_or_default()
            .replace(|c: char| c.is_ascii_digit(), "0");
        assert_eq!(digits, "0000-00-00T00:00:00.000Z", "{reply}");
    }
    std::mem::take(entries)
}

/// A user with 150 changes after the creation, far more than an envelope holds; the sequence number of each is
/// one more than its points.
async fn with_150_changes(app: &App) {
    app.create(r#"{"username":"Jane"}"#).await;
    for number in 1..=150 {
        let award = format!(r#"{{"points":1,"reason":"number {number}"}}"#);
        assert_eq!(app.post("/user/points/jane", award).await.status, 200);
    }
}

#[tokio::test]
async fn a_history_shows_every_change_newest_first() {
    let app = App::start().await;
    app.create(r#"{"username":"Jane","email":"a@example.com","points":101}"#)
        .await;
    app.put("/user/promote/jane").await;
    app.post("/user/points/jane", r#"{"points":-30,"reason":"order 7"}"#)
        .await;
    app.patch("/user/update/jane", r#"{"email":null,"team":"red"}"#)
        .await;
    app.post("/user/points/jane", r#"{"points":9}"#).await;
    app.post("/user/points/jane", r#"{"reverses":5,"reason":"a mistake"}"#)
        .await;
    let reply = app.get("/user/history/JANE").await;
    let page = reply.json();
    assert_eq!(page["username"], "Jane");
    assert_eq!(page["points"], 71);
    assert_eq!(page["earned"], 101);
    assert_eq!(page.get("next"), None);
    assert_eq!(
        entries(&reply),
        [
            json!({"sequence": 6, "change": "points", "points": -9, "balance": 71, "reason": "a mistake", "reverses": 5}),
            json!({"sequence": 5, "change": "points", "points": 9, "balance": 80}),
            json!({"sequence": 4, "change": "updated", "members": ["email", "team"]}),
            json!({"sequence": 3, "change": "points", "points": -30, "balance": 71, "reason": "order 7"}),
            json!({"sequence": 2, "change": "promoted", "status": "Gold"}),
            json!({"sequence": 1, "change": "created", "points": 101, "balance": 101}),
        ]
    );
    // The names of changed members, never their values.
    assert!(!reply.text().contains("red"), "{reply}");
}

#[tokio::test]
async fn a_creation_without_points_begins_at_zero() {
    let app = App::start().await;
    app.create(r#"{"username":"jane"}"#).await;
    let reply = app.get(JANE).await;
    let page = reply.json();
    assert_eq!((&page["points"], &page["earned"]), (&json!(0), &json!(0)));
    assert_eq!(
        entries(&reply),
        [json!({"sequence": 1, "change": "created", "points": 0, "balance": 0})]
    );
}

#[tokio::test]
async fn times_do_not_run_backwards() {
    let app = App::start().await;
    with_150_changes(&app).await;
    let page = app.get("/user/history/jane?limit=100").await.json();
    let times = page["entries"].as_array().unwrap().iter();
    let times: Vec<_> = times.map(|entry| entry["time"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "{times:?}");
}

#[tokio::test]
async fn a_history_is_paged_back_to_the_creation_without_a_gap() {
    let app = App::start().await;
    with_150_changes(&app).await;
    for limit in [1, 7, 24, 40, 100] {
        let mut path = format!("/user/history/jane?limit={limit}");
        let mut sequences = Vec::new();
        loop {
            let reply = app.get(&path).await;
            let entries = entries(&reply);
            for entry in &entries {
                let sequence = entry["sequence"].as_i64().unwrap();
                assert_eq!(entry["balance"], sequence - 1, "{reply}");
                if sequence > 1 {
                    assert_eq!(entry["reason"], format!("number {}", sequence - 1), "{reply}");
                }
                sequences.push(sequence);
            }
            let page = reply.json();
            assert_eq!(page["points"], 150);
            let Some(next) = page.get("next") else { break };
            assert_eq!(entries.len(), limit, "{reply}");
            let before = entries.last().unwrap()["sequence"].as_i64().unwrap();
            assert_eq!(
                *next,
                format!("/user/history/Jane?limit={limit}&before={before}"),
                "{reply}"
            );
            path = next.as_str().unwrap().to_owned();
        }
        assert_eq!(sequences, (1..=151).rev().collect::<Vec<_>>(), "{limit}");
    }
    // The default is 20.
    assert_eq!(entries(&app.get(JANE).await).len(), 20);
}

#[tokio::test]
async fn a_page_begins_before_any_sequence_number() {
    let app = App::start().await;
    with_150_changes(&app).await;
    for before in [
        1, 2, 3, 25, 26, 27, 49, 50, 51, 111, 112, 146, 147, 151, 152, 9999,
    ] {
        let reply = app
            .get(&format!("/user/history/jane?limit=3&before={before}"))
            .await;
        let found = entries(&reply);
        let found: Vec<_> = found
            .iter()
            .map(|entry| entry["sequence"].as_i64().unwrap())
            .collect();
        let expected: Vec<i64> = (1..before.min(152)).rev().take(3).collect();
        assert_eq!(found, expected, "{before}");
        assert_eq!(reply.json().get("next").is_some(), before > 4, "{reply}");
    }
}

#[tokio::test]
async fn a_page_of_old_entries_stays_as_it_was() {
    let app = App::start().await;
    with_150_changes(&app).await;
    let old = "/user/history/jane?limit=100&before=102";
    let before = app.get(old).await.json();
    for _ in 0..50 {
        app.post("/user/points/jane", r#"{"points":1}"#).await;
    }
    let after = app.get(old).await.json();
    assert_eq!(before["entries"], after["entries"]);
    assert_eq!(after["points"], 200);
}

#[tokio::test]
async fn a_query_that_cannot_be_used_is_refused() {
    let app = App::start().await;
    app.create(r#"{"username":"jane"}"#).await;
    for (query, parameter) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=", "limit"),
        ("limit", "limit"),
        ("limit=-1", "limit"),
        ("limit=%2B1", "limit"),
        ("limit=1.0", "limit"),
        ("limit=ten", "limit"),
        ("limit=1&limit=1", "limit"),
        ("before=0", "before"),
        ("before=-1", "before"),
        ("before=x", "before"),
        ("before=", "before"),
        ("before=99999999999999999999", "before"),
        ("before=%ff", "before"),
    ] {
        let problem = app
            .get(&format!("{JANE}?{query}"))
            .await
            .problem(400, "malformed-query");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(parameter), "{query}: {detail}");
    }
    for query in [
        "",
        "?",
        "?x=1",
        "?limits=0&x",
        "?limit=1",
        "?limit=0100",
        "?lim%69t=100",
    ] {
        assert_eq!(app.get(&format!("{JANE}{query}")).await.status, 200, "{query}");
    }
}

#[tokio::test]
async fn nobody_has_no_history() {
    let app = App::start().await;
    for username in ["nobody", "-", "a%20b"] {
        app.get(&format!("/user/history/{username}"))
            .await
            .problem(404, "user-not-found");
    }
}

#[tokio::test]
async fn a_history_has_the_entity_tag_of_its_record() {
    let app = App::start().await;
    app.create(r#"{"username":"jane"}"#).await;
    let read = |method: Method, name: &'static str, value: String| {
        app.send(app.request(method, JANE).header(name, value))
    };
    let tag = app.get("/user/jane").await.header("etag").to_owned();
    let first = app.get(JANE).await;
    assert_eq!(first.header("etag"), tag);
    assert_eq!(first.header("cache-control"), "private, no-cache");
    for method in [Method::GET, Method::HEAD] {
        let unchanged = read(method.clone(), "if-none-match", tag.clone()).await;
        assert_eq!(unchanged.status, 304, "{unchanged}");
        assert_eq!(unchanged.header("etag"), tag);
        let head = read(method, "if-match", tag.clone()).await;
        assert_eq!(head.status, 200, "{head}");
    }
    app.post("/user/points/jane", r#"{"points":1}"#).await;
    let changed = read(Method::GET, "if-none-match", tag.clone()).await;
    assert_eq!(entries(&changed).len(), 2);
    read(Method::GET, "if-match", tag)
        .await
        .problem(412, "precondition-failed");
}

#[tokio::test]
async fn a_head_of_a_history_has_the_header_of_a_get() {
    let app = App::start().await;
    with_150_changes(&app).await;
    // More than a second after the last change, so that both answers have a date.
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    for path in [JANE, "/user/history/jane?limit=100", "/user/history/nobody"] {
        let [mut get, mut head] = [
            app.get(path).await,
            app.send(app.request(Method::HEAD, path)).await,
        ];
        for reply in [&mut get, &mut head] {
            reply.headers.remove("date");
        }
        assert_eq!(get.status, head.status);
        assert_eq!(get.headers, head.headers, "{path}");
    }
}

#[tokio::test]
async fn readers_of_a_history_see_whole_states_while_it_grows() {
    let app = App::start().await;
    app.create(r#"{"username":"jane"}"#).await;
    let writer = async {
        for _ in 0..120 {
            app.post("/user/points/jane", r#"{"points":1}"#).await;
        }
    };
    let reader = async {
        let mut newest = 0;
        while newest < 121 {
            let reply = app.get("/user/history/jane?limit=100").await;
            let points = reply.json()["points"].as_i64().unwrap();
            let entries = entries(&reply);
            let sequences: Vec<_> = entries
                .iter()
                .map(|entry| entry["sequence"].as_i64().unwrap())
                .collect();
            let expected: Vec<_> = (1..=points + 1).rev().take(100).collect();
            assert_eq!(sequences, expected, "{reply}");
            assert!(points + 1 >= newest, "{reply}");
            newest = points + 1;
        }
    };
    tokio::join!(writer, reader);
}
