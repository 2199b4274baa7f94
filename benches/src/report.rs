//! What a run has to say.

use crate::document::Block;
use crate::goals::{self, Bound};
use crate::load::{Changes, Load};
use crate::plan::{CONNECTIONS, Case};
use crate::results::{Results, Start};
use crate::statistics::median;
use crate::subject::{Backend, Contender, Host, Platform, Program, Stock, Subject, World};
use crate::table::{Table, quotient, shortest, significant, thousands};
use crate::wrk::Measured;

/// Everything that a run has to say, in the order of the document.
pub(crate) fn blocks(results: &Results, main: Host, machine: &Table) -> Vec<Block> {
    let block = |name, text: String| Block { name, text };
    let spin = if main == Host::Spin {
        platforms(results, Host::Spin)
    } else {
        "Spin was not on `PATH` in this run, so the embedded host was measured in its place.\n".to_owned()
    };
    vec![
        block("spin", spin),
        block("goals", goals(results, main).to_string()),
        block("embedded", platforms(results, Host::Embedded)),
        block("others", others(results).to_string()),
        block("growth", growth(results, main).to_string()),
        block("starts", starts(results).to_string()),
        block("memory", memory(results).to_string()),
        block("sizes", sizes(results).to_string()),
        block("machine", machine.to_string()),
    ]
}

fn throughput(measured: &Measured) -> f64 {
    measured.throughput
}

/// A table for each platform of a host.
fn platforms(results: &Results, host: Host) -> String {
    let section = |platform: Platform| {
        let table = platform_table(results, platform);
        let default = if platform.is_default() {
            " (the default)"
        } else {
            ""
        };
        format!("### {}, {}{default}\n\n{table}", platform.world, platform.backend)
    };
    let sections: Vec<_> = Platform::main(host).into_iter().map(section).collect();
    sections.join("\n")
}

/// Every load on one platform, with the floor of the same rounds.
fn platform_table(results: &Results, platform: Platform) -> Table {
    let mut table = Table::new(&[
        "load",
        "connections",
        "answers/s",
        "p50, ms",
        "p99, ms",
        "p99.9, ms",
        "503",
        "floor, answers/s",
        "floor, p50, ms",
        "functions ÷ floor",
    ]);
    for load in Load::COMPARED {
        for connections in CONNECTIONS {
            for (program, name) in [
                (Program::Functions, ""),
                (Program::Configured, ", file of variables"),
                (Program::Publishing, ", events on"),
            ] {
                let case = |program| Case {
                    load,
                    connections,
                    contender: platform.with(program, load.stock()),
                };
                let (functions, floor) = (case(program), case(Program::Floor));
                let of = |case, value: fn(&Measured) -> f64| results.median(case, value);
                let Some(answers) = of(functions, throughput) else {
                    continue;
                };
                let milliseconds =
                    |case, value: fn(&Measured) -> f64| of(case, value).map_or_else(String::new, significant);
                let floor_answers = of(floor, throughput).map_or_else(String::new, thousands);
                table.row(&[
                    &format!("{}{name}", load.name()),
                    &connections.to_string(),
                    &thousands(answers),
                    &milliseconds(functions, |measured| measured.p50),
                    &milliseconds(functions, |measured| measured.p99),
                    &milliseconds(functions, |measured| measured.p999),
                    &thousands(of(functions, |measured| measured.refused).unwrap_or_default()),
                    &floor_answers,
                    &milliseconds(floor, |measured| measured.p50),
                    &quotient(results.ratio(functions, floor, throughput)),
                ]);
            }
        }
    }
    table
}

/// The native server and the seed beside the functions on the embedded host.
fn others(results: &Results) -> Table {
    let mut table = Table::new(&[
        "load",
        "connections",
        "subject",
        "answers/s",
        "p50, ms",
        "p99, ms",
        "functions, WASI 0.2 ÷ this",
        "functions, WASI 0.3 ÷ this",
    ]);
    for load in Load::COMPARED {
        for connections in CONNECTIONS {
            for subject in [Subject::Native, Subject::Seed] {
                let case = |contender| Case {
                    load,
                    connections,
                    contender,
                };
                let stock = load.stock();
                let this = case(Contender { subject, stock });
                let of = |value: fn(&Measured) -> f64| results.median(this, value);
                let Some(answers) = of(throughput) else { continue };
                let functions = |world| {
                    let platform = Platform {
                        host: Host::Embedded,
                        world,
                        backend: Backend::Sqlite,
                    };
                    let functions = case(platform.with(Program::Functions, stock));
                    quotient(results.ratio(functions, this, throughput))
                };
                table.row(&[
                    load.name(),
                    &connections.to_string(),
                    &subject.to_string(),
                    &thousands(answers),
                    &of(|measured| measured.p50).map_or_else(String::new, significant),
                    &of(|measured| measured.p99).map_or_else(String::new, significant),
                    &functions(World::Wasip2),
                    &functions(World::Wasip3),
                ]);
            }
        }
    }
    table
}

