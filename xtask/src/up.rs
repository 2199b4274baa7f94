//! Serves the functions on this machine, with Spin or with the embedded host.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::toolchain::{Version, version};
use crate::world::World;
use crate::{build, root};

/// The oldest Spin that has `static_response`, which `spin.toml` uses.
const SPIN_NEEDED: Version = (3, 5);

/// How to serve. The flags have the names of those of `spin up`.
#[derive(Args)]
pub(crate) struct Options {
    /// What runs the functions [default: spin if version 3.5 or later is on PATH, else embedded]
    #[arg(long)]
    host: Option<Host>,
    /// The address to serve on; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: String,
    /// The folder that keeps the users [default: .spin beside spin.toml]
    #[arg(long)]
    state_dir: Option<PathBuf>,
    /// A Spin runtime configuration, for instance to keep the users in Redis.
    #[arg(long)]
    runtime_config_file: Option<PathBuf>,
    /// Hides what the functions print.
    #[arg(long)]
    quiet: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Host {
    Spin,
    Embedded,
}

/// Builds the functions, serves them until stopped, and returns the host's exit code.
pub(crate) fn up(options: &Options) -> Result<ExitCode> {
    let host = choose_host(options.host)?;
    build::functions(World::Wasip2)?;
    let state_dir = options.state_dir.clone().unwrap_or_else(|| root().join(".spin"));
    let mut command = match host {
        Host::Spin => {
            use_write_ahead_log(&state_dir)?;
            println!("Starting Spin …");
            let mut spin = Command::new("spin");
            spin.arg("up");
            spin
        }
        Host::Embedded => {
            let host = build::embedded_host()?;
            println!("Starting the embedded host …");
            Command::new(host)
        }
    };
    command.arg("--from").arg(World::Wasip2.manifest());
    command
        .args(["--listen", &options.listen])
        .arg("--state-dir")
        .arg(state_dir);
    if let Some(file) = &options.runtime_config_file {
        command.arg("--runtime-config-file").arg(file);
    }
    if options.quiet {
        command.arg("--quiet");
    }
    serve(&mut command)
}

/// The version that the `spin` on PATH prints.
fn installed_spin() -> Option<String> {
    let output = Command::new("spin")
        .arg("--version")
        .stderr(Stdio::null())
        .output();
    Some(String::from_utf8_lossy(&output.ok()?.stdout).trim().to_owned())
}

/// Whether the `spin` on PATH can run the functions.
pub(crate) fn spin_fits() -> bool {
    installed_spin().is_some_and(|found| fits(&found))
}

/// Whether a `spin` that prints this version can run the functions.
fn fits(spin: &str) -> bool {
    version(spin) >= Some(SPIN_NEEDED)
}

fn choose_host(forced: Option<Host>) -> Result<Host> {
    Ok(match (forced, installed_spin()) {
        (Some(Host::Embedded), _) => Host::Embedded,
        (_, Some(found)) if fits(&found) => Host::Spin,
        (Some(Host::Spin), Some(found)) => {
            bail!("Spin 3.5 or later is needed, and the one on PATH is {found:?}")
        }
        (Some(Host::Spin), None) => bail!("there is no `spin` on PATH"),
        (None, Some(found)) => {
            println!(
                "Using the embedded host: Spin 3.5 or later is needed, and the one on PATH is {found:?}"
            );
            Host::Embedded
        }
        (None, None) => {
            println!("Using the embedded host: there is no `spin` on PATH");
            Host::Embedded
        }
    })
}

/// Switches the database to WAL mode, in which Spin commits more than twice as fast. The mode is stored in the file.
fn use_write_ahead_log(state_dir: &Path) -> Result<()> {
    let file = state_dir.join("sqlite_key_value.db");
    std::fs::create_dir_all(state_dir).with_context(|| format!("cannot create {}", state_dir.display()))?;
    rusqlite::Connection::open(&file)
        .and_then(|database| database.pragma_update(None, "journal_mode", "WAL"))
        .with_context(|| format!("cannot prepare {}", file.display()))
}

/// Starts the host, prints its output, and tells how to call the functions once they answer.
fn serve(command: &mut Command) -> Result<ExitCode> {
    let name = command.get_program().to_string_lossy().into_owned();
    // From here on a signal ends the host, and this program ends after it.
    let signals = Signals::new([SIGINT, SIGTERM]).context("cannot listen for signals")?;
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    pass_on(signals, &child);

    let output = child.stdout.take().context("the host has no output")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("cannot read what the host prints")?;
        let line = String::from_utf8_lossy(&line);
        // The host continues even if nobody reads the output any more.
        let _ = writeln!(std::io::stdout(), "{line}");
        if let Some(address) = line.trim().strip_prefix("Serving http://") {
            let address = address.to_owned();
            thread::spawn(move || introduce(&address));
        }
    }
    let status = child.wait().context("cannot wait for the host")?;
    // Encoded as shells do.
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    Ok(code
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Forwards SIGTERM to the host. The terminal also sends SIGINT to the host, so here SIGINT is only kept from ending us.
fn pass_on(mut signals: Signals, host: &Child) {
    let host = Pid::from_child(host);
    thread::spawn(move || {
        for signal in &mut signals {
            if signal == SIGTERM {
                // Fails only if the host has ended already.
                let _ = kill_process(host, Signal::TERM);
            }
        }
    });
}

/// Waits until the host answers, and then prints the next steps for a newcomer.
fn introduce(address: &str) {
    for _ in 0..100 {
        if health(address).is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 ")) {
            let record = r#"{"username":"johndoe","email":"john@example.com"}"#;
            let _ = writeln!(
                std::io::stdout(),
                "\nOpen: http://{address}/console/\n\
                 Try:  curl -i -X POST http://{address}/user -H 'content-type: application/json' -d '{record}'\n\
                 Stop: Ctrl-C"
            );
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn health(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    write!(
        stream,
        "GET /.well-known/spin/health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
