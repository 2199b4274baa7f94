//! A Redis server for one test.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const START: Duration = Duration::from_secs(20);

/// A Redis server on a free port. It is killed, and its data removed, when this is dropped.
#[derive(Debug)]
pub struct Redis {
    port: u16,
    folder: TempDir,
    append_only: bool,
    server: Option<Child>,
}

impl Redis {
    /// Keeps nothing on disk.
    pub fn in_memory() -> Self {
        Self::new(false)
    }

    /// Has every write on disk before it answers.
    pub fn durable() -> Self {
        Self::new(true)
    }

    fn new(append_only: bool) -> Self {
        // Another process may take the port before the server does.
        for _ in 0..5 {
            let [port] = crate::free_ports();
            let folder = tempfile::tempdir().expect("a temporary folder");
            let mut redis = Self {
                port,
                folder,
                append_only,
                server: None,
            };
            if redis.try_start() {
                return redis;
            }
        }
        panic!("redis-server does not start");
    }

    /// Where it is, for clients.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The runtime configuration that makes it the store of the functions.
    pub fn runtime_config(&self) -> String {
        format!(
            "[key_value_store.default]\ntype = \"redis\"\nurl = \"{}\"\n",
            self.url()
        )
    }

    /// Starts it again after [`Redis::kill`], on the same port and data.
    pub fn start(&mut self) {
        assert!(self.try_start(), "redis-server does not start again");
    }

    /// Kills it.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// Freezes it, so that it keeps its connections but answers nothing.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Resumes it after [`Redis::freeze`].
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let server = self.server.as_ref().expect("a server that runs");
        kill_process(Pid::from_child(server), signal).expect("the server can be signalled");
    }

    fn try_start(&mut self) -> bool {
        let append_only = if self.append_only { "yes" } else { "no" };
        let server = Command::new("redis-server")
            .args([
                "--bind",
                "127.0.0.1",
                "--port",
                &self.port.to_string(),
                "--save",
                "",
            ])
            .args(["--appendonly", append_only, "--appendfsync", "always"])
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("redis-server: {error}"));
        let server = self.server.insert(server);
        let end = Instant::now() + START;
        while Instant::now() < end && matches!(server.try_wait(), Ok(None)) {
            if ping(self.port).is_ok_and(|answer| answer == *b"+PONG") {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.kill();
        false
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn ping(port: u16) -> std::io::Result<[u8; 5]> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}
