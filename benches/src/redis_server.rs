//! A Redis server for one store.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use redis::{Client, Commands, Connection};
use rusqlite::Connection as Database;

/// How long a server may take until it answers.
const START: Duration = Duration::from_secs(20);
/// How many keys are written or read at once.
const CHUNK: usize = 10_000;

/// A Redis server that has every write on disk before it answers, as `deploy/README.md` asks for. It is killed when this
/// is dropped.
pub(crate) struct RedisServer {
    server: Child,
    url: String,
}

impl RedisServer {
    /// Starts a server that keeps its files in `folder`, and fills it with what the `SQLite` store `from` holds.
    pub(crate) fn start(folder: &Path, from: &Path) -> Result<Self> {
        // Nobody holds the port until the server does, so it may be lost to another.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", "no"])
            .args(["--auto-aof-rewrite-percentage", "0"])
            .arg("--dir")
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            // Ctrl-C is for the program that measures, which ends it.
            .process_group(0)
            .spawn()
            .context("cannot start redis-server")?;
        let mut started = Self {
            server,
            url: format!("redis://127.0.0.1:{port}"),
        };
        let mut connection = started.connect()?;
        fill(&mut connection, from).context("cannot fill Redis")?;
        // Only now, or filling would wait for the disk all the time. The first write has all before it on the disk.
        redis::cmd("CONFIG")
            .arg(&["SET", "appendfsync", "always"])
            .exec(&mut connection)?;
        connection.set::<_, _, ()>("filled", "")?;
        connection.del::<_, ()>("filled")?;
        Ok(started)
    }

    fn connect(&mut self) -> Result<Connection> {
        let client = Client::open(self.url.as_str())?;
        let end = Instant::now() + START;
        loop {
            if let Ok(connection) = client.get_connection() {
                return Ok(connection);
            }
            if let Some(status) = self.server.try_wait()? {
                bail!("redis-server ended ({status})");
            }
            if Instant::now() > end {
                bail!("redis-server does not answer");
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Where it is, for clients.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The values of all users.
    pub(crate) fn users(&self) -> Result<Vec<Vec<u8>>> {
        let client = Client::open(self.url.as_str())?;
        let keys: Vec<String> = client
            .get_connection()?
            .scan_match("user:*")?
            .collect::<redis::RedisResult<_>>()?;
        let mut connection = client.get_connection()?;
        let mut values = Vec::with_capacity(keys.len());
        for keys in keys.chunks(CHUNK) {
            values.extend(connection.mget::<_, Vec<Vec<u8>>>(keys)?);
        }
        Ok(values)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // Its data is not needed any more.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Sends all pairs in pipelines, which is how Redis is filled in bulk.
fn fill(connection: &mut Connection, from: &Path) -> Result<()> {
    let database = Database::open(from)?;
    let mut select = database.prepare("SELECT key, value FROM spin_key_value")?;
    let mut rows = select.query([])?;
    let mut pipe = redis::pipe();
    while let Some(row) = rows.next()? {
        let (key, value): (String, Vec<u8>) = (row.get(0)?, row.get(1)?);
        pipe.set(key, value).ignore();
        if pipe.len() == CHUNK {
            pipe.exec(connection)?;
            pipe.clear();
        }
    }
    if !pipe.is_empty() {
        pipe.exec(connection)?;
    }
    Ok(())
}
