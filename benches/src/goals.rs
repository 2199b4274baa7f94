//! What the benchmarks have to show, each from measurements of one run.

use crate::load::{Changes, Load};
use crate::plan::Case;
use crate::results::Results;
use crate::statistics::Ratio;
use crate::subject::{Contender, Host, Platform, Program, Stock, Subject, World};
use crate::wrk::Measured;

/// One goal, as one platform met it.
pub(crate) struct Goal {
    pub(crate) what: String,
    /// Where: a platform, a world or a host.
    pub(crate) place: String,
    /// What the run showed; what has no rounds is the same in each.
    pub(crate) measured: Option<Ratio>,
    pub(crate) bound: Bound,
}

/// Where a number has to be.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    pub(crate) fn is_met(self, number: f64) -> bool {
        match self {
            Self::AtLeast(least) => number >= least,
            Self::AtMost(most) => number <= most,
        }
    }
}

fn throughput(measured: &Measured) -> f64 {
    measured.throughput
}

/// The goals, while they are looked up.
struct Goals<'a> {
    results: &'a Results,
    found: Vec<Goal>,
}

/// All goals; those of Spin only if `main` says that it was measured.
pub(crate) fn goals(results: &Results, main: Host) -> Vec<Goal> {
    let mut goals = Goals {
        results,
        found: Vec::new(),
    };
    if main == Host::Spin {
        goals.of_spin();
    }
    goals.of_awards(main);
    goals.of_the_seed();
    goals.of_sizes();
    goals.of_growth(main);
    goals.of_memory();
    goals.found
}

impl Goals<'_> {
    fn add(&mut self, what: &str, place: Platform, measured: Option<Ratio>, bound: Bound) {
        self.found.push(Goal {
            what: what.to_owned(),
            place: place.to_string(),
            measured,
            bound,
        });
    }

    /// The throughput of the functions in that of the floor.
    fn to_floor(&self, load: Load, platform: Platform) -> Option<Ratio> {
        let case = |program| case(load, 32, platform.with(program, load.stock()));
        self.results
            .ratio(case(Program::Functions), case(Program::Floor), throughput)
    }

    fn of_spin(&mut self) {
        for platform in Platform::of(Host::Spin) {
            let case = |program| case(Load::Hit, 1, platform.with(program, Stock::Thousand));
            let (functions, floor) = (case(Program::Functions), case(Program::Floor));
            let p50 = |measured: &Measured| measured.p50;
            self.add(
                "GET, 1 connection, p50 ÷ floor's",
                platform,
                self.results.ratio(functions, floor, p50),
                Bound::AtMost(1.15),
            );
            self.add(
                "GET, 1 connection, p50 in ms",
                platform,
                self.results.value(functions, p50),
                Bound::AtMost(0.5),
            );
        }
        for platform in Platform::of(Host::Spin) {
            let measured = self.to_floor(Load::Hit, platform);
            self.add(
                "GET ÷ floor, 32 connections",
                platform,
                measured,
                Bound::AtLeast(0.95),
            );
        }
        for (load, what) in [
            (Load::Create, "create ÷ floor, 32 connections"),
            (Load::Award, "award, any user ÷ floor, 32 connections"),
        ] {
            for platform in Platform::of(Host::Spin) {
                let measured = self.to_floor(load, platform);
                self.add(what, platform, measured, Bound::AtLeast(0.9));
            }
        }
    }

    fn of_awards(&mut self, main: Host) {
        let embedded = Platform::main(Host::Embedded);
        for &platform in &embedded {
            let measured = self.to_floor(Load::Award, platform);
            let what = "award, any user ÷ floor, 32 connections";
            self.add(what, platform, measured, Bound::AtLeast(0.85));
        }
        let mut platforms = Platform::main(main);
        platforms.extend(embedded);
        platforms.dedup();
        if main == Host::Embedded {
            platforms.truncate(2);
        }
        let load = Load::AwardOne(Changes::Few);
        for platform in platforms {
            let functions = case(load, 32, platform.with(Program::Functions, Stock::Thousand));
            let measured = self.to_floor(load, platform);
            let what = "award, one user ÷ floor, 32 connections";
            self.add(what, platform, measured, Bound::AtLeast(0.6));
            let measured = self.results.value(functions, |measured| measured.p99);
            let what = "award, one user, 32 connections, p99 in ms";
            self.add(what, platform, measured, Bound::AtMost(150.0));
            let measured = self.results.value(functions, |measured| measured.refused);
            let what = "award, one user, 32 connections: answers 503";
            self.add(what, platform, measured, Bound::AtMost(0.0));
        }
    }

    fn of_the_seed(&mut self) {
        let with = |subject| Contender {
            subject,
            stock: Stock::Thousand,
        };
        let seed = case(Load::Hit, 32, with(Subject::Seed));
        for platform in Platform::main(Host::Embedded) {
            let functions = with(Subject::Components(platform, Program::Functions));
            let measured = self
                .results
                .ratio(case(Load::Hit, 32, functions), seed, throughput);
            let bound = match platform.world {
                World::Wasip2 => 3.0,
                World::Wasip3 => 5.0,
            };
            self.add(
                "GET ÷ seed, 32 connections",
                platform,
                measured,
                Bound::AtLeast(bound),
            );
        }
    }

    /// The console is left out: most of its bytes are the page that it serves.
    fn of_sizes(&mut self) {
        for (world, sizes) in &self.results.sizes {
            let functions = sizes.functions.iter().filter(|(name, _)| *name != "console");
            let largest = functions.map(|(_, bytes)| *bytes).max();
            let measured = largest.and_then(|largest| Ratio::of(&[largest.into()], &[sizes.floor.into()]));
            self.found.push(Goal {
                what: "bytes of the largest function ÷ floor".to_owned(),
                place: world.to_string(),
                measured,
                bound: Bound::AtMost(1.4),
            });
        }
    }

    /// Long histories, many users and events, on the host that people use.
    fn of_growth(&mut self, main: Host) {
        let platforms = Platform::main(main);
        let default_build = || {
            let platforms = platforms.iter().copied();
            platforms.filter(|platform| platform.world == World::Wasip2)
        };
        for platform in default_build() {
            let case = |load: fn(Changes) -> Load, changes| {
                case(load(changes), 1, platform.with(Program::Functions, Stock::Long))
            };
            for (load, what) in [
                (
                    Load::AwardOne as fn(Changes) -> Load,
                    "award, 100,000 changes ÷ 150, 1 connection",
                ),
                (Load::ReadOne, "GET, 100,000 changes ÷ 150, 1 connection"),
                (Load::History, "history page, 100,000 changes ÷ 150, 1 connection"),
            ] {
                let (many, few) = (case(load, Changes::Many), case(load, Changes::Few));
                let measured = self.results.ratio(many, few, throughput);
                self.add(what, platform, measured, Bound::AtLeast(0.95));
            }
        }
        for platform in default_build() {
            let measured = self.million_to_thousand(Load::List, platform, 32);
            let what = "list page, 1 million users ÷ 1 thousand, 32 connections";
            self.add(what, platform, measured, Bound::AtLeast(0.9));
        }
        for platform in &platforms {
            let case = |program| case(Load::Award, 32, platform.with(program, Stock::Thousand));
            let (on, off) = (case(Program::Publishing), case(Program::Functions));
            let measured = self.results.ratio(on, off, throughput);
            let what = "award, any user, events on ÷ off, 32 connections";
            self.add(what, *platform, measured, Bound::AtLeast(0.6));
        }
        let native = |stock| {
            let subject = Subject::Native;
            case(Load::Hit, 32, Contender { subject, stock })
        };
        let native = self
            .results
            .ratio(native(Stock::Million), native(Stock::Thousand), throughput);
        let least = native.map_or(0.95, |native| native.median.min(0.95));
        for platform in default_build() {
            let measured = self.million_to_thousand(Load::Hit, platform, 32);
            let what = "GET, 1 million users ÷ 1 thousand, 32 connections (or as the native server)";
            self.add(what, platform, measured, Bound::AtLeast(least));
        }
    }

    fn million_to_thousand(&self, load: Load, platform: Platform, connections: usize) -> Option<Ratio> {
        let case = |stock| case(load, connections, platform.with(Program::Functions, stock));
        self.results
            .ratio(case(Stock::Million), case(Stock::Thousand), throughput)
    }

    fn of_memory(&mut self) {
        for platform in Platform::main(Host::Embedded) {
            let memory = self.results.memory.get(&platform);
            let measured = memory.and_then(|mebibytes| Ratio::of(&[*mebibytes], &[1.0]));
            let what = "MiB after a minute with 256 connections";
            self.add(what, platform, measured, Bound::AtMost(400.0));
        }
    }
}

