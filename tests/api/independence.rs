//! Each function by itself, several hosts on one store, and one failing function among the others.

use harness::{App, Manifest, State, on_spin, trapping_function};

const JANE: &str = r#"{"username":"jane","points":101}"#;
const GOLD: &str = r#"{"username":"jane","points":101,"status":"Gold"}"#;
const JOHN: &str = r#"{"username":"john"}"#;

/// One function, deployed without the others, on a store that they may have filled.
async fn alone(function: &str, state: &State) -> App {
    App::builder()
        .manifest(&Manifest::shipped().only(function))
        .state(state)
        .start()
        .await
}

#[tokio::test]
async fn each_function_alone_on_the_store_that_the_others_filled() {
    let state = State::new();

    let create = alone("create-user", &state).await;
    create.create(JANE).await.exactly(201, JANE);
    create.create(JANE).await.problem(409, "username-taken");
    create.create(JOHN).await.exactly(201, JOHN);
    assert_eq!(create.get("/user/jane").await.status, 404);
    create.stop();

    let get = alone("get-user", &state).await;
    get.get("/user/jane").await.exactly(200, JANE);
    get.get("/user/nobody").await.problem(404, "user-not-found");
    assert_eq!(get.create(JOHN).await.status, 404);
    get.stop();

    let promote = alone("promote-user", &state).await;
    promote.put("/user/promote/jane").await.exactly(200, GOLD);
    promote
        .put("/user/promote/nobody")
        .await
        .problem(404, "user-not-found");
    assert_eq!(promote.get("/user/jane").await.status, 404);
    promote.stop();

    let award = alone("award-points", &state).await;
    award
        .post("/user/points/john", r#"{"points":7}"#)
        .await
        .exactly(200, r#"{"username":"john","points":7}"#);
    assert_eq!(award.get("/user/john").await.status, 404);
    award.stop();

    let update = alone("update-user", &state).await;
    update
        .patch("/user/update/john", r#"{"team":"red"}"#)
        .await
        .exactly(200, r#"{"username":"john","points":7,"team":"red"}"#);
    assert_eq!(update.get("/user/john").await.status, 404);
    update.stop();

    let history = alone("get-history", &state).await;
    let page = history.get("/user/history/john").await.json();
    assert_eq!(page["entries"].as_array().unwrap().len(), 3, "{page}");
    assert_eq!(history.get("/users").await.status, 404);
    history.stop();

    let list = alone("list-users", &state).await;
    let users = list.get("/users").await.json();
    assert_eq!(users["users"].as_array().unwrap().len(), 2, "{users}");
    assert_eq!(list.get("/user/john").await.status, 404);
    list.stop();

    let erase = alone("erase-user", &state).await;
    assert_eq!(erase.delete("/user/erase/john").await.status, 204);
    erase
        .delete("/user/erase/john")
        .await
        .problem(404, "user-not-found");
    erase.stop();

    let publish = alone("publish-events", &state).await;
    publish
        .post("/events/publish", "")
        .await
        .exactly(200, r#"{"published":0,"pending":0}"#);
    assert_eq!(publish.get("/user/jane").await.status, 404);
    publish.stop();

    let together = App::builder().state(&state).start().await;
    together.get("/user/jane").await.exactly(200, GOLD);
    together.get("/user/john").await.problem(404, "user-not-found");
}

#[tokio::test]
async fn functions_in_hosts_of_their_own_see_each_others_writes() {
    let state = State::new();
    let create = alone("create-user", &state).await;
    let get = alone("get-user", &state).await;
    let promote = alone("promote-user", &state).await;
    create.create(JANE).await.exactly(201, JANE);
    get.get("/user/jane").await.exactly(200, JANE);
    promote.put("/user/promote/jane").await.exactly(200, GOLD);
    get.get("/user/jane").await.exactly(200, GOLD);
}

#[tokio::test]
async fn two_hosts_on_one_store_see_each_others_writes() {
    let one = App::start().await;
    let other = App::builder().state(one.state()).start().await;
    one.create(JANE).await.exactly(201, JANE);
    other.get("/user/jane").await.exactly(200, JANE);
    other.create(JANE).await.problem(409, "username-taken");
    other.put("/user/promote/jane").await.exactly(200, GOLD);
    one.get("/user/jane").await.exactly(200, GOLD);
    other.create(JOHN).await.exactly(201, JOHN);
    one.stop();
    other.get("/user/john").await.exactly(200, JOHN);
}

/// Checks that every function but the failing one works.
async fn the_others_answer(app: &App, failing: &str) {
    if failing != "create-user" {
        app.create(JOHN).await.exactly(201, JOHN);
    }
    if failing != "get-user" {
        app.get("/user/jane").await.exactly(200, JANE);
    }
    if failing != "promote-user" {
        app.put("/user/promote/jane").await.exactly(200, GOLD);
    }
}

/// Calls the failing function, and checks that its answer comes from the host.
async fn fails(app: &App, function: &str) {
    let reply = match function {
        "create-user" => app.create(JOHN).await,
        "get-user" => app.get("/user/jane").await,
        "promote-user" => app.put("/user/promote/jane").await,
        other => panic!("there is no {other}"),
    };
    assert!(reply.status.is_server_error(), "{function}: {reply}");
}

/// A state with Jane in it.
async fn filled() -> State {
    let app = App::start().await;
    app.create(JANE).await.exactly(201, JANE);
    let state = app.state().clone();
    app.stop();
    state
}

#[tokio::test]
async fn a_function_that_traps_leaves_the_others_answering() {
    for function in ["create-user", "get-user", "promote-user"] {
        let state = filled().await;
        let manifest = Manifest::shipped().source(function, &trapping_function());
        let app = App::builder().manifest(&manifest).state(&state).start().await;
        for _ in 0..3 {
            fails(&app, function).await;
        }
        the_others_answer(&app, function).await;
        fails(&app, function).await;
        app.stop();
    }
}

#[tokio::test]
async fn a_function_that_does_not_load_leaves_the_others_answering() {
    if on_spin() {
        // In this case Spin does not start at all.
        return;
    }
    for function in ["create-user", "get-user", "promote-user"] {
        let state = filled().await;
        let damaged = state.path().join("damaged.wasm");
        std::fs::write(&damaged, b"\0asm\x0d\0\x01\0 damaged").unwrap();
        let manifest = Manifest::shipped().source(function, &damaged);
        let app = App::builder().manifest(&manifest).state(&state).start().await;
        fails(&app, function).await;
        the_others_answer(&app, function).await;
        app.logs(function).await;
        app.stop();
    }
}
