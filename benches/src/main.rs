//! Measures the functions against the floor, a native server and the seed, and reports. `cargo xtask bench` builds
//! what is measured and runs this.

mod chart;
mod fairness;
mod goals;
mod machine;
mod plan;
mod report;
mod results;
mod server;
mod statistics;
mod store;
mod wrk;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use signal_hook::consts::{SIGINT, SIGTERM};
use tempfile::TempDir;

use crate::plan::{CONNECTIONS, Case, Contender, Load, MILLION, Numbers, ROUNDS, Subject, THOUSAND};
use crate::results::{Results, Start};
use crate::server::{Server, Surroundings};
use crate::store::Prepared;

/// Measures the functions against the floor, a native server and the seed.
#[derive(Parser)]
struct Arguments {
    /// Write the tables and charts to docs
    #[arg(long)]
    write: bool,
    /// Measure the functions on Spin as well; `spin` has to be on PATH
    #[arg(long)]
    with_spin: bool,
}

fn main() -> ExitCode {
    match perform() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform() -> Result<()> {
    let arguments = Arguments::parse();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the benches are in a folder of the project")?;
    // Not where temporary files are: that may be no disk.
    let folder = root.join("target/bench");
    fs::create_dir_all(&folder)?;
    let mut bench = Bench::prepare(root, &folder, arguments.with_spin)?;
    bench.measure()?;
    let machine = machine::describe(root, &folder, arguments.with_spin)?;
    let blocks = report::blocks(&bench.results, &machine);
    for block in &blocks {
        println!("\n{}", block.text.trim_end());
    }
    if arguments.write {
        let path = root.join("docs/BENCHMARKS.md");
        let document =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        fs::write(&path, report::place(&document, &blocks)?)?;
        chart::draw_all(&bench.results, &root.join("docs/benchmarks"))?;
        println!("\nWritten to docs/BENCHMARKS.md and docs/benchmarks");
    }
    Ok(())
}

/// A run.
struct Bench {
    surroundings: Surroundings,
    prepared: Prepared,
    script: PathBuf,
    with_spin: bool,
    results: Results,
    begun: Instant,
    /// Set by Ctrl-C: servers are to be ended and files removed all the same.
    interrupted: Arc<AtomicBool>,
    /// All that this run writes before it reports.
    folder: TempDir,
}

impl Bench {
    fn prepare(root: &Path, folder: &Path, with_spin: bool) -> Result<Self> {
        let begun = Instant::now();
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
        }
        println!("Filling the stores …");
        let folder = tempfile::tempdir_in(folder)?;
        let prepared = Prepared::new(folder.path())?;
        let surroundings = Surroundings {
            root: root.to_owned(),
            folder: folder.path().to_owned(),
            seed: prepared.seed(),
        };
        let floor_size = sizes(&root.join("benches/floor/spin.toml"))?
            .remove("get")
            .context("the floor has no component that reads")?;
        let results = Results {
            sizes: sizes(&root.join("spin.toml"))?,
            floor_size,
            ..Results::default()
        };
        println!("Checking that floor and native server do what the functions do …");
        fairness::check(&surroundings, &prepared)?;
        Ok(Self {
            surroundings,
            prepared,
            script: root.join("benches/load.lua"),
            with_spin,
            results,
            begun,
            interrupted,
            folder,
        })
    }

    fn measure(&mut self) -> Result<()> {
        println!(
            "Measuring for about {} minutes …",
            self.estimate().as_secs().div_ceil(60)
        );
        for round in 0..ROUNDS {
            self.progress(round, "starts");
            self.measure_starts()?;
            for load in Load::ALL {
                if load.connections(round).is_empty() {
                    continue;
                }
                self.progress(round, load.name());
                self.measure_load(load, round)?;
            }
        }
        println!("Measured for {} s", self.begun.elapsed().as_secs());
        Ok(())
    }

    fn progress(&self, round: u32, what: &str) {
        let seconds = self.begun.elapsed().as_secs();
        println!(
            "{:2}:{:02}  round {} of {ROUNDS}: {what}",
            seconds / 60,
            seconds % 60,
            round + 1
        );
    }

    /// How long it will take, if to start and check a server takes half a second, and all servers that are only started
    /// take three.
    fn estimate(&self) -> Duration {
        let loads = (0..ROUNDS).flat_map(|round| Load::ALL.map(|load| (round, load)));
        let cases = loads.flat_map(|(round, load)| {
            let connections = load.connections(round).iter();
            connections.map(move |&connections| (load, connections))
        });
        let measured: Duration = cases
            .map(|(load, connections)| {
                let contenders = u32::try_from(load.contenders(connections, self.with_spin).len());
                let each = Duration::from_millis(100) + Duration::from_secs(load.seconds(connections).into());
                (each + Duration::from_millis(170)) * contenders.unwrap_or(u32::MAX)
            })
            .sum();
        self.begun.elapsed() + measured + Duration::from_secs(3) * ROUNDS
    }

    fn go_on(&self) -> Result<()> {
        ensure!(!self.interrupted.load(Ordering::Relaxed), "interrupted");
        Ok(())
    }

    /// Measures the time to the first answer.
    fn measure_starts(&mut self) -> Result<()> {
        let cold = tempfile::tempdir_in(self.folder.path())?;
        let cache = cold.path().to_string_lossy().into_owned();
        let cache = [("XDG_CACHE_HOME", cache.as_str())];
        let mut starts = vec![
            (Subject::Functions, Start::Cold),
            (Subject::Functions, Start::Warm),
            (Subject::Native, Start::Plain),
            (Subject::Seed, Start::Plain),
        ];
        if self.with_spin {
            starts.extend([(Subject::OnSpin, Start::Cold), (Subject::OnSpin, Start::Warm)]);
        }
        for (subject, start) in starts {
            self.go_on()?;
            let contender = Contender {
                subject,
                users: THOUSAND,
            };
            let (state, _keep) = self.prepared.state(contender)?;
            let server = self.surroundings.start(contender, &state, &cache)?;
            let times = self.results.starts.entry((subject, start)).or_default();
            times.push(server.first_answer().as_secs_f64());
        }
        Ok(())
    }

    /// Measures one load once with every contender and every number of connections; the contenders one right after
    /// the other, so that whatever else the machine does meets all alike.
    fn measure_load(&mut self, load: Load, round: u32) -> Result<()> {
        let mut running = load
            .contenders(32, self.with_spin)
            .into_iter()
            .map(|contender| Running::start(self, load, contender, round))
            .collect::<Result<Vec<_>>>()?;
        for &connections in load.connections(round) {
            let taking = load.contenders(connections, self.with_spin);
            // Another one begins in each round.
            let places = (1 + usize::try_from(round)?) % running.len();
            running.rotate_left(places);
            for contender in running.iter_mut().filter(|one| taking.contains(&one.contender)) {
                self.go_on()?;
                let measured = contender.measure(self, load, connections).with_context(|| {
                    format!(
                        "{}, {}, {connections} connections",
                        contender.contender.name(),
                        load.name()
                    )
                });
                // Ctrl-C ends wrk as well.
                self.go_on()?;
                let case = Case {
                    load,
                    connections,
                    contender: contender.contender,
                };
                self.results.measured.entry(case).or_default().push(measured?);
            }
        }
        for contender in running {
            if load.connections(round) == CONNECTIONS {
                let memory = f64::from(contender.server.peak_memory()?);
                let peaks = self.results.memory.entry((load, contender.contender));
                peaks.or_default().push(memory);
            }
            contender
                .check(load)
                .with_context(|| format!("{}, {}", contender.contender.name(), load.name()))?;
        }
        Ok(())
    }
}

