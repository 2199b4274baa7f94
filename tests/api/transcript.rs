//! What the README shows first, request by request.

use harness::App;

#[tokio::test]
async fn the_transcript_of_the_readme() {
    let app = App::start().await;
    let johndoe = r#"{"username":"johndoe","email":"john@example.com"}"#;
    app.create(johndoe).await.exactly(201, johndoe);
    app.get("/user/johndoe").await.exactly(200, johndoe);
    let problem = app.get("/user/nobody").await.problem(404, "user-not-found");
    assert_eq!(problem["title"], "User not found");

    let jane = r#"{"username":"jane","points":101}"#;
    let gold = r#"{"username":"jane","points":101,"status":"Gold"}"#;
    app.create(jane).await.exactly(201, jane);
    app.put("/user/promote/jane").await.exactly(200, gold);
    app.get("/user/jane").await.exactly(200, gold);
    let again = app.create(r#"{"username":"JANE"}"#).await;
    again.problem(409, "username-taken");
    app.get("/user/jane").await.exactly(200, gold);
    app.stop();
}
