//! `deploy/export` and `deploy/import`: against a service that fails now and then, and against the real one.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use harness::{App, python, without};
use serde_json::{Value, json};
use tempfile::TempDir;

const TOKEN: &str = "secret";
const PATIENCE: Duration = Duration::from_mins(5);

/// `api.py`, a service with faults. It ends when this is dropped.
pub(crate) struct Faulty {
    process: Child,
    pub(crate) url: String,
}

impl Faulty {
    /// Starts it with these records. `faults` of ten requests go wrong.
    pub(crate) fn start(faults: u8, records: &Path) -> Self {
        let mut process = Command::new(python::PROGRAM)
            .arg(harness::root().join("tests/operations/api.py"))
            .arg(faults.to_string())
            .arg(records)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url = line.trim().strip_prefix("Serving ").unwrap().to_owned();
        Self { process, url }
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where the scripts run, and what they leave there.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// The JSON lines of a file.
    fn lines(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path(name)).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn script(&self, name: &str, args: &[&str], token: &str) -> Command {
        let mut script = Command::new(harness::root().join("deploy").join(name));
        script
            .args(args)
            .current_dir(self.0.path())
            .env("USERS_TOKEN", token)
            .stderr(Stdio::piped());
        script
    }

    /// `deploy/export URL > name`
    fn export(&self, url: &str, name: &str) -> Ran {
        let mut export = self.script("export", &[url], TOKEN);
        Ran::from(
            &export
                .stdout(fs::File::create(self.path(name)).unwrap())
                .output()
                .unwrap(),
        )
    }

    /// `deploy/import URL < name`
    fn import(&self, url: &str, name: &str) -> Ran {
        let mut import = self.script("import", &[url], TOKEN);
        Ran::from(
            &import
                .stdin(fs::File::open(self.path(name)).unwrap())
                .output()
                .unwrap(),
        )
    }
}

/// How a script ended.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    said: String,
}

impl From<&Output> for Ran {
    fn from(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            said: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }
}

fn by_name(records: &[Value]) -> BTreeMap<String, Value> {
    let named = records
        .iter()
        .map(|record| (record["username"].as_str().unwrap().to_owned(), record.clone()));
    let by_name: BTreeMap<_, _> = named.collect();
    assert_eq!(by_name.len(), records.len(), "a user is there twice");
    by_name
}

/// A record like those that clients send, with the status that its points earn or none yet.
fn record(number: u64) -> Value {
    let mut record = json!({"username": format!("user-{number}"), "points": number % 150, "city": "Kraków"});
    if number.is_multiple_of(3) {
        let status = match number % 150 {
            101.. => "Gold",
            51.. => "Silver",
            _ => "Bronze",
        };
        record["status"] = status.into();
    }
    record
}

fn records(count: u64) -> String {
    let lines: Vec<_> = (0..count).map(|number| record(number).to_string()).collect();
    lines.join("\n") + "\n"
}

#[test]
fn an_export_has_every_user_once_whatever_fails() {
    if without(python::PROGRAM) {
        return;
    }
    let folder = Folder::new();
    // Two who have a history, and one who is erased while the export is made.
    let more = r#"{"username":"spent","points":20,"sequence":3,"earned":120}
{"username":"changed","points":7,"sequence":2}
{"username":"gone","erased":true}
"#;
    let service = Faulty::start(2, &folder.write("users", &(records(500) + more)));
    let ran = folder.export(&service.url, "exported");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.said.starts_with("export: 502 users\n"), "{ran:?}");

    let mut expected: Vec<_> = (0..500).map(record).collect();
    expected.push(json!({"username": "spent", "points": 20}));
    expected.push(json!({"username": "changed", "points": 7}));
    assert_eq!(by_name(&folder.lines("exported")), by_name(&expected));
    let losses = folder.lines("export-losses.ndjson");
    let expected = [
        json!({"username": "changed", "history": 2}),
        json!({"username": "spent", "history": 3, "earned": 120}),
    ];
    assert_eq!(by_name(&losses), by_name(&expected));
    assert_is_private(&folder.path("export-losses.ndjson"));
}

#[test]
fn an_import_creates_every_user_once_whatever_fails() {
    if without(python::PROGRAM) {
        return;
    }
    let folder = Folder::new();
    folder.write("users", &records(500));
    let service = Faulty::start(2, &folder.write("empty", ""));
    let ran = folder.import(&service.url, "users");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.said, "import: 500 users\n");
    assert!(!folder.path("import-refused.ndjson").exists());
    folder.export(&service.url, "exported");
    assert_eq!(
        by_name(&folder.lines("exported")),
        by_name(&folder.lines("users"))
    );
}

