//! `deploy/backup` and `deploy/restore`.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use harness::{App, State, without};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::script;

const CLIENTS: u64 = 8;
const COPIES: usize = 3;
/// How many requests are answered before each copy.
const ANSWERS: u64 = 400;
const JANE: &str = r#"{"username":"jane","points":101}"#;

/// Clients that create users and award points, and the answers that they got.
struct Load {
    app: App,
    /// The points of each user that the answers add up to.
    acknowledged: Mutex<HashMap<String, u64>>,
    answers: AtomicU64,
    over: AtomicBool,
}

impl Load {
    /// What was acknowledged so far.
    fn acknowledged(&self) -> HashMap<String, u64> {
        let acknowledged = self.acknowledged.lock();
        acknowledged.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn acknowledge(&self, user: &str, points: u64) {
        let mut acknowledged = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        *acknowledged.entry(user.to_owned()).or_default() += points;
        self.answers.fetch_add(1, Relaxed);
    }

    async fn create(&self, user: &str) {
        let record = format!(r#"{{"username":"{user}","points":1}}"#);
        self.app.create(record.clone()).await.exactly(201, &record);
        self.acknowledge(user, 1);
    }

    async fn award(&self, user: &str) {
        let reply = self
            .app
            .post(&format!("/user/points/{user}"), r#"{"points":2}"#)
            .await;
        assert_eq!(reply.status, 200, "{reply}");
        self.acknowledge(user, 2);
    }

    /// One client, which creates users of its own and awards points to shared users.
    async fn client(self: Arc<Self>, client: u64) {
        for number in 0.. {
            if self.over.load(Relaxed) {
                return;
            }
            let user = format!("user{client}-{number}");
            self.create(&user).await;
            self.award(&user).await;
            self.award(&format!("shared{}", number % 4)).await;
        }
    }

    async fn answers(&self, more: u64) {
        let enough = self.answers.load(Relaxed) + more;
        while self.answers.load(Relaxed) < enough {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_a_back_up_is_in_it() {
    if without("sqlite3") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let load = Arc::new(Load {
        app: App::start().await,
        acknowledged: Mutex::default(),
        answers: AtomicU64::new(0),
        over: AtomicBool::new(false),
    });
    for number in 0..4 {
        load.create(&format!("shared{number}")).await;
    }
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(Arc::clone(&load).client(client));
    }

    let mut copies = Vec::new();
    let mut meanwhile = 0;
    // More copies if it takes them for one to be made while others write.
    while copies.len() < COPIES || meanwhile == 0 {
        load.answers(ANSWERS).await;
        let copy = folder.path().join(format!("{}.db", copies.len()));
        let before = load.acknowledged();
        let answers = load.answers.load(Relaxed);
        let printed = script::run("backup", [load.app.state().path(), &copy]).await;
        meanwhile += load.answers.load(Relaxed) - answers;
        let printed = printed.succeeded();
        assert!(printed.contains(" users, "), "{printed}");
        copies.push((copy, before));
    }
    load.over.store(true, Relaxed);
    while let Some(client) = clients.join_next().await {
        client.expect("no request of the load fails");
    }

    let (mut acknowledged, mut found) = (0, 0);
    for (copy, before) in &copies {
        acknowledged += before.len();
        found += restored(copy, before).await;
    }
    let line = format!(
        "backup: {} copies under the load of {CLIENTS} clients, {} requests answered, {meanwhile} of them while a copy \
         was made; {acknowledged} records acknowledged before, {found} found in the restored stores, 0 missing, 0 with \
         fewer points, 0 unreadable\n",
        copies.len(),
        load.answers.load(Relaxed),
    );
    // Not with `eprintln`, which the test harness captures.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// Restores a copy into an empty state directory and has a host answer from it. Returns how many users there are.
async fn restored(copy: &Path, before: &HashMap<String, u64>) -> usize {
    let state = State::new();
    let printed = script::run("restore", [copy, state.path()]).await;
    let users: Vec<String> = {
        let database = state.database();
        let mode: String = database
            .pragma_query_value(None, "journal_mode", |row| row.get(0))
            .unwrap();
        assert_eq!(mode, "wal");
        let mut keys = database
            .prepare(
                "SELECT substr(key, 6) FROM spin_key_value WHERE store = 'default' AND key GLOB 'user:*'",
            )
            .unwrap();
        let users = keys.query_map([], |row| row.get(0)).unwrap();
        users.collect::<Result<_, _>>().unwrap()
    };
    let printed = printed.succeeded();
    assert!(
        printed.ends_with(&format!(": {} users\n", users.len())),
        "{printed}"
    );

    let app = App::builder().state(&state).start().await;
    let mut points = HashMap::new();
    for user in &users {
        let reply = app.get(&format!("/user/{user}")).await;
        assert_eq!(reply.status, 200, "{user}: {reply}");
        points.insert(user, reply.json()["points"].as_u64().expect("points"));
    }
    for (user, acknowledged) in before {
        let found = points.get(user);
        assert!(
            found >= Some(acknowledged),
            "{user}: {found:?}, and {acknowledged} were acknowledged"
        );
    }
    // The restored store accepts changes like the old one.
    app.create(JANE).await.exactly(201, JANE);
    let shared = app.post("/user/points/shared0", r#"{"points":1}"#).await;
    assert_eq!(shared.status, 200, "{shared}");
    users.len()
}

/// An application with one user, and an empty folder for copies; `None` without `sqlite3`.
async fn jane() -> Option<(App, TempDir)> {
    if without("sqlite3") {
        return None;
    }
    let app = App::start().await;
    app.create(JANE).await.exactly(201, JANE);
    Some((app, tempfile::tempdir().unwrap()))
}

#[tokio::test]
async fn a_back_up_leaves_what_is_there_alone() {
    let Some((app, folder)) = jane().await else { return };
    let copy = folder.path().join("users.db");

    fs::write(&copy, "mine").unwrap();
    let refused = script::run("backup", [app.state().path(), &copy]).await;
    refused.refused("exists, and is not overwritten");
    assert_eq!(fs::read(&copy).unwrap(), b"mine");
    fs::remove_file(&copy).unwrap();

    let empty = State::new();
    let refused = script::run("backup", [empty.path(), &copy]).await;
    refused.refused("there is no ");
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0);
    let refused = script::run(
        "backup",
        [app.state().path(), &folder.path().join("none/users.db")],
    )
    .await;
    refused.refused("there is no folder ");
    script::run("backup", [copy.as_path()]).await.refused("usage: ");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_copy_is_personal_data() {
    use std::os::unix::fs::PermissionsExt;

    let Some((app, folder)) = jane().await else { return };
    let copy = folder.path().join("it's users.db");
    let printed = script::run("backup", [app.state().path(), &copy]).await;
    assert!(printed.succeeded().contains(": 1 users, "));
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_restore_leaves_what_is_there_alone() {
    let Some((app, folder)) = jane().await else { return };
    let copy = folder.path().join("users.db");
    script::run("backup", [app.state().path(), &copy])
        .await
        .succeeded();

    let refused = script::run("restore", [copy.as_path(), app.state().path()]).await;
    refused.refused("exists: stop the hosts");
    app.get("/user/jane").await.exactly(200, JANE);
    let missing = folder.path().join("missing.db");
    let refused = script::run("restore", [&missing, folder.path()]).await;
    refused.refused("there is no ");

    let whole = fs::read(&copy).unwrap();
    let text = [b"not a database".as_slice(), &whole[..whole.len() / 2]];
    for damaged in text {
        let state = State::new();
        fs::write(&copy, damaged).unwrap();
        let refused = script::run("restore", [copy.as_path(), state.path()]).await;
        refused.refused(" is damaged");
        assert_eq!(fs::read_dir(state.path()).unwrap().count(), 0);
    }
    // A database, but of something else.
    let state = State::new();
    fs::remove_file(&copy).unwrap();
    rusqlite::Connection::open(&copy)
        .unwrap()
        .execute("CREATE TABLE other (value)", [])
        .unwrap();
    let refused = script::run("restore", [copy.as_path(), state.path()]).await;
    refused.refused(" is not a backup of a store");
    assert_eq!(fs::read_dir(state.path()).unwrap().count(), 0);
}
