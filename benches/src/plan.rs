//! What is measured: the loads, the subjects that take them, and the goals.

/// How often it is measured.
pub(crate) const ROUNDS: u32 = 5;
/// How many connections a load has open.
pub(crate) const CONNECTIONS: [usize; 3] = [1, 32, 256];
/// How many users the usual store has.
pub(crate) const THOUSAND: u32 = 1_000;
/// How many users the large store has.
pub(crate) const MILLION: u32 = 1_000_000;
/// Who is measured with the large store.
pub(crate) const LARGE: [Subject; 2] = [Subject::Functions, Subject::Native];
/// How many users can be promoted, each once, before a server has to be started anew.
pub(crate) const UNPROMOTED: u32 = 100_000;

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Load {
    Hit,
    Miss,
    NotModified,
    Create,
    AwardHot,
    AwardSpread,
    PromoteNoop,
    PromoteChange,
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// The functions on the embedded host.
    Functions,
    /// The functions on Spin.
    OnSpin,
    /// Components on the embedded host that make the functions' key-value calls.
    Floor,
    /// A component on the embedded host that makes one `set`.
    OneSet,
    Native,
    NativeGrouped,
    Seed,
}

/// A subject with a store of so many users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Contender {
    pub(crate) subject: Subject,
    pub(crate) users: u32,
}

/// One number to be measured in each round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Case {
    pub(crate) load: Load,
    pub(crate) connections: usize,
    pub(crate) contender: Contender,
}

/// A request of which only a number changes; `{}` stands for it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) header: Option<&'static str>,
    pub(crate) body: &'static str,
    /// The one status that answers may have.
    pub(crate) status: u16,
}

/// How the numbers go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// Any below this, again and again.
    Random(u32),
    /// Each once, as far as this.
    Each(u64),
}

