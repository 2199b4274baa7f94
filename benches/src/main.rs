//! Measures the functions against the floor, a native server and the seed, and reports. `cargo xtask bench` builds
//! what is measured and runs this.

mod chart;
mod document;
mod fairness;
mod goals;
mod load;
mod machine;
mod memory;
mod plan;
mod receiver;
mod redis_server;
mod report;
mod results;
mod run;
mod server;
mod statistics;
mod stock;
mod store;
mod subject;
mod table;
mod wrk;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

use crate::run::Bench;
use crate::subject::Host;

/// Measures the functions against the floor, a native server and the seed.
#[derive(Parser)]
struct Arguments {
    /// Write the tables and charts to docs
    #[arg(long)]
    write: bool,
    /// Measure each case once instead of three times
    #[arg(long)]
    quick: bool,
    /// Measure on Spin; `spin` has to be on PATH
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
    let main_host = if arguments.with_spin {
        Host::Spin
    } else {
        Host::Embedded
    };
    let rounds = if arguments.quick { 1 } else { 3 };
    let mut bench = Bench::prepare(root, &folder, main_host, rounds)?;
    bench.measure()?;
    let results = bench.results();
    let machine = machine::describe(root, &folder, arguments.with_spin)?;
    let blocks = report::blocks(results, main_host, &machine);
    for block in &blocks {
        println!("\n{}", block.text.trim_end());
    }
    if arguments.write {
        let path = root.join("docs/BENCHMARKS.md");
        let document =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        fs::write(&path, document::place(&document, &blocks)?)?;
        chart::draw_all(results, main_host, &root.join("docs/benchmarks"))?;
        println!("\nWritten to docs/BENCHMARKS.md and docs/benchmarks");
    }
    Ok(())
}