fn case(load: Load, connections: usize, contender: Contender) -> Case {
    Case {
        load,
        connections,
        contender,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::groups;
    use crate::results::Sizes;

    #[test]
    fn goals_are_about_what_is_measured() {
        for main in [Host::Spin, Host::Embedded] {
            let mut results = Results::default();
            for world in World::ALL {
                let functions = [("small".to_owned(), 110), ("console".to_owned(), 900)].into();
                results.sizes.insert(
                    world,
                    Sizes {
                        functions,
                        floor: 100,
                    },
                );
            }
            for platform in Platform::of(Host::Embedded) {
                results.memory.insert(platform, 300.0);
            }
            for case in groups(main).iter().flat_map(crate::plan::Group::cases) {
                let measured = Measured {
                    throughput: 50.0,
                    refused: 0.0,
                    p50: 0.2,
                    p99: 1.0,
                    p999: 1.0,
                };
                results.measured.insert(case, vec![measured]);
            }
            let goals = goals(&results, main);
            assert!(goals.iter().any(|goal| goal.what.starts_with("list page")));
            for goal in goals {
                let measured = goal.measured.map(|measured| measured.median);
                let is_met = measured.is_some_and(|number| goal.bound.is_met(number));
                let is_about_the_seed = goal.what.contains("seed");
                assert!(is_met != is_about_the_seed, "{} {measured:?}", goal.what);
            }
        }
    }

    #[test]
    fn bounds_have_their_sides() {
        assert!(Bound::AtLeast(0.95).is_met(0.95) && !Bound::AtLeast(0.95).is_met(0.94));
        assert!(Bound::AtMost(1.2).is_met(1.2) && !Bound::AtMost(1.2).is_met(1.21));
    }
}
