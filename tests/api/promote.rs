//! `PUT /user/promote/:username`

use harness::{App, Manifest};
use http::Method;

#[tokio::test]
async fn the_points_decide_the_status() {
    let app = App::start().await;
    for (number, (points, status)) in [
        ("", "Bronze"),
        (r#","points":0"#, "Bronze"),
        (r#","points":50"#, "Bronze"),
        (r#","points":51"#, "Silver"),
        (r#","points":100"#, "Silver"),
        (r#","points":101"#, "Gold"),
        (r#","points":9007199254740991"#, "Gold"),
    ]
    .into_iter()
    .enumerate()
    {
        let record = format!(r#"{{"username":"user{number}"{points},"team":"blue"}}"#);
        app.create(record.clone()).await.exactly(201, &record);
        let promoted = record.replace('}', &format!(r#","status":"{status}"}}"#));
        // However often.
        for _ in 0..3 {
            app.put(&format!("/user/promote/USER{number}"))
                .await
                .exactly(200, &promoted);
            app.get(&format!("/user/user{number}"))
                .await
                .exactly(200, &promoted);
        }
    }
}

#[tokio::test]
async fn nobody_cannot_be_promoted() {
    let app = App::start().await;
    for username in ["nobody", "-", "a%20b"] {
        let problem = app
            .put(&format!("/user/promote/{username}"))
            .await
            .problem(404, "user-not-found");
        assert_eq!(problem["title"], "User not found");
    }
}

#[tokio::test]
async fn a_body_is_ignored() {
    let app = App::start().await;
    app.create(r#"{"username":"jane","points":60}"#).await;
    let request = app
        .request(Method::PUT, "/user/promote/jane")
        .body(r#"{"points":1000}"#);
    let silver = r#"{"username":"jane","points":60,"status":"Silver"}"#;
    app.send(request).await.exactly(200, silver);
}

#[tokio::test]
async fn the_thresholds_are_variables() {
    let app = App::builder()
        .variable("gold_above", "10")
        .variable("silver_above", "5")
        .start()
        .await;
    for (points, status) in [(5, "Bronze"), (6, "Silver"), (10, "Silver"), (11, "Gold")] {
        app.create(format!(r#"{{"username":"user{points}","points":{points}}}"#))
            .await;
        let promoted = app.put(&format!("/user/promote/user{points}")).await;
        promoted.exactly(
            200,
            &format!(r#"{{"username":"user{points}","points":{points},"status":"{status}"}}"#),
        );
    }
}

#[tokio::test]
async fn thresholds_that_cannot_be_used_are_named() {
    for (silver, gold, named) in [
        ("50", "many", "gold_above"),
        ("50", "", "gold_above"),
        ("-1", "100", "silver_above"),
        ("50", "9007199254740992", "gold_above"),
        ("50", "50", "gold_above"),
        ("100", "50", "gold_above"),
    ] {
        let app = App::builder()
            .variable("silver_above", silver)
            .variable("gold_above", gold)
            .start()
            .await;
        let record = r#"{"username":"jane"}"#;
        app.create(record).await.exactly(201, record);
        let problem = app.put("/user/promote/jane").await.problem(500, "misconfigured");
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            detail.starts_with(&format!("The variable {named} ")),
            "{silver} {gold}: {detail}"
        );
        app.get("/user/jane").await.exactly(200, record);
    }
}

#[tokio::test]
async fn thresholds_that_are_not_defined_are_the_standard_ones() {
    let manifest = Manifest::shipped().set("promote-user", "variables", toml::Table::new());
    let app = App::builder().manifest(&manifest).start().await;
    app.create(r#"{"username":"jane","points":101}"#).await;
    app.put("/user/promote/jane")
        .await
        .exactly(200, r#"{"username":"jane","points":101,"status":"Gold"}"#);
}
