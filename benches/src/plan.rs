//! What is measured: who takes which load with how many connections.

use crate::load::{Changes, Load};
use crate::subject::{Backend, Contender, Host, Platform, Program, Stock, Subject, World};

/// How many connections a load has open.
pub(crate) const CONNECTIONS: [usize; 3] = [1, 32, 256];

/// Measurements that are compared with each other, so they are made one right after the other.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) loads: Vec<Load>,
    pub(crate) connections: &'static [usize],
    pub(crate) contenders: Vec<Contender>,
}

/// One number to be measured in each round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Case {
    pub(crate) load: Load,
    pub(crate) connections: usize,
    pub(crate) contender: Contender,
}

impl Group {
    /// Its cases, in the order that they are measured in.
    pub(crate) fn cases(&self) -> impl Iterator<Item = Case> {
        self.connections.iter().flat_map(move |&connections| {
            self.loads.iter().flat_map(move |&load| {
                let contenders = self.contenders.iter();
                contenders.map(move |&contender| Case {
                    load,
                    connections,
                    contender,
                })
            })
        })
    }
}

/// All groups. `main` is Spin where there is one, else the embedded host.
pub(crate) fn groups(main: Host) -> Vec<Group> {
    let mut groups = Vec::new();
    for load in Load::COMPARED {
        if main == Host::Spin {
            let platforms = Platform::main(Host::Spin).into_iter();
            groups.extend(platforms.map(|platform| on_spin(load, platform)));
        }
        groups.extend(on_the_embedded_host(load, main));
    }
    let long = Platform::main(main).into_iter();
    for platform in long.filter(|platform| platform.world == World::Wasip2) {
        groups.push(Group {
            loads: [Load::AwardOne, Load::ReadOne, Load::History]
                .into_iter()
                .flat_map(|load| [load(Changes::Few), load(Changes::Many)])
                .collect(),
            connections: &[1],
            contenders: vec![platform.with(Program::Functions, Stock::Long)],
        });
    }
    groups
}

fn on_spin(load: Load, platform: Platform) -> Group {
    // Other platforms than the default one are measured in full where it matters most.
    let is_full =
        platform.is_default() || matches!(load, Load::Hit | Load::Miss | Load::Create | Load::Award);
    Group {
        loads: vec![load],
        connections: if is_full { &CONNECTIONS } else { &[32] },
        contenders: components(load, platform, Host::Spin),
    }
}

/// Both worlds beside each other, the native server and the seed. Beside Spin only what the native server takes.
fn on_the_embedded_host(load: Load, main: Host) -> Option<Group> {
    if main == Host::Spin && !load.is_native() {
        return None;
    }
    let platforms = Platform::main(Host::Embedded).into_iter();
    let mut contenders: Vec<_> = platforms
        .flat_map(|platform| components(load, platform, main))
        .collect();
    let with = |subject, stock| Contender { subject, stock };
    if load.is_native() {
        contenders.push(with(Subject::Native, load.stock()));
    }
    if load.grows_with_users() {
        contenders.push(with(Subject::Native, Stock::Million));
    }
    if load == Load::Hit {
        contenders.push(with(Subject::Seed, Stock::Thousand));
    }
    Some(Group {
        loads: vec![load],
        connections: if main == Host::Spin { &[32] } else { &CONNECTIONS },
        contenders,
    })
}

/// The functions and the floor on one platform, and what else is measured of it on the main host.
fn components(load: Load, platform: Platform, main: Host) -> Vec<Contender> {
    let stock = load.stock();
    let mut contenders = vec![
        platform.with(Program::Functions, stock),
        platform.with(Program::Floor, stock),
    ];
    // In WASI 0.3 an instance reads its variables once.
    let reads_variables = platform.host == Host::Spin && platform.world == World::Wasip2;
    if reads_variables && matches!(load, Load::Hit | Load::Award) {
        contenders.push(platform.with(Program::Configured, stock));
    }
    if load == Load::Award && platform.host == main {
        contenders.push(platform.with(Program::Publishing, stock));
    }
    let is_counted = platform.world == World::Wasip2 && (platform.host == main || platform.is_default());
    if is_counted && load.grows_with_users() {
        contenders.push(platform.with(Program::Functions, Stock::Million));
    }
    contenders
}

/// Whose memory is looked at after a minute of these loads with 256 connections.
pub(crate) fn memory(main: Host) -> (Vec<Platform>, [Load; 3]) {
    let platforms = Platform::of(Host::Embedded).into_iter().chain(Platform::of(main));
    let mut platforms: Vec<_> = platforms
        .filter(|platform| platform.backend == Backend::Sqlite)
        .collect();
    platforms.dedup();
    platforms.sort_unstable();
    platforms.dedup();
    (platforms, [Load::Hit, Load::Create, Load::Award])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_case_is_measured_once_a_round() {
        for host in [Host::Spin, Host::Embedded] {
            let cases: Vec<_> = groups(host).iter().flat_map(Group::cases).collect();
            let unique: BTreeSet<_> = cases.iter().copied().collect();
            assert_eq!(unique.len(), cases.len());
        }
    }

    #[test]
    fn spin_is_measured_in_both_worlds_on_both_stores_under_every_load() {
        let groups = groups(Host::Spin);
        for platform in Platform::of(Host::Spin) {
            for load in Load::COMPARED {
                for program in [Program::Functions, Program::Floor] {
                    let case = Case {
                        load,
                        connections: 32,
                        contender: platform.with(program, load.stock()),
                    };
                    assert!(
                        groups.iter().flat_map(Group::cases).any(|one| one == case),
                        "{case:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_native_server_takes_every_load_but_404_beside_the_embedded_host() {
        for main in [Host::Spin, Host::Embedded] {
            let groups = groups(main);
            for load in Load::COMPARED {
                let stock = load.stock();
                let [platform, ..] = Platform::of(Host::Embedded);
                let contenders = [
                    platform.with(Program::Functions, stock),
                    Contender {
                        subject: Subject::Native,
                        stock,
                    },
                ];
                let has_both = groups.iter().any(|group| {
                    let is_in = |contender| {
                        let case = Case {
                            load,
                            connections: 32,
                            contender,
                        };
                        group.cases().any(|one| one == case)
                    };
                    contenders.into_iter().all(is_in)
                });
                assert_eq!(has_both, load != Load::Miss, "{load:?}");
            }
        }
    }
}
