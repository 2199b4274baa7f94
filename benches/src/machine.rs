//! What the numbers were measured on.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::statistics::median;
use crate::table::Table;

/// Describes the machine, and the disk that `folder` is on.
pub(crate) fn describe(root: &Path, folder: &Path, with_spin: bool) -> Result<Table> {
    let system = rustix::system::uname();
    let mut table = Table::new(&["", ""]);
    let mut enter = |what: &str, value: String| table.row(&[what, &value]);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned());
    enter("processor", format!("{cores} cores, {processor}"));
    if let Some(kilobytes) = field("/proc/meminfo", "MemTotal")
        .and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok())
    {
        enter("memory", format!("{:.0} GiB", kilobytes / 1_048_576.0));
    }
    enter(
        "system",
        format!(
            "{} {}, {}",
            system.sysname().to_string_lossy(),
            system.release().to_string_lossy(),
            system.machine().to_string_lossy()
        ),
    );
    enter(
        "disk",
        format!(
            "{}; 4 KiB are on it for good after {:.2} ms (median)",
            disk(folder)?,
            sync_time(folder)?
        ),
    );
    enter("Rust", first_line(Command::new("rustc").arg("--version"))?);
    enter(
        "load generator",
        first_line(Command::new("wrk").arg("--version"))?,
    );
    if with_spin {
        enter("Spin", first_line(Command::new("spin").arg("--version"))?);
    }
    enter(
        "Redis",
        first_line(Command::new("redis-server").arg("--version"))?,
    );
    let python = root.join("target/venv-seed/bin/python");
    let gunicorn = root.join("target/venv-seed/bin/gunicorn");
    enter(
        "seed",
        format!(
            "{}, {}",
            first_line(Command::new(python).arg("--version"))?,
            first_line(Command::new(gunicorn).arg("--version"))?
        ),
    );
    Ok(table)
}

/// The value behind a name in one of the kernel's tables.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The file system that `folder` is on, and the device behind it.
fn disk(folder: &Path) -> Result<String> {
    let mounts = fs::read_to_string("/proc/mounts").context("cannot read /proc/mounts")?;
    let folder = folder.canonicalize()?;
    let mount = mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            Some((fields.next()?, fields.next()?, fields.next()?))
        })
        .filter(|(_, place, _)| folder.starts_with(place))
        // Of mounts at one place the last one counts.
        .max_by_key(|(_, place, _)| place.len());
    Ok(mount.map_or_else(
        || "unknown".to_owned(),
        |(device, _, kind)| format!("{kind} on {device}"),
    ))
}

/// The median time, in milliseconds, to write 4 KiB and have them on the disk for good.
fn sync_time(folder: &Path) -> Result<f64> {
    let mut file: File = tempfile::tempfile_in(folder)?;
    let mut times = Vec::new();
    for _ in 0..100 {
        let since = Instant::now();
        file.write_all(&[1; 4096])?;
        file.sync_data()?;
        times.push(since.elapsed().as_secs_f64() * 1e3);
    }
    median(times).context("nothing was measured")
}

/// The first line that a program prints.
fn first_line(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    // `wrk` says what it is on its way to saying how it is used.
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &*String::from_utf8_lossy(&output.stderr);
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}
