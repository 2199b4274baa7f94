//! The variables `promotion` and `tier_basis`.

use harness::{App, Manifest};
use serde_json::{Value, json};

async fn app(promotion: &str, tier_basis: &str) -> App {
    App::builder()
        .variable("promotion", promotion)
        .variable("tier_basis", tier_basis)
        .start()
        .await
}

/// The newest entry of the user's history, without its time.
async fn newest(app: &App, user: &str) -> Value {
    let mut history = app.get(&format!("/user/history/{user}?limit=1")).await.json();
    let mut entry = history["entries"][0].take();
    entry.as_object_mut().unwrap().remove("time");
    entry
}

#[tokio::test]
async fn automatic_promotion_leaves_the_status_that_the_points_earn() {
    let app = app("automatic", "points").await;
    for (points, status) in [
        ("", "Bronze"),
        (r#","points":51"#, "Silver"),
        (r#","points":101"#, "Gold"),
    ] {
        let user = format!("new{status}");
        let created = app.create(format!(r#"{{"username":"{user}"{points}}}"#)).await;
        let record = format!(r#"{{"username":"{user}"{points},"status":"{status}"}}"#);
        created.exactly(201, &record);
        let read = app.get(&format!("/user/{user}")).await;
        read.exactly(200, &record);
        assert_eq!(created.header("etag"), read.header("etag"));
        assert_eq!(newest(&app, &user).await["status"], status);
    }
    app.create(r#"{"username":"jane"}"#).await;
    let mut sequence = 1;
    for (change, points, status) in [
        (r#"{"points":50}"#, 50, "Bronze"),
        (r#"{"points":1}"#, 51, "Silver"),
        (r#"{"points":50}"#, 101, "Gold"),
        (r#"{"points":-1}"#, 100, "Silver"),
        (r#"{"reverses":5}"#, 101, "Gold"),
        (r#"{"points":-101}"#, 0, "Bronze"),
    ] {
        sequence += 1;
        app.post("/user/points/jane", change).await.exactly(
            200,
            &format!(r#"{{"username":"jane","status":"{status}","points":{points}}}"#),
        );
        // The status is part of the same write.
        let entry = newest(&app, "jane").await;
        assert_eq!(entry["sequence"], sequence, "{entry}");
        assert_eq!(entry["change"], "points", "{entry}");
        assert_eq!(
            (&entry["status"], &entry["balance"]),
            (&json!(status), &json!(points))
        );
    }
    // Neither a promotion nor an update has anything left to change.
    let tag = app.get("/user/jane").await.header("etag").to_owned();
    assert_eq!(app.put("/user/promote/jane").await.header("etag"), tag);
    app.patch("/user/update/jane", r#"{"team":"red"}"#).await.exactly(
        200,
        r#"{"username":"jane","status":"Bronze","points":0,"team":"red"}"#,
    );
}

#[tokio::test]
async fn redeeming_costs_no_tier_where_the_basis_is_what_was_earned() {
    let app = app("automatic", "earned").await;
    app.create(r#"{"username":"jane","points":60}"#).await;
    for (change, points, earned, status) in [
        (r#"{"points":41}"#, 101, 101, "Gold"),
        (r#"{"points":-101}"#, 0, 101, "Gold"),
        // A reversed redemption was never redeemed.
        (r#"{"reverses":3}"#, 101, 101, "Gold"),
        // A reversed award was never earned.
        (r#"{"reverses":2}"#, 60, 60, "Silver"),
        (r#"{"points":-60}"#, 0, 60, "Silver"),
        (r#"{"points":41}"#, 41, 101, "Gold"),
    ] {
        let reply = app.post("/user/points/jane", change).await;
        reply.exactly(
            200,
            &format!(r#"{{"username":"jane","points":{points},"status":"{status}"}}"#),
        );
        let history = app.get("/user/history/jane").await.json();
        assert_eq!(
            (&history["points"], &history["earned"]),
            (&json!(points), &json!(earned))
        );
    }
}

#[tokio::test]
async fn an_explicit_promotion_goes_by_the_same_basis() {
    let app = app("explicit", "earned").await;
    let record = r#"{"username":"jane","points":101}"#;
    app.create(record).await.exactly(201, record);
    app.post("/user/points/jane", r#"{"points":-100}"#)
        .await
        .exactly(200, r#"{"username":"jane","points":1}"#);
    assert_eq!(newest(&app, "jane").await.get("status"), None);
    app.put("/user/promote/jane")
        .await
        .exactly(200, r#"{"username":"jane","points":1,"status":"Gold"}"#);
    assert_eq!(
        newest(&app, "jane").await,
        json!({"sequence": 3, "change": "promoted", "status": "Gold"})
    );
}

#[tokio::test]
async fn a_retry_of_a_creation_has_the_status_of_the_first_answer() {
    let app = app("automatic", "points").await;
    let body = r#"{"username":"jane","points":60}"#;
    let silver = r#"{"username":"jane","points":60,"status":"Silver"}"#;
    let first = app.post_keyed("/user", "k", body).await;
    first.exactly(201, silver);
    app.post("/user/points/jane", r#"{"points":60}"#).await;
    let again = app.post_keyed("/user", "k", body).await;
    again.exactly(201, silver);
    assert_eq!(first.header("etag"), again.header("etag"));
    assert_eq!(again.header("idempotent-replayed"), "true");
}

#[tokio::test]
async fn a_choice_that_does_not_exist_is_named() {
    for (promotion, tier_basis, named) in [
        ("always", "points", "promotion"),
        ("Automatic", "points", "promotion"),
        ("", "points", "promotion"),
        ("automatic", "spent", "tier_basis"),
        ("automatic", "", "tier_basis"),
    ] {
        let app = app(promotion, tier_basis).await;
        let replies = [
            app.create(r#"{"username":"jane"}"#).await,
            app.post("/user/points/jane", r#"{"points":1}"#).await,
            app.put("/user/promote/jane").await,
        ];
        for reply in replies {
            let problem = reply.problem(500, "misconfigured");
            let detail = problem["detail"].as_str().unwrap();
            assert!(
                detail.starts_with(&format!("The variable {named} ")),
                "{promotion} {tier_basis}: {detail}"
            );
        }
        app.get("/user/jane").await.problem(404, "user-not-found");
    }
}

#[tokio::test]
async fn choices_that_are_not_defined_are_the_standard_ones() {
    let mut manifest = Manifest::shipped();
    for function in ["create-user", "award-points", "promote-user"] {
        manifest = manifest.set(function, "variables", toml::Table::new());
    }
    let app = App::builder().manifest(&manifest).start().await;
    let record = r#"{"username":"jane","points":101}"#;
    app.create(record).await.exactly(201, record);
    app.post("/user/points/jane", r#"{"points":-100}"#)
        .await
        .exactly(200, r#"{"username":"jane","points":1}"#);
    app.put("/user/promote/jane")
        .await
        .exactly(200, r#"{"username":"jane","points":1,"status":"Bronze"}"#);
}
