//! `deploy/amqp`, with a real `RabbitMQ`: events on their way out of a Redis stream, and awards on their way in.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use harness::{App, RabbitMq, Redis, python, without};
use serde_json::{Value, json};
use tempfile::TempDir;

const TOKEN: &str = "secret";
const PATIENCE: Duration = Duration::from_mins(5);
/// How often each of the scripts is killed while it works.
const KILLS: usize = 5;

/// A script of `deploy/amqp` at work, in a folder for what it writes to standard error.
struct Script {
    name: &'static str,
    environment: Vec<(&'static str, String)>,
    folder: TempDir,
    starts: usize,
    process: Option<Child>,
}

impl Script {
    fn start(name: &'static str, environment: Vec<(&'static str, String)>) -> Self {
        let mut script = Self {
            name,
            environment,
            folder: tempfile::tempdir().unwrap(),
            starts: 0,
            process: None,
        };
        script.restart();
        script
    }

    /// Starts it again, if need be after killing it.
    fn restart(&mut self) {
        self.kill();
        self.starts += 1;
        let said = self.folder.path().join(self.starts.to_string());
        let process = python::for_amqp()
            .arg(harness::root().join("deploy/amqp").join(self.name))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stderr(File::create(said).unwrap())
            .spawn()
            .unwrap();
        self.process = Some(process);
    }

    /// Starts it again if it has ended by itself, as a service manager does.
    fn tend(&mut self) {
        if let Some(process) = &mut self.process
            && process.try_wait().unwrap().is_some()
        {
            self.restart();
        }
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// The standard error of all its runs.
    fn said(&self) -> String {
        (1..=self.starts)
            .map(|start| fs::read_to_string(self.folder.path().join(start.to_string())).unwrap())
            .collect()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("{}: {}", self.name, self.said());
        }
    }
}

/// `amqp.py`, which does at the broker what is asked for.
fn client(broker: &RabbitMq, args: &[&str]) -> Command {
    let mut client = python::for_amqp();
    client
        .arg(harness::root().join("tests/operations/amqp.py"))
        .args(args)
        .env("AMQP_URL", broker.url());
    client
}

fn bind(broker: &RabbitMq, queue: &str, exchange: &str, key: &str) {
    assert!(
        client(broker, &["bind", queue, exchange, key])
            .status()
            .unwrap()
            .success()
    );
}

fn publish(broker: &RabbitMq, queue: &str, messages: &[Value]) {
    let lines: Vec<_> = messages.iter().map(Value::to_string).collect();
    let mut client = client(broker, &["publish", queue])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    client
        .stdin
        .take()
        .unwrap()
        .write_all(lines.join("\n").as_bytes())
        .unwrap();
    assert!(client.wait().unwrap().success());
}

