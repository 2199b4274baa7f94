//! A host that serves the application.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

use crate::{Manifest, Receiver, State};

/// Generous: the first start compiles the functions, on a machine that may be busy.
const START: Duration = Duration::from_mins(2);
const STOP: Duration = Duration::from_mins(1);
const LOG: Duration = Duration::from_mins(1);

/// How to start a host; by default as shipped.
#[derive(Clone, Debug)]
pub struct AppBuilder {
    manifest: Option<String>,
    manifest_file: Option<PathBuf>,
    state: State,
    state_dir: Option<PathBuf>,
    runtime_config: Option<String>,
    listen: String,
    requests_per_instance: Option<u32>,
    environment: Vec<(String, String)>,
}

/// A running host. It is killed when this is dropped.
#[derive(Debug)]
pub struct App {
    // First, so that the host is gone before its state directory is.
    process: Process,
    builder: AppBuilder,
    address: String,
    client: reqwest::Client,
}

/// How a host ended that was expected to end.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its status.
    pub status: ExitStatus,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl AppBuilder {
    /// Serves another manifest than the shipped one.
    #[must_use]
    pub fn manifest(self, manifest: &Manifest) -> Self {
        self.manifest_text(manifest.to_string())
    }

    /// Serves this text as the manifest, even if it is invalid.
    #[must_use]
    pub fn manifest_text(mut self, text: impl Into<String>) -> Self {
        self.manifest = Some(text.into());
        self
    }

    /// Serves a manifest file in its place.
    #[must_use]
    pub fn manifest_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.manifest_file = Some(path.into());
        self
    }

    /// Uses a state directory that it shares with other hosts.
    #[must_use]
    pub fn state(mut self, state: &State) -> Self {
        self.state = state.clone();
        self
    }

    /// Passes a state directory that may be unusable.
    #[must_use]
    pub fn state_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(path.into());
        self
    }

    /// Uses this text as the runtime configuration.
    #[must_use]
    pub fn runtime_config(mut self, text: impl Into<String>) -> Self {
        self.runtime_config = Some(text.into());
        self
    }

    /// Listens on this address rather than on a free port.
    #[must_use]
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen = address.into();
        self
    }

    /// Limits how many requests an instance serves at a time.
    #[must_use]
    pub fn requests_per_instance(mut self, count: u32) -> Self {
        self.requests_per_instance = Some(count);
        self
    }

    /// Sets a Spin variable.
    #[must_use]
    pub fn variable(self, name: &str, value: impl Into<String>) -> Self {
        self.environment(&format!("SPIN_VARIABLE_{}", name.to_uppercase()), value)
    }

    /// Makes this the receiver of events. Functions that write do not ask for publication unless `events` is `on`.
    #[must_use]
    pub fn receiver(self, receiver: &Receiver) -> Self {
        self.variable("events_host", receiver.url())
            .variable("events_url", format!("{}/hook?a=b", receiver.url()))
            .variable("events_secret", Receiver::SECRET)
    }

    /// Sets an environment variable of the host.
    #[must_use]
    pub fn environment(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Starts the host, and returns once it serves.
    pub async fn start(self) -> App {
        tokio::task::spawn_blocking(|| self.start_blocking())
            .await
            .unwrap_or_else(|error| {
                // The host's message is more useful than that of a panicked task.
                std::panic::resume_unwind(error.into_panic())
            })
    }

    /// Starts a host that is expected to fail.
    pub async fn start_in_vain(self) -> Ended {
        tokio::task::spawn_blocking(move || Process::spawn(&self).0.ended())
            .await
            .expect("the host ends")
    }

    fn start_blocking(self) -> App {
        let (process, serving) = Process::spawn(&self);
        let Ok(address) = serving.recv_timeout(START) else {
            panic!("the host does not serve");
        };
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_mins(1))
            .build()
            .expect("a client");
        App {
            process,
            builder: self,
            address,
            client,
        }
    }
}

impl App {
    /// Returns a builder for the settings of a host.
    pub fn builder() -> AppBuilder {
        AppBuilder {
            manifest: None,
            manifest_file: None,
            state: State::new(),
            state_dir: None,
            runtime_config: None,
            listen: "127.0.0.1:0".to_owned(),
            requests_per_instance: None,
            environment: Vec::new(),
        }
    }

    /// Starts the application as shipped, with no users yet.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Stops the host as a service manager does, checks that it ends cleanly, and returns what it logged.
    pub fn stop(self) -> String {
        self.stop_with(Signal::TERM)
    }

    /// The same with another signal.
    pub fn stop_with(mut self, signal: Signal) -> String {
        self.signal(signal);
        let ended = self.process.ended();
        assert!(
            ended.status.success(),
            "{signal:?}: {}\n{}",
            ended.status,
            ended.stderr
        );
        ended.stderr
    }

    /// Kills the host.
    pub fn kill(mut self) {
        self.process.kill();
    }