/// A contender at work under one load.
struct Running {
    // First, so that the server is gone before its state is.
    server: Server,
    contender: Contender,
    state: PathBuf,
    _keep: Option<TempDir>,
    counted: Option<u64>,
    /// The next number that was not used yet.
    next: u64,
    answered: u64,
    under_way: u64,
}

impl Running {
    fn start(bench: &Bench, load: Load, contender: Contender, round: u32) -> Result<Self> {
        bench.go_on()?;
        let (state, keep) = bench.prepared.state(contender)?;
        let counted = store::count(&state, load, contender.subject)?;
        let server = bench.surroundings.start(contender, &state, &[])?;
        // The large store still has the users of the last round.
        let next = if contender.users == MILLION {
            1_000_000_000 * u64::from(round)
        } else {
            0
        };
        Ok(Self {
            server,
            contender,
            state,
            _keep: keep,
            counted,
            next,
            answered: 0,
            under_way: 0,
        })
    }

    fn measure(&mut self, bench: &Bench, load: Load, connections: usize) -> Result<wrk::Measured> {
        let numbers: Numbers = load.numbers(self.contender);
        let run = wrk::run(
            &bench.script,
            self.server.address(),
            load,
            &load.request(self.contender.subject),
            (numbers, self.next),
            connections,
        )?;
        self.next += run.used;
        self.answered += run.answered;
        self.under_way += u64::try_from(connections)?;
        Ok(run.measured)
    }

    /// Checks that the store has what was answered.
    fn check(&self, load: Load) -> Result<()> {
        let counted = store::count(&self.state, load, self.contender.subject)?;
        store::check(self.counted, counted, self.answered, self.under_way)
    }
}

/// The bytes of each component of a manifest.
fn sizes(manifest: &Path) -> Result<BTreeMap<String, u32>> {
    let text = fs::read_to_string(manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    let document: toml::Table = text
        .parse()
        .with_context(|| format!("{} is broken", manifest.display()))?;
    let components = document.get("component").and_then(toml::Value::as_table);
    let mut sizes = BTreeMap::new();
    for (name, component) in components.context("there are no components")? {
        let source = component.get("source").and_then(toml::Value::as_str);
        let path = manifest.with_file_name(source.with_context(|| format!("{name} has no source"))?);
        let bytes = fs::metadata(&path)
            .with_context(|| format!("{} is missing: `cargo xtask bench` builds it", path.display()))?
            .len();
        sizes.insert(name.clone(), bytes.try_into()?);
    }
    Ok(sizes)
}
