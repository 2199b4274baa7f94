//! Store outages, full disks and damaged records: clear problems, no loss, and recovery
//! without a restart.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use harness::{App, Redis, State, on_spin, without};
use rustix::process::geteuid;

use crate::linearizability::Action;
use crate::request::{Outcome, Request};
use crate::service::{Service, scaled};

const CLIENTS: usize = 16;
const USERS: usize = 16;
/// The longest time that Spin's Redis client may take to reconnect.
const RECOVERY: Duration = Duration::from_secs(130);
/// The time limit for an answer while the store is down. Spin itself waits longer, which functions cannot cut short:
/// docs/OPERATIONS.md, "Redis was down".
const IN_TIME: Duration = Duration::from_secs(10);

/// Redis is killed under load and started again.
async fn redis_goes_and_comes_back(service: Arc<Service>) {
    let users: Arc<Vec<_>> = Arc::new((0..USERS).map(|number| format!("user{number}")).collect());
    service.create_users(&users, 100).await;
    let over = Arc::new(AtomicBool::new(false));
    let numbers = Arc::new(AtomicU64::new(0));
    let fault = {
        let (service, over) = (Arc::clone(&service), Arc::clone(&over));
        tokio::spawn(async move {
            let mut longest = Duration::ZERO;
            for _ in 0..scaled(1, 3) {
                tokio::time::sleep(Duration::from_secs(2)).await;
                tokio::task::block_in_place(|| service.redis().kill());
                tokio::time::sleep(Duration::from_secs(4)).await;
                tokio::task::block_in_place(|| service.redis().start());
                longest = longest.max(recovery(&service).await);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            over.store(true, Relaxed);
            longest
        })
    };
    service
        .clients(CLIENTS, |service, _| {
            let (users, over, numbers) = (Arc::clone(&users), Arc::clone(&over), Arc::clone(&numbers));
            async move {
                while !over.load(Relaxed) {
                    let number = numbers.fetch_add(1, Relaxed);
                    let which = fastrand::usize(..USERS);
                    let (host, user) = (service.any_host(), users[which].as_str());
                    let action = if number.is_multiple_of(5) {
                        Action::Read
                    } else {
                        Action::Award(i64::try_from(number).unwrap() + 1)
                    };
                    let request = Request::new(user, action);
                    if which.is_multiple_of(2) && action != Action::Read {
                        let key = format!("key-{number}");
                        service.insist(host, request.under(&key), || false).await;
                    } else if service.perform(host, request).await == Outcome::Unavailable {
                        // As the answer's `Retry-After` says. Each such change may have been made, so it must be accounted for.
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                }
            }
        })
        .await;
    let recovered = fault.await.unwrap();
    for (number, user) in users.iter().enumerate() {
        if number.is_multiple_of(2) {
            service.check_sum(user).await;
        } else {
            service.read(user).await;
        }
    }
    if !on_spin() && service.slowest() > IN_TIME {
        service.violation(format!("an answer took {:?}", service.slowest()));
    }
    if service.tally.unavailable.load(Relaxed) == 0 {
        service.violation("the outage was not noticed".to_owned());
    }
    service.finish(&format!(
        "all well {:.1} s after Redis was back",
        recovered.as_secs_f64()
    ));
}

/// Waits until every host can write and read again.
async fn recovery(service: &Service) -> Duration {
    let since = Instant::now();
    for host in 0..service.host_count() {
        for action in [Action::Award(1), Action::Read] {
            let request = Request::new("user1", action);
            loop {
                let result = service.once(host, request).await;
                if result.is_final() {
                    break;
                }
                if since.elapsed() > RECOVERY {
                    service.violation(format!("host {host} has not recovered: {result:?}"));
                    return since.elapsed();
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    since.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_may_go_and_come_back() {
    if !without("redis-server") {
        redis_goes_and_comes_back(Service::on_redis("Redis stopped and started", 2).await).await;
    }
}

/// A file system in memory, small enough to be full. It is unmounted when this is dropped.
struct SmallDisk(State);

impl SmallDisk {
    /// Mounts one, if this is root's process; with room for a write-ahead log, which grows to 4 MiB.
    fn mount() -> Option<Self> {
        if !geteuid().is_root() {
            eprintln!("left out: only root can mount a small disk");
            return None;
        }
        let state = State::new();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"])
            .arg(state.path())
            .status()
            .expect("mount can be run");
        if !mount.success() {
            // Containers may not; a machine of CI may.
            assert!(
                std::env::var_os("CI").is_none(),
                "root cannot mount a small disk: {mount}"
            );
            eprintln!("left out: root cannot mount a small disk here");
            return None;
        }
        Some(Self(state))
    }

    /// Fills all remaining space.
    fn fill(&self) {
        let mut file = File::create(self.ballast()).expect("a file can be created");
        for size in [64 * 1024, 1024, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn ballast(&self) -> PathBuf {
        self.0.path().join("ballast")
    }

    fn make_room(&self) {
        std::fs::remove_file(self.ballast()).expect("it is there");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, since a host may not have closed its files yet.
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

/// While the disk is full, writes are refused and reads are served; afterwards both work again.
#[tokio::test(flavor = "multi_thread")]
async fn the_disk_may_be_full() {
    let Some(disk) = SmallDisk::mount() else { return };
    let service = Service::on_sqlite_at("full disk", 2, &disk.0).await;
    let load = async |count: usize, prefix: &'static str| {
        service
            .clients(8, |service, client| async move {
                for number in 0..count {
                    let action = Action::Award(1 + i64::try_from(number).unwrap());
                    let user = format!("user{client}");
                    let request = Request::new(&user, action);
                    service.once(service.any_host(), request).await;
                    let user = format!("{prefix}{client}-{number}");
                    let action = Action::Create(1);
                    let request = Request::new(&user, action);
                    service.once(service.any_host(), request).await;
                    let user = format!("user{client}");
                    service.read(&user).await;
                }
            })
            .await;
    };
    let users: Vec<_> = (0..8).map(|number| format!("user{number}")).collect();
    service.create_users(&users, 0).await;
    load(10, "before").await;
    let before = service.tally.unavailable.load(Relaxed);
    disk.fill();
    load(1, "full").await;
    // Some changes may succeed in space that the database already has.
    let refused = service.tally.unavailable.load(Relaxed) - before;
    if before != 0 || refused == 0 {
        service.violation(format!(
            "503 {before} times before the disk was full and {refused} times then"
        ));
    }
    disk.make_room();
    service.let_two_minutes_pass().await;
    let unavailable = service.tally.unavailable.load(Relaxed);
    load(10, "after").await;
    if service.tally.unavailable.load(Relaxed) != unavailable {
        service.violation("still 503 once there was room".to_owned());
    }
    for user in service.users() {
        service.read(&user).await;
    }
    service.finish(&format!("{refused} writes refused while the disk was full"));
}

/// A damaged record is answered with a clear 500; others are unaffected, and it works again once it is repaired.
async fn a_damaged_record(app: App, damage: impl Fn(&str, &[u8]) -> Vec<u8>) {
    for user in ["jane", "john"] {
        app.create(format!(r#"{{"username":"{user}","points":60}}"#))
            .await;
    }
    let award = r#"{"points":1}"#;
    let mut whole = Vec::new();
    for (times, damaged) in ["", "{", "\u{0}\u{0}\u{0}", r#"{"format":99}"#]
        .into_iter()
        .enumerate()
    {
        let before = damage("user:jane", damaged.as_bytes());
        if times == 0 {
            whole = before;
        }
        app.get("/user/jane").await.problem(500, "corrupt-record");
        app.put("/user/promote/jane").await.problem(500, "corrupt-record");
        app.post("/user/points/jane", award)
            .await
            .problem(500, "corrupt-record");
        app.create(r#"{"username":"jane"}"#)
            .await
            .problem(500, "corrupt-record");
        assert_eq!(app.get("/user/john").await.status, 200);
        assert_eq!(app.post("/user/points/john", award).await.status, 200);
    }
    damage("user:jane", &whole);
    app.get("/user/jane")
        .await
        .exactly(200, r#"{"username":"jane","points":60}"#);
    let promoted = r#"{"username":"jane","points":60,"status":"Silver"}"#;
    app.put("/user/promote/jane").await.exactly(200, promoted);
    app.get("/user/john")
        .await
        .exactly(200, r#"{"username":"john","points":64}"#);
}

#[tokio::test]
async fn a_record_may_be_damaged_on_sqlite() {
    let app = App::start().await;
    let state = app.state().clone();
    a_damaged_record(app, |key, value| {
        let database = state.database();
        let select = "SELECT value FROM spin_key_value WHERE store = 'default' AND key = ?1";
        let before = database.query_row(select, [key], |row| row.get(0)).unwrap();
        state.overwrite(key, value);
        before
    })
    .await;
}

#[tokio::test]
async fn a_record_may_be_damaged_on_redis() {
    if without("redis-server") {
        return;
    }
    let server = Redis::in_memory();
    let builder = App::builder().runtime_config(server.runtime_config());
    let client = redis::Client::open(server.url()).unwrap();
    a_damaged_record(builder.start().await, |key, value| {
        let mut connection = client.get_connection().unwrap();
        let set = redis::cmd("SET").arg(key).arg(value).arg("GET").to_owned();
        set.query(&mut connection).unwrap()
    })
    .await;
}
