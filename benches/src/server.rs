//! The servers that are measured: how each is started, watched and ended.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use crate::receiver::Receiver;
use crate::store::{self, State};
use crate::subject::{Host, Program, Subject, World};

/// How long a server may take to its first answer; the first time, the functions are compiled.
const START: Duration = Duration::from_mins(2);

/// The threads of each worker of the seed: with 8 it answered most on the machine that it was tried on. Its simplest
/// workers would close the connection after each answer.
const SEED: [&str; 7] = [
    "--worker-class=gthread",
    "--threads=8",
    "--preload",
    "--no-control-socket",
    "--bind=127.0.0.1:0",
    "prepared:app",
    "--workers",
];

/// Where everything is that a server needs.
pub(crate) struct Surroundings {
    /// The folder that holds `spin.toml`.
    pub(crate) root: PathBuf,
    /// What the servers write stays in this folder.
    pub(crate) folder: PathBuf,
    /// The users that the seed starts with.
    pub(crate) seed: PathBuf,
    /// Where events go.
    pub(crate) receiver: Receiver,
}

/// A running server. It is killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    /// Its output; goes away with the server.
    log: TempDir,
    address: String,
    first_answer: Duration,
}

impl Surroundings {
    /// The command that starts a server on a free port.
    fn command(&self, subject: Subject, state: &State) -> Result<Command> {
        let built = |name| self.root.join("target/host").join(name);
        Ok(match subject {
            Subject::Components(platform, program) => {
                let mut command = match platform.host {
                    Host::Embedded => Command::new(built("host")),
                    Host::Spin => {
                        let mut spin = Command::new("spin");
                        spin.arg("up");
                        spin
                    }
                };
                command
                    .arg("--from")
                    .arg(manifest(&self.root, &self.folder, program, platform.world)?)
                    .args(["--quiet", "--listen", "127.0.0.1:0", "--state-dir"])
                    .arg(&state.folder);
                if let Some(file) = &state.runtime_config {
                    command.arg("--runtime-config-file").arg(file);
                }
                match program {
                    Program::Functions | Program::Floor => {}
                    Program::Configured => {
                        let file = self.root.join("deploy/variables.toml");
                        command.arg("--variable").arg(format!("@{}", file.display()));
                    }
                    Program::Publishing => {
                        command.envs(self.receiver.variables());
                    }
                }
                command
            }
            Subject::Native => {
                let mut command = Command::new(built("native"));
                command.arg(state.folder.join(store::FILE));
                command
            }
            Subject::Seed => {
                let workers = thread::available_parallelism().map_or(1, usize::from);
                let mut command = Command::new(self.root.join("target/venv-seed/bin/gunicorn"));
                command
                    .args(SEED)
                    .arg(workers.to_string())
                    .env("USERS", &self.seed)
                    .env("PYTHONDONTWRITEBYTECODE", "1")
                    .current_dir(self.root.join("benches/seed"));
                command
            }
        })
    }

    /// Starts a server and waits for its first answer. `environment` is added to what it usually gets.
    pub(crate) fn start(
        &self,
        subject: Subject,
        state: &State,
        environment: &[(&str, &str)],
    ) -> Result<Server> {
        let mut command = self.command(subject, state)?;
        for (variable, _) in std::env::vars_os() {
            let variable = variable.to_string_lossy();
            // `RUST_BACKTRACE` costs Spin a third of its throughput.
            if variable.starts_with("SPIN_") || variable.starts_with("RUST_") {
                command.env_remove(&*variable);
            }
        }
        let log = tempfile::tempdir_in(&self.folder)?;
        let output = File::create(log.path().join("output"))?;
        command
            // Wasmtime finds its settings and its cache through these.
            .env("XDG_CACHE_HOME", self.folder.join("cache"))
            .env("XDG_CONFIG_HOME", self.folder.join("settings"))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            // Spin and the seed serve in processes of their own, which are reached together. Ctrl-C does not reach them.
            .process_group(0);
        let since = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {subject} ({})", command.get_program().display()))?;
        let mut server = Server {
            child,
            log,
            address: String::new(),
            first_answer: Duration::ZERO,
        };
        let path = match subject {
            Subject::Components(_, Program::Floor) => "/get/user000000",
            _ => "/user/user000000",
        };
        server
            .await_answer(path, since)
            .with_context(|| format!("{subject} does not answer; it printed:\n{}", server.output()))?;
        Ok(server)
    }
}

