//! `GET /users`

use std::sync::Arc;

use harness::{App, Reply};
use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Creates users, several at a time, with the records that `record` returns for their numbers.
async fn create(app: &Arc<App>, numbers: std::ops::Range<usize>, record: fn(usize) -> String) {
    let mut clients = JoinSet::new();
    for client in 0..8 {
        let (app, numbers) = (Arc::clone(app), numbers.clone());
        clients.spawn(async move {
            for number in numbers.skip(client).step_by(8) {
                let reply = app.create(record(number)).await;
                assert_eq!(reply.status, 201, "{reply}");
            }
        });
    }
    clients.join_all().await;
}

fn plain(number: usize) -> String {
    format!(r#"{{"username":"user{number}"}}"#)
}

#[track_caller]
fn usernames(reply: &Reply) -> Vec<String> {
    assert_eq!(reply.status, 200, "{reply}");
    let page = reply.json();
    let users = page["users"].as_array().expect("a list").iter();
    users
        .map(|user| user["username"].as_str().expect("a name").to_owned())
        .collect()
}

/// Follows `next` from `path` to the end. Returns the names of each page.
async fn walk(app: &App, path: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut path = path.to_owned();
    loop {
        let reply = app.get(&path).await;
        pages.push(usernames(&reply));
        match reply.json().get("next") {
            Some(next) => next.as_str().expect("a path").clone_into(&mut path),
            None => return pages,
        }
    }
}

fn sorted(pages: &[Vec<String>]) -> Vec<String> {
    let mut names = pages.concat();
    names.sort();
    names
}

#[tokio::test]
async fn an_empty_store_has_an_empty_list() {
    let app = App::start().await;
    let reply = app.get("/users").await;
    reply.exactly(200, r#"{"users":[]}"#);
    assert_eq!(reply.header("cache-control"), "private, no-store");
}

#[tokio::test]
async fn a_walk_shows_each_record_once_in_one_order_whatever_the_size_of_a_page() {
    let app = Arc::new(App::start().await);
    create(&app, 0..150, plain).await;
    let mut expected: Vec<_> = (0..150).map(|number| format!("user{number}")).collect();
    expected.sort();
    let mut order = None;
    for limit in [1, 7, 49, 50, 100] {
        let pages = walk(&app, &format!("/users?limit={limit}")).await;
        let (last, others) = pages.split_last().unwrap();
        assert!(others.iter().all(|page| page.len() == limit), "{limit}");
        assert!(last.len() <= limit, "{limit}");
        let names = pages.concat();
        assert_eq!(*order.get_or_insert_with(|| names.clone()), names, "{limit}");
        assert_eq!(sorted(&pages), expected, "{limit}");
    }
    // The default is 50.
    assert_eq!(usernames(&app.get("/users").await).len(), 50);
}

#[tokio::test]
async fn a_list_has_the_records_as_they_are() {
    let app = App::start().await;
    let record = r#"{"username":"Jane","zeta":[1.50,null],"email":"a@example.com","points":101}"#;
    app.create(record).await;
    app.get("/users")
        .await
        .exactly(200, &format!(r#"{{"users":[{record}]}}"#));
    app.put("/user/promote/jane").await;
    let promoted = app.get("/user/jane").await;
    app.get("/users")
        .await
        .exactly(200, &format!(r#"{{"users":[{}]}}"#, promoted.text()));
}

#[tokio::test]
async fn filters_choose_exactly() {
    let app = Arc::new(App::start().await);
    create(&app, 0..60, |number| {
        let email = format!("shared+{}@example.com", number % 3);
        format!(r#"{{"username":"user{number}","email":"{email}","points":{number}}}"#)
    })
    .await;
    for number in 40..60 {
        app.put(&format!("/user/promote/user{number}")).await;
    }
    let numbers = |names: Vec<String>| {
        let numbers = names
            .iter()
            .map(|name| name["user".len()..].parse::<usize>().unwrap());
        let mut numbers: Vec<_> = numbers.collect();
        numbers.sort_unstable();
        numbers
    };
    for (query, expected) in [
        ("status=Silver", (51..60).collect::<Vec<_>>()),
        ("status=Bronze", (40..=50).collect()),
        ("status=Gold", vec![]),
        (
            "email=shared%2B1@example.com",
            (0..60).filter(|n| n % 3 == 1).collect(),
        ),
        ("email=shared%2B1%40example.com&status=Silver", vec![52, 55, 58]),
        // Filters match exactly: no substring, no other case, and `+` is a space.
        ("email=shared", vec![]),
        ("email=Shared%2B1@example.com", vec![]),
        ("email=shared+1@example.com", vec![]),
        ("email=", vec![]),
    ] {
        for limit in ["", "&limit=4"] {
            let pages = walk(&app, &format!("/users?{query}{limit}")).await;
            assert_eq!(numbers(pages.concat()), expected, "{query}{limit}");
        }
    }
}

#[tokio::test]
async fn a_filter_looks_at_a_bounded_number_of_users() {
    let app = Arc::new(App::start().await);
    create(&app, 0..620, plain).await;
    app.create(r#"{"username":"jane","email":"jane@example.com"}"#)
        .await;
    // A page may be short, even empty, and still have a next one.
    let pages = walk(&app, "/users?email=jane@example.com").await;
    assert_eq!(pages.len(), 2, "{pages:?}");
    assert_eq!(pages.concat(), ["jane"]);
    let pages = walk(&app, "/users?status=Gold&limit=100").await;
    assert_eq!(pages, [Vec::<String>::new(), vec![]]);
    assert_eq!(walk(&app, "/users?limit=100").await.concat().len(), 621);
}

#[tokio::test]
async fn a_page_ends_before_the_record_that_would_pass_1_mib() {
    const MIB: usize = 1024 * 1024;
    let app = Arc::new(App::start().await);
    create(&app, 0..100, |number| {
        let record = format!(r#"{{"username":"user{number}","note":""}}"#);
        record.replace(r#""""#, &format!("\"{}\"", "x".repeat(16 * 1024 - record.len())))
    })
    .await;
    let first = app.get("/users?limit=100").await;
    let records: usize = first.json()["users"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record.to_string().len())
        .sum();
    // Each has exactly 16 KiB.
    assert_eq!(records, MIB);
    let pages = walk(&app, "/users?limit=100").await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [64, 36]);
    assert_eq!(
        pages
            .concat()
            .iter()
            .collect::<std::collections::BTreeSet<_>>()
            .len(),
        100
    );
}

#[tokio::test]
async fn a_cursor_stays_valid_whatever_becomes_of_the_users() {
    let app = Arc::new(App::start().await);
    create(&app, 0..40, plain).await;
    let first = app.get("/users?limit=10").await;
    let next = first.json()["next"].as_str().unwrap().to_owned();
    let seen = usernames(&first);
    // Including the user after whom it points.
    for name in &seen[5..] {
        let reply = app.delete(&format!("/user/erase/{name}")).await;
        assert_eq!(reply.status, 204, "{reply}");
    }
    create(&app, 40..60, plain).await;
    let rest = walk(&app, &next).await.concat();
    assert!(rest.iter().all(|name| !seen.contains(name)), "{rest:?}");
    for number in 0..40 {
        let name = format!("user{number}");
        assert!(seen.contains(&name) || rest.contains(&name), "{name}");
    }
    // As on another host with the same store.
    let other = App::builder().state(app.state()).start().await;
    assert_eq!(walk(&other, &next).await.concat(), rest);
}

#[tokio::test]
async fn erased_users_are_not_listed_and_those_created_anew_are_once() {
    let app = Arc::new(App::start().await);
    create(&app, 0..30, plain).await;
    for number in 0..20 {
        app.delete(&format!("/user/erase/user{number}")).await;
    }
    create(&app, 0..10, |number| format!(r#"{{"username":"USER{number}"}}"#)).await;
    let mut expected: Vec<_> = (20..30).map(|number| format!("user{number}")).collect();
    expected.extend((0..10).map(|number| format!("USER{number}")));
    expected.sort();
    assert_eq!(sorted(&walk(&app, "/users?limit=3").await), expected);
}

#[tokio::test]
async fn a_query_that_cannot_be_used_is_refused() {
    let app = App::start().await;
    for number in 0..3 {
        app.create(plain(number)).await;
    }
    let next = app.get("/users?limit=1").await.json()["next"]
        .as_str()
        .unwrap()
        .to_owned();
    let cursor = next.split("after=").nth(1).unwrap();
    for (query, parameter) in [
        ("limit=0".to_owned(), "limit"),
        ("limit=101".to_owned(), "limit"),
        ("limit=x".to_owned(), "limit"),
        ("limit=1&limit=2".to_owned(), "limit"),
        ("status=gold".to_owned(), "status"),
        ("status=".to_owned(), "status"),
        ("status=Iron".to_owned(), "status"),
        ("status=Gold&status=Gold".to_owned(), "status"),
        ("after=".to_owned(), "after"),
        ("after=jane".to_owned(), "after"),
        (format!("after={cursor}0"), "after"),
        (format!("after={}", cursor.to_uppercase()), "after"),
        (format!("after={}", &cursor[1..]), "after"),
        ("email=a@b.example&email=a@b.example".to_owned(), "email"),
        ("email=%ff".to_owned(), "email"),
    ] {
        let problem = app
            .get(&format!("/users?{query}"))
            .await
            .problem(400, "malformed-query");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(parameter), "{query}: {detail}");
    }
    for query in ["?", "?x=1", "?&&", "?Limit=0", "?limit=100&x=limit"] {
        assert_eq!(
            usernames(&app.get(&format!("/users{query}")).await).len(),
            3,
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_head_of_the_list_has_the_header_of_a_get() {
    let app = App::start().await;
    app.create(plain(1)).await;
    let get = app.get("/users").await;
    let head = app.send(app.request(Method::HEAD, "/users")).await;
    assert_eq!(head.status, 200);
    for name in ["content-type", "content-length", "cache-control"] {
        assert_eq!(get.header(name), head.header(name));
    }
    let users: Value = get.json();
    assert_eq!(users, json!({"users": [{"username": "user1"}]}));
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        let reply = app.send(app.request(method, "/users")).await;
        assert_eq!(reply.method_not_allowed(), ["GET", "HEAD", "OPTIONS"]);
    }
}

#[tokio::test]
async fn a_walk_beside_creations_misses_nobody_and_shows_nobody_twice() {
    let app = Arc::new(App::start().await);
    create(&app, 0..60, plain).await;
    let creations = {
        let app = Arc::clone(&app);
        tokio::spawn(async move { create(&app, 60..200, plain).await })
    };
    let mut walks = 0;
    while !creations.is_finished() || walks == 0 {
        let names = sorted(&walk(&app, "/users?limit=9").await);
        walks += 1;
        let mut once = names.clone();
        once.dedup();
        assert_eq!(names, once);
        for number in 0..60 {
            assert!(names.binary_search(&format!("user{number}")).is_ok(), "{number}");
        }
    }
    creations.await.unwrap();
    assert_eq!(walk(&app, "/users").await.concat().len(), 200);
}
