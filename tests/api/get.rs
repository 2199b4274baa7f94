//! `GET` and `HEAD /user/:username`

use harness::App;
use http::Method;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};

#[tokio::test]
async fn finds_users_in_any_case() {
    let app = App::start().await;
    let record = r#"{"username":"JohnDoe"}"#;
    app.create(record).await.exactly(201, record);
    for username in ["JohnDoe", "johndoe", "JOHNDOE"] {
        app.get(&format!("/user/{username}")).await.exactly(200, record);
    }
}

#[tokio::test]
async fn a_username_that_cannot_be_is_not_found() {
    let app = App::start().await;
    let too_long = "a".repeat(65);
    for username in ["nobody", "-", "a%20b", "%00", too_long.as_str()] {
        let problem = app
            .get(&format!("/user/{username}"))
            .await
            .problem(404, "user-not-found");
        assert_eq!(problem["title"], "User not found");
    }
}

#[tokio::test]
async fn head_answers_as_get_without_the_body() {
    let app = App::start().await;
    let record = r#"{"username":"jane"}"#;
    app.create(record).await.exactly(201, record);
    let head = app.send(app.request(Method::HEAD, "/user/jane")).await;
    assert_eq!(head.status, 200, "{head}");
    assert_eq!(head.header(CONTENT_TYPE.as_str()), "application/json");
    assert_eq!(head.header(CONTENT_LENGTH.as_str()), record.len().to_string());
    let head = app.send(app.request(Method::HEAD, "/user/nobody")).await;
    assert_eq!(head.status, 404, "{head}");
    assert_eq!(head.header(CONTENT_TYPE.as_str()), "application/problem+json");
}

#[tokio::test]
async fn a_method_of_another_route_is_answered_with_where_to_find_it() {
    let app = App::start().await;
    for method in [Method::DELETE, Method::PATCH, Method::PUT, Method::POST] {
        let request = app.request(method, "/user/jane");
        let reply = app.send(request).await;
        let problem = reply.problem(405, "method-not-allowed");
        assert_eq!(reply.header("allow"), "GET, HEAD, OPTIONS");
        let detail = problem["detail"].as_str().expect("a text");
        for elsewhere in ["PATCH /user/update/{username}", "DELETE /user/erase/{username}"] {
            assert!(detail.contains(elsewhere), "{detail}");
        }
    }
    app.stop();
}