/// The messages of a queue in order, once this many different ones have arrived.
fn take(broker: &RabbitMq, queue: &str, count: usize) -> Vec<Value> {
    let output = client(broker, &["take", queue, &count.to_string()])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn is_missing_something() -> bool {
    without("rabbitmq-server") || without(python::PROGRAM)
}

/// The event of a user's change.
fn event(user: usize, sequence: usize) -> Value {
    let name = format!("user-{user}");
    json!({
        "specversion": "1.0",
        "id": format!("{name}/{sequence}"),
        "source": "/users",
        "type": if sequence == 1 { "users.created" } else { "users.points" },
        "subject": name,
        "time": "2026-11-25T15:12:14.123Z",
        "datacontenttype": "application/json",
        "data": {"username": name, "sequence": sequence, "change": "points", "points": 1, "balance": sequence},
    })
}

#[test]
fn every_event_of_a_stream_reaches_rabbitmq_in_order_whatever_is_killed() {
    if is_missing_something() || without("redis-server") {
        return;
    }
    let users = 20;
    let changes = 150;
    let redis = Redis::durable();
    let mut broker = RabbitMq::start();
    bind(&broker, "all", "users", "#");
    bind(&broker, "creations", "users", "users.created");

    let environment = vec![("REDIS_URL", redis.url()), ("AMQP_URL", broker.url())];
    let mut bridge = Script::start("events-to-amqp", environment);
    let mut stream = redis::Client::open(redis.url())
        .unwrap()
        .get_connection()
        .unwrap();
    let mut add = |fields: &[(&str, &str)]| {
        let _: String = redis::cmd("XADD")
            .arg("users")
            .arg("*")
            .arg(fields)
            .query(&mut stream)
            .unwrap();
    };
    // A foreign entry blocks nothing.
    add(&[("event", "not an event")]);
    add(&[("other", "{}")]);
    for sequence in 1..=changes {
        for user in 0..users {
            let event = event(user, sequence);
            add(&[
                ("id", event["id"].as_str().unwrap()),
                ("event", &event.to_string()),
            ]);
        }
        if sequence % (changes / (KILLS + 1)) == 0 {
            bridge.restart();
        }
        if sequence == changes / 2 {
            broker.kill();
            broker.restart();
        }
        bridge.tend();
    }
    let pending = |stream: &mut redis::Connection| -> (u64, u64) {
        let groups: Vec<HashMap<String, redis::Value>> = redis::cmd("XINFO")
            .arg(&["GROUPS", "users"])
            .query(stream)
            .unwrap();
        let number = |name: &str| {
            // There is no group before the bridge has begun.
            let value = groups.first().map(|group| group[name].clone());
            value
                .and_then(|value| redis::from_redis_value(value).ok())
                .unwrap_or(u64::MAX)
        };
        (number("pending"), number("lag"))
    };
    let end = Instant::now() + PATIENCE;
    while pending(&mut stream) != (0, 0) {
        assert!(Instant::now() < end, "the bridge gets no further");
        bridge.tend();
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(bridge.said().matches("is not an event and is skipped").count(), 2);
    bridge.kill();

    let messages = take(&broker, "all", users * changes);
    let mut newest = BTreeMap::new();
    let mut duplicates = 0;
    for message in &messages {
        let text = message["body"].as_str().unwrap();
        let body: Value = serde_json::from_str(text).unwrap();
        assert_eq!(message["id"], body["id"]);
        assert_eq!(message["key"], body["type"]);
        assert_eq!(message["type"], "application/cloudevents+json");
        let sequence = body["data"]["sequence"].as_u64().unwrap();
        let newest = newest
            .entry(body["subject"].as_str().unwrap().to_owned())
            .or_default();
        // A consumer drops what is not newer. What it keeps follows without a gap.
        if sequence > *newest {
            assert_eq!(sequence, *newest + 1, "out of order: {body}");
            *newest = sequence;
        } else {
            duplicates += 1;
        }
    }
    assert_eq!(newest.len(), users);
    assert!(
        newest.values().all(|newest| *newest == changes as u64),
        "{newest:?}"
    );
    let creations = take(&broker, "creations", users);
    assert!(creations.iter().all(|message| message["key"] == "users.created"));
    let _ = writeln!(
        std::io::stderr(),
        "events to RabbitMQ: {} in the stream, {} messages, 0 missing, 0 out of order, {duplicates} twice; the bridge \
         killed or ended {} times, the broker killed once",
        users * changes,
        messages.len(),
        bridge.starts - 1,
    );
}

/// Messages for awards, every tenth of them twice, with six bad ones in their middle; and what each user is to have.
fn awards_to_make(users: usize, awards: usize) -> (Vec<Value>, Vec<usize>) {
    let mut expected = vec![0; users];
    let mut messages = Vec::new();
    for number in 0..awards {
        let user = number % users;
        let points = 1 + number % 7;
        expected[user] += points;
        let body = format!(r#"{{"username":"user-{user}","points":{points}}}"#);
        let message = json!({"id": format!("order-{number}"), "body": body});
        // A producer that is not sure sends it again.
        if number % 10 == 0 {
            messages.push(message.clone());
        }
        messages.push(message);
    }
    let bad = [
        json!({"id": "bad-1", "body": r#"{"username":"nobody","points":1}"#}),
        json!({"id": "bad-2", "body": r#"{"username":"user-1","points":-100000}"#}),
        json!({"id": "bad-3", "body": r#"{"username":"user-1"}"#}),
        json!({"id": "bad-4", "body": "points"}),
        json!({"id": "bad-5", "body": r#"{"username":"","points":1}"#}),
        json!({"id": "bad-6", "body": r#"{"username":"user-1","points":1,"reason":"\ud800"}"#}),
        json!({"id": null, "body": r#"{"username":"user-1","points":1}"#}),
        json!({"id": "two\r\nlines", "body": r#"{"username":"user-1","points":1}"#}),
    ];
    messages.splice(awards / 2..awards / 2, bad);
    (messages, expected)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_award_from_a_queue_is_made_once_however_often_it_is_delivered() {
    if is_missing_something() {
        return;
    }
    let users = 10;
    let awards = 600;
    let app = App::builder().variable("write_tokens", TOKEN).start().await;
    for user in 0..users {
        let request = app
            .request(http::Method::POST, "/user")
            .bearer_auth(TOKEN)
            .header("content-type", "application/json")
            .body(format!(r#"{{"username":"user-{user}"}}"#));
        assert_eq!(app.send(request).await.status, 201);
    }

    let (messages, expected) = awards_to_make(users, awards);
    let broker = tokio::task::block_in_place(RabbitMq::start);
    tokio::task::block_in_place(|| publish(&broker, "awards", &messages));
    let environment = vec![
        ("AMQP_URL", broker.url()),
        ("USERS_URL", app.url()),
        ("USERS_TOKEN", TOKEN.to_owned()),
    ];
    let mut consumer = Script::start("awards-from-amqp", environment);

    let points = async |user: usize| {
        let path = format!("/user/user-{user}");
        let request = app.request(http::Method::GET, &path).bearer_auth(TOKEN);
        let record = app.send(request).await.json();
        usize::try_from(record["points"].as_u64().unwrap_or_default()).unwrap()
    };
    let total: usize = expected.iter().sum();
    let end = Instant::now() + PATIENCE;
    loop {
        let mut sum = 0;
        for user in 0..users {
            sum += points(user).await;
        }
        if sum >= total {
            break;
        }
        assert!(Instant::now() < end, "{sum} of {total} points were awarded");
        if consumer.starts <= KILLS && sum > total * consumer.starts / (KILLS + 2) {
            tokio::task::block_in_place(|| consumer.restart());
        }
        consumer.tend();
    }
    // The last of the queue are refused, or were delivered before.
    let refused = tokio::task::block_in_place(|| take(&broker, "awards.refused", 8));
    assert_reasons(&refused);
    consumer.kill();
    for (user, expected) in expected.iter().enumerate() {
        assert_eq!(points(user).await, *expected, "user-{user}");
    }
    let again = consumer.said().matches(" is delivered again").count();
    let _ = writeln!(
        std::io::stderr(),
        "awards from RabbitMQ: {} messages, {} of them sent twice and 8 bad; {awards} awards made, 0 doubled; the consumer \
         killed {} times, {again} messages delivered again",
        messages.len(),
        awards / 10,
        consumer.starts - 1,
    );
    assert!(again > 0, "nothing was delivered again");
    app.stop();
}

/// Why the bad messages are refused.
fn assert_reasons(refused: &[Value]) {
    let kinds: BTreeSet<_> = refused
        .iter()
        .map(|message| {
            let problem = message["problem"].as_str().unwrap();
            let problem: Value = serde_json::from_str(problem).unwrap_or_else(|_| json!({"type": problem}));
            (
                message["id"].as_str().unwrap_or_default().to_owned(),
                problem["type"]
                    .as_str()
                    .unwrap()
                    .split(':')
                    .next_back()
                    .unwrap()
                    .to_owned(),
            )
        })
        .collect();
    let kind = |id: &str| {
        let found: Vec<_> = kinds
            .iter()
            .filter(|(of, _)| of == id)
            .map(|(_, kind)| &kind[..])
            .collect();
        found.join(" ")
    };
    assert_eq!(kind("bad-1"), "user-not-found");
    assert_eq!(kind("bad-2"), "insufficient-points");
    assert_eq!(kind("bad-3"), "invalid-points");
    for id in ["bad-4", "bad-5", "bad-6"] {
        assert!(refused.iter().any(|message| {
            message["id"] == id && message["problem"].as_str().unwrap().contains("is not like")
        }));
    }
    for id in [Value::Null, "two\r\nlines".into()] {
        assert!(refused.iter().any(|message| {
            message["id"] == id && message["problem"].as_str().unwrap().contains("needs an id")
        }));
    }
}

/// The scripts must be ones that an operator can start.
#[test]
fn the_scripts_can_be_executed() {
    use std::os::unix::fs::PermissionsExt;
    for name in [
        "amqp/events-to-amqp",
        "amqp/awards-from-amqp",
        "export",
        "import",
        "sweep/sweep",
    ] {
        let path: PathBuf = harness::root().join("deploy").join(name);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{}", path.display());
    }
}
