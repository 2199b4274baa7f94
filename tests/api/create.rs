//! `POST /user`

use harness::{App, Reply};
use http::Method;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

#[tokio::test]
async fn keeps_every_member_in_the_order_given() {
    let app = App::start().await;
    let record = r#"{"points":9007199254740991,"zeta":[1,{"b":null,"a":1.50}],"username":"a.b-C_9","Alpha":"\u00e9é","email":"a@b.example"}"#;
    app.create(record).await.exactly(201, record);
    app.get("/user/a.b-C_9").await.exactly(200, record);
}

#[tokio::test]
async fn creating_twice_keeps_the_first() {
    let app = App::start().await;
    let first = r#"{"username":"jane","points":1}"#;
    app.create(first).await.exactly(201, first);
    for second in [
        first,
        r#"{"username":"jane","points":2}"#,
        r#"{"username":"Jane"}"#,
    ] {
        app.create(second).await.problem(409, "username-taken");
    }
    app.get("/user/jane").await.exactly(200, first);
}

#[tokio::test]
async fn usernames_at_their_limits() {
    let app = App::start().await;
    let longest = "a".repeat(64);
    for username in ["7", longest.as_str(), "x.-_"] {
        let record = format!(r#"{{"username":"{username}"}}"#);
        app.create(record.clone()).await.exactly(201, &record);
    }
    let too_long = "a".repeat(65);
    for username in ["", too_long.as_str(), ".a", "-a", "_a", "a b", "a/b", "é"] {
        let reply = app.create(format!(r#"{{"username":"{username}"}}"#)).await;
        let problem = reply.problem(422, "invalid-user");
        assert_eq!(problem["errors"][0]["pointer"], "/username", "{reply}");
    }
}

#[tokio::test]
async fn every_violation_is_listed() {
    let app = App::start().await;
    let reply = app
        .create(r#"{"username":"-jane","email":"nowhere","points":-1,"status":"Gold"}"#)
        .await;
    let problem = reply.problem(422, "invalid-user");
    let errors = problem["errors"].as_array().unwrap();
    let mut pointers: Vec<_> = errors
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/email", "/points", "/status", "/username"], "{reply}");
    assert!(errors.iter().all(|error| error["detail"].is_string()), "{reply}");
    app.get("/user/-jane").await.problem(404, "user-not-found");
}

#[tokio::test]
async fn each_violation_is_pointed_at() {
    let app = App::start().await;
    for (record, pointer) in [
        (r#"{"username":7}"#, "/username"),
        (r#"{"username":null}"#, "/username"),
        (r#"{"username":"jane","email":"jane"}"#, "/email"),
        (r#"{"username":"jane","email":7}"#, "/email"),
        (r#"{"username":"jane","points":-1}"#, "/points"),
        (r#"{"username":"jane","points":1.5}"#, "/points"),
        (r#"{"username":"jane","points":"7"}"#, "/points"),
        (r#"{"username":"jane","points":9007199254740992}"#, "/points"),
        (r#"{"username":"jane","status":"Bronze"}"#, "/status"),
        (r#"{"username":"jane","status":null}"#, "/status"),
        (r#"{"username":"jane","Status":"Gold"}"#, "/Status"),
        (r#"{"username":"jane","STATUS":"Gold"}"#, "/STATUS"),
        (r#"{"username":"jane","ſtatuſ":"Gold"}"#, "/ſtatuſ"),
        (r#"{"username":"jane","\u017ftatus":"Gold"}"#, "/ſtatus"),
        (r#"{"username":"jane","ﬆatus":"Gold"}"#, "/ﬆatus"),
        (r#"{"username":"jane","UserName":"john"}"#, "/UserName"),
        (r#"{"username":"jane","emaıl":"jane"}"#, "/emaıl"),
        (r#"{"username":"jane","Points":7}"#, "/Points"),
    ] {
        let reply = app.create(record).await;
        let problem = reply.problem(422, "invalid-user");
        let errors = problem["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 1, "{record}: {reply}");
        assert_eq!(errors[0]["pointer"], pointer, "{record}: {reply}");
    }
    // If something is missing, it is a matter of taste where the pointer points.
    for record in ["{}", "[]", "7", "null", r#""jane""#, r#"{"email":"a@b.example"}"#] {
        let problem = app.create(record).await.problem(422, "invalid-user");
        assert_eq!(
            problem["errors"].as_array().unwrap().len(),
            1,
            "{record}: {problem}"
        );
    }
}

#[tokio::test]
async fn malformed_json_is_located() {
    let app = App::start().await;
    let problem = app
        .create("{\n  \"username\": jane}")
        .await
        .problem(400, "malformed-json");
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("line 2") && detail.contains("column 15"),
        "{detail}"
    );
    for text in [
        "",
        " ",
        "{",
        r#"{"username":"jane"}}"#,
        r#"{"username":"jane",}"#,
        "{'username':'jane'}",
    ] {
        app.create(text).await.problem(400, "malformed-json");
    }
    app.get("/user/jane").await.problem(404, "user-not-found");
}

#[tokio::test]
async fn lists_no_more_than_20_violations() {
    let app = App::start().await;
    let twice = vec![r#""a":1"#; 1000].join(",");
    let problem = app
        .create(format!("{{{twice}}}"))
        .await
        .problem(422, "invalid-user");
    assert_eq!(problem["errors"].as_array().unwrap().len(), 20);
    assert!(
        problem["detail"].as_str().unwrap().contains("first 20"),
        "{problem}"
    );
}

#[tokio::test]
async fn takes_json_by_its_media_types_alone() {
    let app = App::start().await;
    let record = |number: usize| format!(r#"{{"username":"user{number}"}}"#);
    let post = |number| app.request(Method::POST, "/user").body(record(number));
    for (number, kind) in [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/vnd.acme.user+json",
    ]
    .into_iter()
    .enumerate()
    {
        let reply = app.send(post(number).header(CONTENT_TYPE, kind)).await;
        reply.exactly(201, &record(number));
    }
    let is_refused = |reply: Reply| {
        reply.problem(415, "unsupported-media-type");
        assert_eq!(reply.header("accept"), "application/json");
    };
    for kind in [
        "text/plain",
        "text/json",
        "application/jsonp",
        "application/merge-patch+json",
        "Application/Merge-Patch+JSON",
        "application/json-patch+json",
        "application/problem+json",
        "application/ld+json",
        "application/x-www-form-urlencoded",
        "json",
        "",
    ] {
        is_refused(app.send(post(9).header(CONTENT_TYPE, kind)).await);
    }
    is_refused(app.send(post(9)).await);
    let twice = post(9)
        .header(CONTENT_TYPE, "application/json")
        .header(CONTENT_TYPE, "application/json");
    is_refused(app.send(twice).await);
    app.get("/user/user9").await.problem(404, "user-not-found");
}

#[tokio::test]
async fn takes_bodies_that_are_not_encoded() {
    let app = App::start().await;
    let post = |number: usize| {
        app.request(Method::POST, "/user")
            .header(CONTENT_TYPE, "application/json")
            .body(format!(r#"{{"username":"user{number}"}}"#))
    };
    for (number, coding) in [
        "identity",
        "Identity",
        "IDENTITY",
        "identity, Identity",
        "identity,",
    ]
    .into_iter()
    .enumerate()
    {
        let reply = app.send(post(number).header(CONTENT_ENCODING, coding)).await;
        reply.exactly(201, &format!(r#"{{"username":"user{number}"}}"#));
    }
    for coding in [
        "gzip",
        "GZIP",
        "br",
        "identity, gzip",
        "deflate, identity",
        "identityx",
    ] {
        let reply = app.send(post(9).header(CONTENT_ENCODING, coding)).await;
        reply.problem(415, "unsupported-media-type");
        assert_eq!(reply.header("accept-encoding"), "identity", "{coding}");
    }
    app.get("/user/user9").await.problem(404, "user-not-found");
}

#[tokio::test]
async fn takes_internationalized_email_addresses() {
    let app = App::start().await;
    for (number, address) in [
        "jörg@müller.example",
        "用户@例子.广告",
        "अजय@डाटा.भारत",
        "коля@пример.рф",
        "\\\"jörg müller\\\"@example.com",
        "jane@xn--mller-kva.example",
    ]
    .into_iter()
    .enumerate()
    {
        let record = format!(r#"{{"username":"user{number}","email":"{address}"}}"#);
        app.create(record.clone()).await.exactly(201, &record);
        app.get(&format!("/user/user{number}"))
            .await
            .exactly(200, &record);
    }
    for address in [
        "jörg",
        "jörg@",
        "@müller.example",
        "jö rg@müller.example",
        "jörg@mü_ller.example",
        "jörg@-müller.example",
        "jörg@i❤.example",
        "j\\u202eörg@müller.example",
    ] {
        let reply = app
            .create(format!(r#"{{"username":"jane","email":"{address}"}}"#))
            .await;
        let problem = reply.problem(422, "invalid-user");
        assert_eq!(problem["errors"][0]["pointer"], "/email", "{address}: {reply}");
    }
    let long = format!(
        r#"{{"username":"jane","email":"{}@example.com"}}"#,
        "ö".repeat(33)
    );
    app.create(long).await.problem(422, "invalid-user");
}
