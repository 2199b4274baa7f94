//! A reverse proxy.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use http::Method;
use reqwest::RequestBuilder;
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::App;

/// An nginx before one application or more, which adds `X-Forwarded-For` as proxies do.
#[derive(Debug)]
pub struct Nginx {
    process: Child,
    port: u16,
    _directory: TempDir,
}

impl Nginx {
    /// Starts one on a free port, and returns once it accepts connections.
    pub async fn before(apps: &[&App]) -> Self {
        let port = free_port();
        let directory = TempDir::new().expect("a temporary directory");
        let path = directory.path().display();
        let servers: Vec<_> = apps
            .iter()
            .map(|app| format!("server {};", app.address()))
            .collect();
        let servers = servers.concat();
        let config = format!(
            "daemon off; master_process off; error_log {path}/error.log; pid {path}/pid;
            events {{ worker_connections 512; }}
            http {{
                access_log off;
                client_body_temp_path {path}/body; proxy_temp_path {path}/proxy; fastcgi_temp_path {path}/fastcgi;
                uwsgi_temp_path {path}/uwsgi; scgi_temp_path {path}/scgi;
                upstream application {{ {servers} keepalive 16; }}
                server {{
                    listen 127.0.0.1:{port};
                    location / {{
                        proxy_pass http://application;
                        proxy_http_version 1.1;
                        proxy_set_header Connection '';
                        proxy_set_header Host $host;
                        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                    }}
                }}
            }}"
        );
        let file = directory.path().join("nginx.conf");
        std::fs::write(&file, config).expect("the configuration can be written");
        let process = Command::new("nginx")
            .arg("-e")
            .arg(directory.path().join("error.log"))
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx starts");
        let nginx = Self {
            process,
            port,
            _directory: directory,
        };
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return nginx;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nginx does not accept connections");
    }

    /// A request to the proxy, by the client of `app`.
    pub fn request(&self, app: &App, method: Method, path: &str) -> RequestBuilder {
        app.client()
            .request(method, format!("http://127.0.0.1:{}{path}", self.port))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have ended by itself, which is as well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}
