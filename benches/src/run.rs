//! A run: prepares, checks, and measures every group in each round.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use signal_hook::consts::{SIGINT, SIGTERM};
use tempfile::TempDir;

use crate::fairness;
use crate::load::Load;
use crate::plan::{self, Case, Group};
use crate::receiver::Receiver;
use crate::results::{Results, Sizes, Start};
use crate::server::{self, Server, Surroundings};
use crate::store::{self, Prepared, State};
use crate::subject::{Contender, Host, Platform, Program, Stock, Subject, World};
use crate::wrk::{self, Target};

/// For how many seconds each of three loads is on a host whose memory is looked at.
const MEMORY_SECONDS: u32 = 20;
/// How often a load with events is measured if no events come.
const ATTEMPTS: u32 = 3;
/// How long publishers at most leave alone a receiver that has failed once.
const PUBLISHERS_PAUSE: Duration = Duration::from_secs(5);

/// A run.
pub(crate) struct Bench {
    surroundings: Surroundings,
    prepared: Prepared,
    script: PathBuf,
    main_host: Host,
    rounds: u32,
    results: Results,
    begun: Instant,
    /// Set by Ctrl-C: servers are to be ended and files removed all the same.
    interrupted: Arc<AtomicBool>,
    /// All that this run writes before it reports. Last, so that the servers are gone before.
    folder: TempDir,
}

impl Bench {
    /// Fills the stores in `folder` and checks that what is compared can be.
    pub(crate) fn prepare(root: &Path, folder: &Path, main_host: Host, rounds: u32) -> Result<Self> {
        let begun = Instant::now();
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
        }
        println!(" 0:00  filling the stores …");
        let folder = tempfile::tempdir_in(folder)?;
        let prepared = Prepared::new(root, folder.path())?;
        let surroundings = Surroundings {
            root: root.to_owned(),
            folder: folder.path().to_owned(),
            seed: prepared.seed(),
            receiver: Receiver::start()?,
        };
        let mut results = Results::default();
        for world in World::ALL {
            let manifest = |program| server::manifest(root, folder.path(), program, world);
            let sizes = Sizes::read(&manifest(Program::Functions)?, &manifest(Program::Floor)?)?;
            results.sizes.insert(world, sizes);
        }
        let bench = Self {
            surroundings,
            prepared,
            script: root.join("benches/load.lua"),
            main_host,
            rounds,
            results,
            begun,
            interrupted,
            folder,
        };
        bench.progress("checking that floor and native server do what the functions do …");
        fairness::check(&bench.surroundings, &bench.prepared, &|| bench.go_on())?;
        Ok(bench)
    }

    /// What was measured.
    pub(crate) fn results(&self) -> &Results {
        &self.results
    }

    /// Measures everything.
    pub(crate) fn measure(&mut self) -> Result<()> {
        let groups = plan::groups(self.main_host);
        let minutes = self.estimate(&groups).as_secs().div_ceil(60);
        self.progress(&format!("measuring; it will be about {minutes} minutes in all"));
        for round in 1..=self.rounds {
            self.progress(&format!("round {round} of {}: starts", self.rounds));
            self.measure_starts()?;
            for group in &groups {
                let names: Vec<_> = group.loads.iter().map(|load| load.name()).collect();
                let first = group.contenders.first().map(|contender| contender.subject);
                let first = first.map(|subject| subject.to_string()).unwrap_or_default();
                self.progress(&format!(
                    "round {round} of {}: {}, {first} and others",
                    self.rounds,
                    names.join(", ")
                ));
                self.measure_group(group, round)?;
            }
        }
        self.measure_memory()?;
        self.progress("measured");
        Ok(())
    }

    fn progress(&self, what: &str) {
        let seconds = self.begun.elapsed().as_secs();
        println!("{:2}:{:02}  {what}", seconds / 60, seconds % 60);
    }

    /// Estimates how long the run will take: a third of a second to start and check each server, and a sixth of a
    /// second for each measurement on top of its own time.
    fn estimate(&self, groups: &[Group]) -> Duration {
        let seconds = |case: Case| Duration::from_secs(case.load.seconds(case.connections).into());
        let cases = groups.iter().flat_map(Group::cases);
        let measured: Duration = cases.map(|case| seconds(case) + Duration::from_millis(170)).sum();
        let servers: usize = groups.iter().map(|group| group.contenders.len()).sum();
        let started = Duration::from_millis(330) * u32::try_from(servers).unwrap_or(u32::MAX);
        let (platforms, loads) = plan::memory(self.main_host);
        let memory = platforms.len() * loads.len() * MEMORY_SECONDS as usize;
        let starts = Duration::from_secs(10);
        self.begun.elapsed()
            + (starts + started + measured) * self.rounds
            + Duration::from_secs(memory.try_into().unwrap_or(u64::MAX))
    }

    fn go_on(&self) -> Result<()> {
        ensure!(!self.interrupted.load(Ordering::Relaxed), "interrupted");
        Ok(())
    }

    /// Measures the time to the first answer of the default build.
    fn measure_starts(&mut self) -> Result<()> {
        let mut hosts = vec![self.main_host, Host::Embedded];
        hosts.dedup();
        for host in hosts {
            let [platform, ..] = Platform::of(host);
            let contender = platform.with(Program::Functions, Stock::Thousand);
            let cold = tempfile::tempdir_in(self.folder.path())?;
            let cache = cold.path().to_string_lossy().into_owned();
            for start in [Start::Cold, Start::Warm] {
                self.go_on()?;
                let state = self.prepared.state(contender)?;
                let environment = [("XDG_CACHE_HOME", cache.as_str())];
                let server = self.surroundings.start(contender.subject, &state, &environment)?;
                let times = self.results.starts.entry((host, start)).or_default();
                times.push(server.first_answer().as_secs_f64());
            }
        }
        Ok(())
    }

    /// Measures a group once: its contenders one right after the other, so that whatever else the machine does meets all
    /// alike.
    fn measure_group(&mut self, group: &Group, round: u32) -> Result<()> {
        let mut running = group
            .contenders
            .iter()
            .map(|&contender| Running::start(self, &group.loads, contender))
            .collect::<Result<Vec<_>>>()?;
        // Another one begins in each round.
        let places = usize::try_from(round)? % running.len();
        running.rotate_left(places);
        for &connections in group.connections {
            for &load in &group.loads {
                for one in &mut running {
                    let measured = one.measure(self, load, connections, load.seconds(connections))?;
                    let case = Case {
                        load,
                        connections,
                        contender: one.contender,
                    };
                    self.results.measured.entry(case).or_default().push(measured);
                }
            }
        }
        running.into_iter().try_for_each(Running::check)
    }

    fn measure_memory(&mut self) -> Result<()> {
        let (platforms, loads) = plan::memory(self.main_host);
        for platform in platforms {
            self.progress(&format!("memory, {platform}"));
            let contender = platform.with(Program::Functions, Stock::Thousand);
            let mut running = Running::start(self, &loads, contender)?;
            for load in loads {
                running.measure(self, load, 256, MEMORY_SECONDS)?;
            }
            let mebibytes = f64::from(running.server.peak_memory()?) / 1024.0;
            self.results.memory.insert(platform, mebibytes);
            running.check()?;
        }
        Ok(())
    }
}

