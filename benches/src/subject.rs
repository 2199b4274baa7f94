//! Who answers: the functions and the floor on each platform, the native server and the seed.

use std::fmt::{Display, Formatter};

/// What runs components.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Host {
    Spin,
    Embedded,
}

/// The WASI world that components are built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum World {
    Wasip2,
    Wasip3,
}

/// Where the key-value store keeps its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Backend {
    Sqlite,
    Redis,
}

/// All that components run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Platform {
    pub(crate) host: Host,
    pub(crate) world: World,
    pub(crate) backend: Backend,
}

/// A set of components.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Program {
    Functions,
    /// The functions, with all their variables from `deploy/variables.toml`.
    Configured,
    /// The functions, and every change is published to a receiver.
    Publishing,
    /// Components that make the functions' key-value calls and nothing else.
    Floor,
}

/// A server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    Components(Platform, Program),
    Native,
    Seed,
}

/// What the store of a server holds at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stock {
    /// A thousand users with a status, and one more, `hot`, with 150 changes.
    Thousand,
    /// A hundred thousand users without a status, each with one award, to be promoted, reversed or erased once.
    Fresh,
    /// A thousand users, `hot`, and `long` with 100,000 changes.
    Long,
    /// A million users with a status.
    Million,
}

/// A server with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Contender {
    pub(crate) subject: Subject,
    pub(crate) stock: Stock,
}

impl World {
    /// Both worlds.
    pub(crate) const ALL: [Self; 2] = [Self::Wasip2, Self::Wasip3];
}

impl Platform {
    /// All platforms with this host, the default build on the default store first.
    pub(crate) fn of(host: Host) -> [Self; 4] {
        let of = |world, backend| Self { host, world, backend };
        [
            of(World::Wasip2, Backend::Sqlite),
            of(World::Wasip2, Backend::Redis),
            of(World::Wasip3, Backend::Sqlite),
            of(World::Wasip3, Backend::Redis),
        ]
    }

    /// The platforms that are measured: where Spin is, all four with it; else the embedded host, on `SQLite`.
    pub(crate) fn main(host: Host) -> Vec<Self> {
        let all = Self::of(host).into_iter();
        all.filter(|platform| host == Host::Spin || platform.backend == Backend::Sqlite)
            .collect()
    }

    /// Whether this is the default build on the default store.
    pub(crate) fn is_default(self) -> bool {
        self.world == World::Wasip2 && self.backend == Backend::Sqlite
    }

    /// These components on this platform.
    pub(crate) fn with(self, program: Program, stock: Stock) -> Contender {
        Contender {
            subject: Subject::Components(self, program),
            stock,
        }
    }
}

impl Stock {
    /// How many users it has whose names are numbers.
    pub(crate) fn users(self) -> u32 {
        match self {
            Self::Thousand | Self::Long => 1_000,
            Self::Fresh => 100_000,
            Self::Million => 1_000_000,
        }
    }
}

impl Display for Host {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Spin => "Spin",
            Self::Embedded => "embedded host",
        })
    }
}

impl Display for World {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Wasip2 => "WASI 0.2",
            Self::Wasip3 => "WASI 0.3",
        })
    }
}

impl Display for Backend {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Redis => "Redis",
        })
    }
}

impl Display for Platform {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}, {}, {}", self.host, self.world, self.backend)
    }
}

impl Display for Subject {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Components(platform, Program::Functions) => write!(formatter, "functions ({platform})"),
            Self::Components(platform, Program::Configured) => {
                write!(formatter, "functions with a file of variables ({platform})")
            }
            Self::Components(platform, Program::Publishing) => {
                write!(formatter, "functions with events ({platform})")
            }
            Self::Components(platform, Program::Floor) => write!(formatter, "floor ({platform})"),
            Self::Native => formatter.write_str("native"),
            Self::Seed => formatter.write_str("seed"),
        }
    }
}

impl Display for Contender {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}, store {:?}", self.subject, self.stock)
    }
}