#[test]
fn a_token_that_does_not_do_stops_an_import_at_once() {
    if without(python::PROGRAM) {
        return;
    }
    let folder = Folder::new();
    let service = Faulty::start(0, &folder.write("empty", ""));
    let users = fs::File::open(folder.write("users", &records(500))).unwrap();
    let output = folder
        .script("import", &[&service.url], "wrong")
        .stdin(users)
        .output()
        .unwrap();
    let ran = Ran::from(&output);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.said.contains("run it again: nothing is done twice"),
        "{ran:?}"
    );
    assert!(
        ran.said.contains("401 unauthenticated; set USERS_TOKEN"),
        "{ran:?}"
    );
    assert!(!ran.said.contains("wrong"), "{ran:?}");
}

#[test]
fn a_url_with_a_password_is_refused() {
    if without(python::PROGRAM) {
        return;
    }
    let folder = Folder::new();
    for url in [
        "http://user:secret@127.0.0.1:1",
        "127.0.0.1:1",
        "http://127.0.0.1:x",
        "http://127.0.0.1:1/?a",
    ] {
        let ran = folder.export(url, "exported");
        assert_eq!(ran.code, Some(1), "{url}: {ran:?}");
        assert!(ran.said.starts_with("export: "), "{ran:?}");
        assert!(!ran.said.contains("Traceback"), "{ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_lines_are_kept_with_their_problems() {
    if without(python::PROGRAM) {
        return;
    }
    let app = real().await;
    let folder = Folder::new();
    let lines = [
        r#"{"username":"jane","points":100,"status":"Silver","rate":1e2}"#,
        r#"{"username":"JUNE"}"#,
        r#"{"username":"no good","points":1}"#,
        r#"{"username":"joan","username":"joan2"}"#,
        r#"["username"]"#,
        "username,points",
        r#"{"username":"spent","points":71,"status":"Gold"}"#,
        "",
        r#"{"username":"john","score":1.10}"#,
        r#"{"username":"half","note":"\ud800"}"#,
        &format!(
            r#"{{"username":"deep","note":{}{}}}"#,
            "[".repeat(600),
            "]".repeat(600)
        ),
    ];
    let create = app.request(http::Method::POST, "/user").bearer_auth(TOKEN);
    let june = create
        .header("content-type", "application/json")
        .body(r#"{"username":"june"}"#);
    assert_eq!(app.send(june).await.status, 201);
    folder.write("users", &lines.join("\n"));
    let ran = tokio::task::block_in_place(|| folder.import(&app.url(), "users"));
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.said.starts_with("import: 3 users\n"), "{ran:?}");

    let refused = folder.lines("import-refused.ndjson");
    let kinds: Vec<_> = refused
        .iter()
        .map(|line| (line["line"].as_u64().unwrap(), line["problem"]["type"].as_str()))
        .collect();
    let taken = Some("urn:problem:username-taken");
    let invalid = Some("urn:problem:invalid-user");
    assert_eq!(
        kinds,
        [
            (2, taken),
            (3, invalid),
            (4, None),
            (5, None),
            (6, None),
            (10, None),
            (11, None)
        ]
    );
    assert_eq!(refused[0]["record"], json!({"username": "JUNE"}));
    assert_eq!(refused[1]["problem"]["errors"][0]["pointer"], "/username");
    assert_eq!(refused[2]["problem"], "a member is given twice");
    assert_eq!(refused[4]["record"], "username,points");
    assert_is_private(&folder.path("import-refused.ndjson"));
    assert_eq!(
        folder.lines("import-losses.ndjson"),
        [json!({"username": "spent", "status": "Gold", "became": "Silver"})]
    );

    // Numbers are as they were written.
    let read = |path: &'static str| app.send(app.request(http::Method::GET, path).bearer_auth(TOKEN));
    read("/user/jane").await.exactly(
        200,
        r#"{"username":"jane","points":100,"rate":1e2,"status":"Silver"}"#,
    );
    read("/user/john")
        .await
        .exactly(200, r#"{"username":"john","score":1.10}"#);

    // Who was changed since is left alone by another run.
    let redeemed = r#"{"points":-60}"#.to_owned();
    send(&app, http::Method::POST, "/user/points/jane", redeemed).await;
    let ran = tokio::task::block_in_place(|| folder.import(&app.url(), "users"));
    assert_eq!(ran.code, Some(3), "{ran:?}");
    read("/user/jane").await.exactly(
        200,
        r#"{"username":"jane","points":40,"rate":1e2,"status":"Silver"}"#,
    );
    assert_eq!(
        folder.lines("import-losses.ndjson"),
        [json!({"username": "spent", "status": "Gold", "became": "Silver"})]
    );
    app.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_killed_is_run_again_and_doubles_nothing() {
    if without(python::PROGRAM) {
        return;
    }
    let app = real().await;
    let folder = Folder::new();
    let count = 2_000;
    folder.write("users", &records(count));
    // Spin creates the table at the first request.
    app.send(app.request(http::Method::GET, "/user/nobody").bearer_auth(TOKEN))
        .await
        .problem(404, "user-not-found");
    let created = || {
        let query = "SELECT count(*) FROM spin_key_value WHERE store = 'default' AND key GLOB 'user:*'";
        let users: u32 = app
            .state()
            .database()
            .query_row(query, [], |row| row.get(0))
            .unwrap();
        u64::from(users)
    };
    let mut import = folder
        .script("import", &[&app.url()], TOKEN)
        .stdin(fs::File::open(folder.path("users")).unwrap())
        .spawn()
        .unwrap();
    let end = Instant::now() + PATIENCE;
    while created() < count / 4 {
        assert!(Instant::now() < end, "the import gets no further");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    import.kill().unwrap();
    import.wait().unwrap();
    let before = created();
    assert!(
        (count / 4..count).contains(&before),
        "{before} users were created"
    );

    let ran = tokio::task::block_in_place(|| folder.import(&app.url(), "users"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(created(), count);
    for number in 0..count {
        let path = format!("/user/user-{number}");
        let request = app.request(http::Method::GET, &path).bearer_auth(TOKEN);
        let reply = app.send(request).await;
        assert_eq!(reply.json(), record(number), "{reply}");
    }
    let _ = writeln!(
        std::io::stderr(),
        "import: killed after {before} of {count} users and run again, all {count} there once and equal"
    );
    app.stop();
}

/// Sends a request that has to succeed.
async fn send(app: &App, method: http::Method, path: &str, body: String) {
    let request = app
        .request(method, path)
        .bearer_auth(TOKEN)
        .header("content-type", "application/json")
        .body(body);
    let reply = app.send(request).await;
    assert!(reply.status.is_success(), "{path}: {reply}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_of_an_export_makes_equal_records() {
    if without(python::PROGRAM) {
        return;
    }
    let (old, new) = (real().await, real().await);
    let create = async |record: Value| send(&old, http::Method::POST, "/user", record.to_string()).await;
    let mut promoted = 0;
    for number in 0..300 {
        let mut record = record(number);
        let status = record.as_object_mut().unwrap().remove("status");
        create(record).await;
        if status.is_some() {
            let path = format!("/user/promote/user-{number}");
            send(&old, http::Method::PUT, &path, String::new()).await;
            promoted += 1;
        }
    }
    create(json!({"username": "spent", "points": 120})).await;
    send(&old, http::Method::PUT, "/user/promote/spent", String::new()).await;
    let redeemed = r#"{"points":-100}"#.to_owned();
    send(&old, http::Method::POST, "/user/points/spent", redeemed).await;
    for name in ["gone", "again"] {
        create(json!({"username": name})).await;
        let path = format!("/user/erase/{name}");
        send(&old, http::Method::DELETE, &path, String::new()).await;
    }
    create(json!({"username": "again", "points": 5})).await;

    let folder = Folder::new();
    let ran = tokio::task::block_in_place(|| folder.export(&old.url(), "old"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let mut expected = by_name(&folder.lines("old"));
    assert_eq!(expected.len(), 302);
    assert!(expected.contains_key("again") && !expected.contains_key("gone"));
    let lost = by_name(&folder.lines("export-losses.ndjson"));
    // Whoever was promoted, and nobody else, has more history than a creation.
    assert_eq!(lost.len(), promoted + 1);
    assert_eq!(
        lost["spent"],
        json!({"username": "spent", "history": 3, "earned": 120})
    );

    let ran = tokio::task::block_in_place(|| folder.import(&new.url(), "old"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        folder.lines("import-losses.ndjson"),
        [json!({"username": "spent", "status": "Gold", "became": "Bronze"})]
    );
    let ran = tokio::task::block_in_place(|| folder.export(&new.url(), "new"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    expected.get_mut("spent").unwrap()["status"] = "Bronze".into();
    assert_eq!(by_name(&folder.lines("new")), expected);
    old.stop();
    new.stop();
}

/// The application as shipped, with a token.
async fn real() -> App {
    App::builder().variable("write_tokens", TOKEN).start().await
}

fn assert_is_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}