/// A million users beside a thousand, and 100,000 changes of a user beside 150.
fn growth(results: &Results, main: Host) -> Table {
    let mut table = Table::new(&[
        "what",
        "connections",
        "subject",
        "few, answers/s",
        "many, answers/s",
        "many ÷ few",
    ]);
    let mut compare = |what: &str, few: Case, many: Case| {
        let of = |case| results.median(case, throughput);
        if let (Some(few_answers), Some(many_answers)) = (of(few), of(many)) {
            table.row(&[
                what,
                &few.connections.to_string(),
                &few.contender.subject.to_string(),
                &thousands(few_answers),
                &thousands(many_answers),
                &quotient(results.ratio(many, few, throughput)),
            ]);
        }
    };
    let mut platforms = Platform::main(main);
    platforms.extend(Platform::of(Host::Embedded).into_iter().take(1));
    let functions = platforms
        .iter()
        .map(|platform| Subject::Components(*platform, Program::Functions));
    let subjects: Vec<_> = functions.chain([Subject::Native]).collect();
    for load in [Load::Hit, Load::List] {
        for connections in CONNECTIONS {
            for &subject in &subjects {
                let [few, many] = [Stock::Thousand, Stock::Million].map(|stock| Case {
                    load,
                    connections,
                    contender: Contender { subject, stock },
                });
                compare(
                    &format!("{}: 1 thousand, 1 million users", load.name()),
                    few,
                    many,
                );
            }
        }
    }
    for load in [Load::AwardOne, Load::ReadOne, Load::History] {
        for platform in Platform::main(main) {
            let [few, many] = [Changes::Few, Changes::Many].map(|changes| Case {
                load: load(changes),
                connections: 1,
                contender: platform.with(Program::Functions, Stock::Long),
            });
            let name = load(Changes::Few).name();
            let name = name.split(", ").next().unwrap_or(name);
            compare(&format!("{name}: 150, 100,000 changes"), few, many);
        }
    }
    table
}

fn starts(results: &Results) -> Table {
    let mut table = Table::new(&["host", "compile cache", "s"]);
    for ((host, start), times) in &results.starts {
        let cache = match start {
            Start::Cold => "cold",
            Start::Warm => "warm",
        };
        if let Some(median) = median(times.iter().copied()) {
            table.row(&[&host.to_string(), cache, &format!("{median:.3}")]);
        }
    }
    table
}

fn memory(results: &Results) -> Table {
    let mut table = Table::new(&["platform", "peak, MiB"]);
    for (platform, mebibytes) in &results.memory {
        table.row(&[&platform.to_string(), &format!("{mebibytes:.0}")]);
    }
    table
}

fn sizes(results: &Results) -> Table {
    let mut table = Table::new(&[
        "component",
        "WASI 0.2, bytes",
        "÷ floor",
        "WASI 0.3, bytes",
        "÷ floor",
    ]);
    let Some(sizes) = results.sizes.get(&World::Wasip2) else {
        return table;
    };
    for name in sizes.functions.keys().map(Some).chain([None]) {
        let cells = results.sizes.values().flat_map(|sizes| {
            let bytes = name.map_or(Some(sizes.floor), |name| sizes.functions.get(name).copied());
            bytes.map_or_else(Default::default, |bytes| {
                let ratio = f64::from(bytes) / f64::from(sizes.floor);
                [thousands(bytes.into()), format!("{ratio:.2}")]
            })
        });
        let name = name.map_or("floor: one `get`", String::as_str);
        let row: Vec<_> = [name.to_owned()].into_iter().chain(cells).collect();
        table.row(&row.iter().map(String::as_str).collect::<Vec<_>>());
    }
    table
}

/// What has to be shown, and whether it is.
fn goals(results: &Results, main: Host) -> Table {
    let mut table = Table::new(&[
        "what",
        "where",
        "measured",
        "lowest to highest of a round",
        "goal",
        "",
    ]);
    for goal in goals::goals(results, main) {
        let bound = match goal.bound {
            Bound::AtLeast(least) => format!("≥ {}", shortest(least)),
            Bound::AtMost(most) => format!("≤ {}", shortest(most)),
        };
        let Some(measured) = goal.measured else {
            table.row(&[&goal.what, &goal.place, "not measured", "", &bound, "missed"]);
            continue;
        };
        let is_met = goal.bound.is_met(measured.median);
        table.row(&[
            &goal.what,
            &goal.place,
            &format!("{:.2}", measured.median),
            &format!("{:.2} to {:.2}", measured.lowest, measured.highest),
            &bound,
            if is_met { "met" } else { "missed" },
        ]);
    }
    table
}
