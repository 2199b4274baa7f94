//! A reverse proxy.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use http::Method;
use reqwest::RequestBuilder;
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::App;

const PATIENCE: Duration = Duration::from_mins(1);

/// An nginx before one application or more.
#[derive(Debug)]
pub struct Nginx {
    process: Child,
    port: u16,
    directory: TempDir,
}

impl Nginx {
    /// Starts one that distributes requests to hosts and adds `X-Forwarded-For`, as proxies do.
    pub async fn before(apps: &[&App]) -> Self {
        let servers: Vec<_> = apps
            .iter()
            .map(|app| format!("server {};", app.address()))
            .collect();
        let servers = servers.concat();
        Self::start(|address| {
            format!(
                "upstream application {{ {servers} keepalive 16; }}
                server {{
                    listen {address};
                    location / {{
                        proxy_pass http://application;
                        proxy_http_version 1.1;
                        proxy_set_header Connection '';
                        proxy_set_header Host $host;
                        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                    }}
                }}"
            )
        })
        .await
    }

    /// Starts one with `config` for a free address in its `http` block, and returns once it accepts connections.
    pub async fn start(config: impl FnOnce(&str) -> String) -> Self {
        let [port] = crate::free_ports();
        let directory = TempDir::new().expect("a temporary directory");
        let path = directory.path().display();
        // Only this user can access the directory.
        let user = if geteuid().is_root() { "user root;" } else { "" };
        let main = format!(
            "daemon off; {user} worker_processes 2; error_log {path}/error.log; pid {path}/pid;
            events {{ worker_connections 512; }}
            http {{
                log_format upstream '$upstream_addr $status';
                access_log {path}/access.log upstream;
                client_body_temp_path {path}/body; proxy_temp_path {path}/proxy; fastcgi_temp_path {path}/fastcgi;
                uwsgi_temp_path {path}/uwsgi; scgi_temp_path {path}/scgi;
                include {path}/http.conf;
            }}"
        );
        let write = |name: &str, text: &str| {
            let file = directory.path().join(name);
            std::fs::write(&file, text).expect("the configuration can be written");
            file
        };
        write("http.conf", &config(&format!("127.0.0.1:{port}")));
        let process = Command::new("nginx")
            .arg("-e")
            .arg(directory.path().join("error.log"))
            .arg("-c")
            .arg(write("nginx.conf", &main))
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx starts");
        let nginx = Self {
            process,
            port,
            directory,
        };
        nginx
            .wait_until("accept connections", async || {
                TcpStream::connect(("127.0.0.1", port)).await.is_ok()
            })
            .await;
        nginx
    }

    /// Loads another configuration without refusing or aborting a request. Returns once no request is served by the
    /// old one.
    pub async fn reload(&self, config: impl FnOnce(&str) -> String) {
        let file = self.directory.path().join("http.conf");
        std::fs::write(file, config(&self.address())).expect("the configuration can be written");
        let old = self.workers();
        kill_process(Pid::from_child(&self.process), Signal::HUP).expect("nginx can be signalled");
        self.wait_until("take the new configuration", async || {
            let now = self.workers();
            now.len() == old.len() && now.iter().all(|worker| !old.contains(worker))
        })
        .await;
    }

    /// Host and port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A request to the proxy, by the client of `app`.
    pub fn request(&self, app: &App, method: Method, path: &str) -> RequestBuilder {
        app.client()
            .request(method, format!("http://{}{path}", self.address()))
    }

    /// How many requests the host at `address` has answered.
    pub fn answered_by(&self, address: &str) -> usize {
        let log = std::fs::read_to_string(self.directory.path().join("access.log")).expect("a log");
        log.lines()
            .filter(|line| line.split(' ').next() == Some(address))
            .count()
    }

    /// The processes that serve.
    fn workers(&self) -> Vec<String> {
        let id = self.process.id();
        let children =
            std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).expect("Linux lists children");
        children.split_whitespace().map(str::to_owned).collect()
    }

    async fn wait_until(&self, what: &str, is_so: impl AsyncFn() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_so().await {
            assert!(Instant::now() < end, "nginx does not {what}:\n{}", self.errors());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn errors(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("error.log")).unwrap_or_default()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It takes its workers with it, which it could not if it were killed. It may have ended by itself.
        if matches!(self.process.try_wait(), Ok(None)) {
            let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
            let _ = self.process.wait();
        }
        if thread::panicking() {
            eprintln!("nginx reported:\n{}", self.errors());
        }
    }
}