/// A contender at work.
struct Running {
    // First, so that the server is gone before its state is.
    server: Server,
    contender: Contender,
    state: State,
    /// The changes in the store before, where they are counted.
    counted: Option<u64>,
    /// How many events had come before.
    received: u64,
    /// The next number that was not used yet.
    next: u64,
    answered: u64,
    in_doubt: u64,
}

impl Running {
    fn start(bench: &Bench, loads: &[Load], contender: Contender) -> Result<Self> {
        bench.go_on()?;
        let state = bench.prepared.state(contender)?;
        let counted = if loads.iter().any(|load| load.is_write()) {
            state.changes(contender.subject)?
        } else {
            None
        };
        Ok(Self {
            server: bench.surroundings.start(contender.subject, &state, &[])?,
            contender,
            state,
            counted,
            received: bench.surroundings.receiver.received(),
            next: 0,
            answered: 0,
            in_doubt: 0,
        })
    }

    /// Measures once; if the contender publishes events, until some came. A busy host leaves all of them to the sweep.
    fn measure(
        &mut self,
        bench: &Bench,
        load: Load,
        connections: usize,
        seconds: u32,
    ) -> Result<wrk::Measured> {
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                // On a busy machine the receiver may be slow for a moment, and then publishers leave it alone for a while.
                thread::sleep(PUBLISHERS_PAUSE);
            }
            let measured = self.measure_once(bench, load, connections, seconds)?;
            let received = bench.surroundings.receiver.received();
            let is_busy = connections > 32;
            if !self.contender.subject_publishes() || received > self.received || is_busy {
                self.received = received;
                return Ok(measured);
            }
        }
        bail!("{}: no events came", self.contender)
    }

    fn measure_once(
        &mut self,
        bench: &Bench,
        load: Load,
        connections: usize,
        seconds: u32,
    ) -> Result<wrk::Measured> {
        bench.go_on()?;
        let target = Target {
            address: self.server.address(),
            request: &load.request(self.contender.subject),
            numbers: load.numbers(self.contender.stock),
            digits: load.digits(),
            first: self.next,
        };
        let run = wrk::run(&bench.script, &target, connections, seconds);
        // Ctrl-C also ends wrk, which must not look like a failed measurement.
        bench.go_on()?;
        let run = run.with_context(|| {
            format!(
                "{}, {}, {connections} connections; the server printed:\n{}",
                self.contender,
                load.name(),
                self.server.output()
            )
        })?;
        self.next += run.used;
        if load.is_write() {
            self.answered += run.answered;
            self.in_doubt += run.refused + u64::try_from(connections)?;
        }
        Ok(run.measured)
    }

    /// Checks that the store has what was answered.
    fn check(self) -> Result<()> {
        if self.counted.is_some() {
            let counted = self.state.changes(self.contender.subject)?;
            store::check(self.counted, counted, self.answered, self.in_doubt)
                .with_context(|| self.contender.to_string())?;
        }
        Ok(())
    }
}

impl Contender {
    fn subject_publishes(self) -> bool {
        matches!(self.subject, Subject::Components(_, Program::Publishing))
    }
}
