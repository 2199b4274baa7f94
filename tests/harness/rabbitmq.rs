//! A `RabbitMQ` broker for one test.

use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

/// Erlang takes its time on a machine that is busy.
const START: Duration = Duration::from_mins(5);
/// Debian's path. The wrapper on `PATH` would switch to another user, who cannot access the temporary folder.
const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/// A broker on a free port, without plugins. It is killed, and its data removed, when this is dropped.
#[derive(Debug)]
pub struct RabbitMq {
    port: u16,
    /// The port of this broker's own Erlang port mapper (`epmd`). A shared one would keep running after the test.
    names_port: u16,
    distribution_port: u16,
    folder: TempDir,
    names: Child,
    server: Option<Child>,
}

impl RabbitMq {
    /// Starts one, and returns once it accepts connections.
    pub fn start() -> Self {
        let [port, names_port, distribution_port] = crate::free_ports();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let names = Command::new("epmd")
            .args(["-address", "127.0.0.1", "-port", &names_port.to_string()])
            .stdin(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("epmd: {error}"));
        let mut broker = Self {
            port,
            names_port,
            distribution_port,
            folder,
            names,
            server: None,
        };
        broker.restart();
        broker
    }

    /// Where it is, for clients.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2F", self.port)
    }

    /// Starts it again after [`RabbitMq::kill`], on the same port and data.
    pub fn restart(&mut self) {
        let path = |name: &str| self.folder.path().join(name);
        std::fs::write(path("plugins"), "[].").expect("a temporary file can be written");
        let log = std::fs::File::create(path("log")).expect("a temporary file can be written");
        let server = Command::new(SERVER)
            .env("HOME", self.folder.path())
            .env("ERL_EPMD_PORT", self.names_port.to_string())
            .env("RABBITMQ_NODENAME", "test@localhost")
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1}",
            )
            .env("RABBITMQ_MNESIA_BASE", path("data"))
            .env("RABBITMQ_LOGS", "-")
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", path("plugins"))
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf"))
            // The script starts Erlang as a process of its own.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{SERVER}: {error}"));
        self.server = Some(server);
        let end = Instant::now() + START;
        while !(is_complete(&path("log")) && TcpStream::connect(("127.0.0.1", self.port)).is_ok()) {
            assert!(
                Instant::now() < end,
                "RabbitMQ does not start: {}",
                std::fs::read_to_string(path("log")).unwrap_or_default()
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Kills it.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = kill_process_group(Pid::from_child(&server), Signal::KILL);
            let _ = server.wait();
        }
    }
}

impl Drop for RabbitMq {
    fn drop(&mut self) {
        self.kill();
        let _ = self.names.kill();
        let _ = self.names.wait();
    }
}

fn is_complete(log: &Path) -> bool {
    std::fs::read_to_string(log).is_ok_and(|log| log.contains("Server startup complete"))
}
