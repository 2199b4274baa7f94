//! `POST /user/points/:username`

use harness::App;

const JANE: &str = "/user/points/jane";

#[tokio::test]
async fn adds_and_redeems() {
    let app = App::start().await;
    app.create(r#"{"username":"jane","zeta":1}"#).await;
    for (change, record) in [
        ("30", r#"{"username":"jane","zeta":1,"points":30}"#),
        ("2e1", r#"{"username":"jane","zeta":1,"points":50}"#),
        ("-50.0", r#"{"username":"jane","zeta":1,"points":0}"#),
        // With the 50 that were redeemed, this is the maximum that a user can ever earn.
        (
            "9007199254740941",
            r#"{"username":"jane","zeta":1,"points":9007199254740941}"#,
        ),
    ] {
        app.post(JANE, format!(r#"{{"points":{change}}}"#))
            .await
            .exactly(200, record);
        app.get("/user/JANE").await.exactly(200, record);
    }
}

#[tokio::test]
async fn keeps_the_points_within_their_bounds() {
    let app = App::start().await;
    let record = r#"{"username":"jane","points":7}"#;
    app.create(record).await;
    app.post(JANE, r#"{"points":-8}"#)
        .await
        .problem(409, "insufficient-points");
    let reply = app.post(JANE, r#"{"points":9007199254740985}"#).await;
    assert_eq!(
        reply.problem(422, "invalid-points")["errors"][0]["pointer"],
        "/points",
        "{reply}"
    );
    app.get("/user/jane").await.exactly(200, record);
}

#[tokio::test]
async fn leaves_the_status_to_promotion() {
    let app = App::start().await;
    app.create(r#"{"username":"jane","points":100}"#).await;
    app.put("/user/promote/jane")
        .await
        .exactly(200, r#"{"username":"jane","points":100,"status":"Silver"}"#);
    app.post(JANE, r#"{"points":1}"#)
        .await
        .exactly(200, r#"{"username":"jane","points":101,"status":"Silver"}"#);
    app.put("/user/promote/jane")
        .await
        .exactly(200, r#"{"username":"jane","points":101,"status":"Gold"}"#);
}

#[tokio::test]
async fn refuses_what_is_no_change_of_points() {
    let app = App::start().await;
    let record = r#"{"username":"jane","points":7}"#;
    app.create(record).await;
    for (body, pointers) in [
        ("[]", &[""][..]),
        ("{}", &["/points"]),
        (r#"{"points":0}"#, &["/points"]),
        (r#"{"points":-0.0}"#, &["/points"]),
        (r#"{"points":1.5}"#, &["/points"]),
        (r#"{"points":"1"}"#, &["/points"]),
        (r#"{"points":null}"#, &["/points"]),
        (r#"{"points":9007199254740992}"#, &["/points"]),
        (r#"{"points":1,"points":1}"#, &["/points"]),
        (r#"{"reason":"x","point":1}"#, &["/point", "/points"]),
    ] {
        let reply = app.post(JANE, body).await;
        let problem = reply.problem(422, "invalid-points");
        let errors = problem["errors"].as_array().unwrap();
        let found: Vec<_> = errors
            .iter()
            .map(|error| error["pointer"].as_str().unwrap())
            .collect();
        assert_eq!(found, pointers, "{body}");
    }
    app.post(JANE, "{").await.problem(400, "malformed-json");
    app.post("/user/points/nobody", r#"{"points":1}"#)
        .await
        .problem(404, "user-not-found");
    app.get("/user/jane").await.exactly(200, record);
}