/// The manifest of a program for a world. That of the floor for WASI 0.3 is made of the one for WASI 0.2, in `folder`.
pub(crate) fn manifest(root: &Path, folder: &Path, program: Program, world: World) -> Result<PathBuf> {
    let floor = root.join("benches/floor/spin.toml");
    Ok(match (program, world) {
        (Program::Floor, World::Wasip2) => floor,
        (Program::Floor, World::Wasip3) => {
            let path = folder.join("floor-wasip3.toml");
            let text =
                fs::read_to_string(&floor).with_context(|| format!("cannot read {}", floor.display()))?;
            let target = root.join("target/wasip3");
            let sources = format!("source = \"{}/", target.display());
            fs::write(&path, text.replace("source = \"../../target/", &sources))?;
            path
        }
        (_, World::Wasip2) => root.join("spin.toml"),
        (_, World::Wasip3) => root.join("spin-wasip3.toml"),
    })
}

impl Server {
    fn await_answer(&mut self, path: &str, since: Instant) -> Result<()> {
        while self.address.is_empty() {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended ({status})");
            }
            ensure!(since.elapsed() < START, "it takes too long");
            thread::sleep(Duration::from_millis(1));
            address_in(&self.output())
                .unwrap_or_default()
                .clone_into(&mut self.address);
        }
        let answer = ureq::get(format!("http://{}{path}", self.address))
            .config()
            .timeout_global(Some(START))
            .build()
            .call()
            .with_context(|| format!("GET {path}"))?;
        self.first_answer = since.elapsed();
        ensure!(answer.status() == 200, "GET {path}: {}", answer.status());
        Ok(())
    }

    /// What it has printed so far.
    pub(crate) fn output(&self) -> String {
        let bytes = fs::read(self.log.path().join("output")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// How long it took from the start of the process to the first answer, of status 200.
    pub(crate) fn first_answer(&self) -> Duration {
        self.first_answer
    }

    /// The most memory that its processes have had, each at its own time, in KiB.
    pub(crate) fn peak_memory(&self) -> Result<u32> {
        let group = self.child.id().to_string();
        let mut sum = 0;
        for entry in fs::read_dir("/proc")? {
            let process = entry?.path();
            // A process may end while it is looked at.
            let Ok(stat) = fs::read_to_string(process.join("stat")) else {
                continue;
            };
            if process_group(&stat) == Some(&group) {
                let status = fs::read_to_string(process.join("status")).unwrap_or_default();
                sum += high_water_mark(&status).unwrap_or_default();
            }
        }
        ensure!(
            sum > 0,
            "the system does not tell how much memory a process has had"
        );
        Ok(sum)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What it holds is not needed any more.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

/// The address in what the hosts, the native server or gunicorn print when they serve.
fn address_in(output: &str) -> Option<&str> {
    let (whole_lines, _) = output.rsplit_once('\n')?;
    whole_lines
        .lines()
        .filter(|line| line.starts_with("Serving ") || line.contains("Listening at: "))
        .find_map(|line| line.split_once("http://")?.1.split_whitespace().next())
}

/// The process group in `/proc/<pid>/stat`; the name of the program, before it, may have blanks and brackets.
fn process_group(stat: &str) -> Option<&str> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(2)
}

/// `VmHWM` in `/proc/<pid>/status`.
fn high_water_mark(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_once_they_are_whole() {
        for (output, address) in [
            ("\nServing http://127.0.0.1:3000\nAvail", Some("127.0.0.1:3000")),
            ("\nServing http://127.0.0.1:30", None),
            (
                "[1] [INFO] Starting\n[1] [INFO] Listening at: http://127.0.0.1:42 (7)\n",
                Some("127.0.0.1:42"),
            ),
            ("see http://example.com\n", None),
            ("", None),
        ] {
            assert_eq!(address_in(output), address, "{output}");
        }
    }

    #[test]
    fn processes_are_read_as_the_kernel_shows_them() {
        assert_eq!(
            process_group("12 (a b) c) S 7 4711 12 0 -1 4194304"),
            Some("4711")
        );
        assert_eq!(
            high_water_mark("VmPeak:\t 9 kB\nVmHWM:\t   1234 kB\n"),
            Some(1234)
        );
        assert_eq!(high_water_mark("Name:\tx\n"), None);
    }
}