impl Load {
    pub(crate) const ALL: [Self; 8] = [
        Self::Hit,
        Self::Miss,
        Self::NotModified,
        Self::Create,
        Self::AwardHot,
        Self::AwardSpread,
        Self::PromoteNoop,
        Self::PromoteChange,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hit => "GET hit",
            Self::Miss => "GET miss",
            Self::NotModified => "GET 304",
            Self::Create => "create",
            Self::AwardHot => "award, one user",
            Self::AwardSpread => "award, any user",
            Self::PromoteNoop => "promote, no change",
            Self::PromoteChange => "promote, change",
        }
    }

    /// Who takes this load with so many connections. Spin and the large store are there to be compared, at one point
    /// each.
    pub(crate) fn contenders(self, connections: usize, with_spin: bool) -> Vec<Contender> {
        use Subject::{Floor, Functions, Native, NativeGrouped, OnSpin, OneSet, Seed};
        let subjects: &[Subject] = match self {
            // The seed writes whether or not a promotion changes anything.
            Self::Hit | Self::Miss | Self::PromoteNoop => &[Functions, Floor, Native, Seed],
            Self::NotModified | Self::AwardHot | Self::AwardSpread | Self::PromoteChange => {
                &[Functions, Floor, Native]
            }
            Self::Create => &[Functions, Floor, OneSet, Native, NativeGrouped, Seed],
        };
        let users = if self == Self::PromoteChange {
            UNPROMOTED
        } else {
            THOUSAND
        };
        let mut contenders: Vec<_> = subjects
            .iter()
            .map(|&subject| Contender { subject, users })
            .collect();
        if connections == 32 {
            if with_spin {
                contenders.push(Contender {
                    subject: OnSpin,
                    users,
                });
            }
            if matches!(self, Self::Hit | Self::Create) {
                contenders.extend(LARGE.map(|subject| Contender {
                    subject,
                    users: MILLION,
                }));
            }
        }
        contenders
    }

    /// The numbers of connections that it is measured with in a round, the first being 0: all of them three times, and
    /// twice more what a goal hangs on.
    pub(crate) fn connections(self, round: u32) -> &'static [usize] {
        match (round, self) {
            (..3, _) => &CONNECTIONS,
            (_, Self::Hit) => &[32],
            (_, Self::Create) => &[32, 256],
            _ => &[],
        }
    }

    /// For how many seconds it is measured: longer where a request may have to wait long.
    pub(crate) fn seconds(self, connections: usize) -> u32 {
        if self == Self::AwardHot && connections > 1 {
            2
        } else {
            1
        }
    }

    pub(crate) fn request(self, subject: Subject) -> Request {
        let floor = |method, path, status| Request {
            method,
            path,
            header: None,
            body: "",
            status,
        };
        if subject == Subject::OneSet {
            return floor("POST", "/set/new{}", 200);
        }
        let is_floor = subject == Subject::Floor;
        match self {
            Self::Hit | Self::NotModified if is_floor => floor("GET", "/get/user{}", 200),
            Self::Miss if is_floor => floor("GET", "/get/nobody{}", 404),
            Self::Create if is_floor => floor("POST", "/create/new{}", 200),
            Self::AwardHot if is_floor => floor("POST", "/update/hot", 200),
            Self::AwardSpread if is_floor => floor("POST", "/update/user{}", 200),
            Self::PromoteNoop if is_floor => floor("PUT", "/look/user{}", 200),
            Self::PromoteChange if is_floor => floor("PUT", "/update/user{}", 200),
            Self::Hit => floor("GET", "/user/user{}", 200),
            Self::Miss => floor("GET", "/user/nobody{}", 404),
            Self::NotModified => Request {
                header: Some("if-none-match: \"2-000000{}\""),
                ..floor("GET", "/user/user{}", 304)
            },
            Self::Create => Request {
                header: Some(JSON),
                body: r#"{"username":"new{}","email":"new{}@example.com"}"#,
                ..floor("POST", "/user", 201)
            },
            Self::AwardHot => award("/user/points/hot"),
            Self::AwardSpread => award("/user/points/user{}"),
            Self::PromoteNoop | Self::PromoteChange => floor("PUT", "/user/promote/user{}", 200),
        }
    }

    /// How many digits the numbers have.
    pub(crate) fn digits(self) -> usize {
        if self == Self::Create { 12 } else { 6 }
    }

    pub(crate) fn numbers(self, contender: Contender) -> Numbers {
        match self {
            Self::Create => Numbers::Each(u64::MAX),
            Self::PromoteChange => Numbers::Each(contender.users.into()),
            _ => Numbers::Random(contender.users),
        }
    }
}

const JSON: &str = "content-type: application/json";

fn award(path: &'static str) -> Request {
    Request {
        method: "POST",
        path,
        header: Some(JSON),
        body: r#"{"points":1}"#,
        status: 200,
    }
}

impl Subject {
    pub(crate) const ALL: [Self; 7] = [
        Self::Functions,
        Self::OnSpin,
        Self::Floor,
        Self::OneSet,
        Self::Native,
        Self::NativeGrouped,
        Self::Seed,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Functions => "functions",
            Self::OnSpin => "functions on Spin",
            Self::Floor => "floor",
            Self::OneSet => "floor: one `set`",
            Self::Native => "native",
            Self::NativeGrouped => "native, group commit",
            Self::Seed => "seed",
        }
    }
}

impl Contender {
    pub(crate) fn name(self) -> String {
        let name = self.subject.name();
        if self.users == MILLION {
            format!("{name}, 1 million users")
        } else {
            name.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_is_compared_with_the_functions_under_the_same_load() {
        for load in Load::ALL {
            for connections in CONNECTIONS {
                let contenders = load.contenders(connections, true);
                assert_eq!(contenders[0].subject, Subject::Functions);
                assert!(contenders.iter().all(|one| {
                    contenders
                        .iter()
                        .any(|other| other.subject == Subject::Functions && other.users == one.users)
                }));
            }
        }
    }
}