    /// Starts the host again, on the same state and most likely another port.
    pub async fn restart(self) -> Self {
        let builder = self.builder.clone();
        self.stop();
        builder.start().await
    }

    /// Sends a signal without waiting for its effect.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.process.id(), signal).expect("the host can be signalled");
    }

    /// Waits for the host to end.
    pub fn ended(mut self) -> Ended {
        self.process.ended()
    }

    /// The state directory, for another host or for a look at the database.
    pub fn state(&self) -> &State {
        &self.builder.state
    }

    /// `http://` and the address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The HTTP client.
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// What the host and the functions have printed so far.
    ///
    /// It comes through pipes, so what they print before an answer may come after it.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Waits until they have printed `text`.
    pub async fn logs(&self, text: &str) {
        let end = Instant::now() + LOG;
        while !self.log().contains(text) {
            assert!(Instant::now() < end, "{text:?} is not logged");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A host process and what it prints.
#[derive(Debug)]
struct Process {
    child: Child,
    readers: Vec<thread::JoinHandle<()>>,
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
    /// The manifest and the host's own temporary files.
    _files: TempDir,
}

impl Process {
    /// Starts a host; the receiver gets its address once it serves, and nothing if it ends before.
    fn spawn(builder: &AppBuilder) -> (Self, std::sync::mpsc::Receiver<String>) {
        let files = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: &str| {
            let path = files.path().join(name);
            std::fs::write(&path, text).expect("a temporary file can be written");
            path
        };
        let manifest = builder.manifest_file.clone().unwrap_or_else(|| {
            let text = builder.manifest.clone();
            let text = text.unwrap_or_else(|| Manifest::shipped().to_string());
            write("spin.toml", &text)
        });
        let mut command = if crate::on_spin() {
            builder.state.use_write_ahead_log();
            let mut spin = Command::new("spin");
            // Spin serves in a process of its own, which is only reached together with the first one.
            spin.arg("up").process_group(0);
            spin
        } else {
            Command::new(crate::built("target/host/host"))
        };
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SPIN_") {
                command.env_remove(name);
            }
        }
        command
            .arg("--from")
            .arg(manifest)
            .args(["--listen", &builder.listen])
            .arg("--state-dir")
            .arg(builder.state_dir.as_deref().unwrap_or(builder.state.path()))
            .envs(builder.environment.iter().map(|(name, value)| (name, value)))
            .env("TMPDIR", files.path())
            .current_dir(files.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(text) = &builder.runtime_config {
            command
                .arg("--runtime-config-file")
                .arg(write("runtime-config.toml", text));
        }
        // In WASI 0.2 an instance serves only one request, and Spin 3.5 does not know the flag.
        if let Some(count) = builder.requests_per_instance
            && crate::in_wasip3()
        {
            command.args(["--max-instance-concurrent-reuse-count", &count.to_string()]);
        }
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));

        let (serving, address) = channel();
        let (stdout, out) = collect(child.stdout.take().expect("a pipe"), Some(serving));
        let (stderr, err) = collect(child.stderr.take().expect("a pipe"), None);
        (
            Self {
                child,
                readers: vec![out, err],
                stdout,
                stderr,
                _files: files,
            },
            address,
        )
    }

    fn id(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn log(&self) -> String {
        text(&self.stdout) + &text(&self.stderr)
    }

    fn ended(&mut self) -> Ended {
        let Some(status) = self.wait(STOP) else {
            panic!("the host does not end");
        };
        self.read_to_the_end();
        Ended {
            status,
            stderr: text(&self.stderr),
        }
    }

    fn read_to_the_end(&mut self) {
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }

    fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let end = Instant::now() + patience;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(5));
        }
        None
    }

    fn kill(&mut self) {
        let _ = if crate::on_spin() {
            kill_process_group(self.id(), Signal::KILL)
        } else {
            kill_process(self.id(), Signal::KILL)
        };
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Spin gets a moment to end the process that it started.
        if crate::on_spin() && matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process(self.id(), Signal::TERM);
            self.wait(Duration::from_secs(2));
        }
        // Once it has been waited for, its id may belong to another process.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.kill();
        }
        if thread::panicking() {
            self.read_to_the_end();
            eprintln!("the host printed:\n{}", self.log());
        }
    }
}

/// Keeps what a host prints, and sends the address that it serves on.
fn collect(
    pipe: impl Read + Send + 'static,
    serving: Option<Sender<String>>,
) -> (Arc<Mutex<String>>, thread::JoinHandle<()>) {
    let lines = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&lines);
    let reader = thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&line);
            if let (Some(serving), Some(address)) = (&serving, text.trim().strip_prefix("Serving http://")) {
                // Nobody waits for a host that was expected to fail.
                let _ = serving.send(address.to_owned());
            }
            kept.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_str(&text);
            line.clear();
        }
    });
    (lines, reader)
}

fn text(lines: &Mutex<String>) -> String {
    lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
