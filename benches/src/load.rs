//! The loads: kinds of requests, as each subject takes them.

use crate::subject::{Program, Stock, Subject};

/// How many changes a user has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Changes {
    /// 150: the user `hot`.
    Few,
    /// 100,000: the user `long`.
    Many,
}

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Load {
    Hit,
    Miss,
    NotModified,
    /// The record of one user.
    ReadOne(Changes),
    /// A page out of the archived history of one user.
    History(Changes),
    List,
    Create,
    /// A point to any user.
    Award,
    /// A point to one user.
    AwardOne(Changes),
    Reverse,
    PromoteNoop,
    PromoteChange,
    Update,
    Erase,
}

/// A request in which `{}` stands for a number, and `[]` for one that is never sent again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) header: Option<&'static str>,
    pub(crate) body: &'static str,
    /// The status that answers have.
    pub(crate) status: u16,
}

/// Which numbers the requests contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// Random numbers below this one.
    Random(u32),
    /// Consecutive numbers below this one, each once.
    Each(u64),
}

impl Load {
    /// The loads that the functions and the floor take on every platform. A user can be promoted before it is erased, so
    /// their order is also one in which a single user can meet them.
    pub(crate) const COMPARED: [Self; 13] = [
        Self::Hit,
        Self::Miss,
        Self::NotModified,
        Self::History(Changes::Few),
        Self::List,
        Self::Create,
        Self::Award,
        Self::AwardOne(Changes::Few),
        Self::PromoteNoop,
        Self::PromoteChange,
        Self::Reverse,
        Self::Update,
        Self::Erase,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hit => "GET hit",
            Self::Miss => "GET 404",
            Self::NotModified => "GET 304",
            Self::ReadOne(Changes::Few) => "GET, 150 changes",
            Self::ReadOne(Changes::Many) => "GET, 100,000 changes",
            Self::History(Changes::Few) => "history page",
            Self::History(Changes::Many) => "history page, 100,000 changes",
            Self::List => "list page",
            Self::Create => "create",
            Self::Award => "award, any user",
            Self::AwardOne(Changes::Few) => "award, one user",
            Self::AwardOne(Changes::Many) => "award, 100,000 changes",
            Self::Reverse => "reversal",
            Self::PromoteNoop => "promote, no change",
            Self::PromoteChange => "promote, change",
            Self::Update => "update",
            Self::Erase => "erase",
        }
    }

    /// The store that it is measured with, unless the point is another one.
    pub(crate) fn stock(self) -> Stock {
        match self {
            Self::PromoteChange | Self::Reverse | Self::Erase => Stock::Fresh,
            _ => Stock::Thousand,
        }
    }

    /// Whether the native server answers it as the functions do. It leaves out what a refusal says.
    pub(crate) fn is_native(self) -> bool {
        self != Self::Miss
    }

    /// Whether it is measured with a million users, too.
    pub(crate) fn grows_with_users(self) -> bool {
        matches!(self, Self::Hit | Self::List)
    }

    /// Whether each request adds one entry to the history of one user, or a user.
    pub(crate) fn is_write(self) -> bool {
        match self {
            Self::Hit
            | Self::Miss
            | Self::NotModified
            | Self::ReadOne(_)
            | Self::History(_)
            | Self::List
            | Self::PromoteNoop => false,
            Self::Create
            | Self::Award
            | Self::AwardOne(_)
            | Self::Reverse
            | Self::PromoteChange
            | Self::Update
            | Self::Erase => true,
        }
    }

    /// For how many seconds it is measured: longer where a request may have to wait long.
    pub(crate) fn seconds(self, connections: usize) -> u32 {
        match self {
            Self::AwardOne(_) if connections > 1 => 2,
            _ => 1,
        }
    }

    /// The request, as `subject` takes it.
    pub(crate) fn request(self, subject: Subject) -> Request {
        match subject {
            Subject::Components(_, Program::Floor) => self.request_of_the_floor(),
            _ => self.request_of_the_contract(),
        }
    }

    fn request_of_the_floor(self) -> Request {
        match self {
            Self::Hit | Self::NotModified => request("GET", "/get/user{}", 200),
            Self::Miss => request("GET", "/get/nobody{}", 404),
            Self::ReadOne(Changes::Few) => request("GET", "/get/hot", 200),
            Self::ReadOne(Changes::Many) => request("GET", "/get/long", 200),
            Self::History(Changes::Few) => request("GET", "/history/hot", 200),
            Self::History(Changes::Many) => request("GET", "/history/long", 200),
            Self::List => request("GET", "/list/{}", 200),
            Self::Create => request("POST", "/create/new{}", 200),
            Self::AwardOne(Changes::Few) => request("POST", "/update/hot", 200),
            Self::AwardOne(Changes::Many) => request("POST", "/update/long", 200),
            Self::PromoteNoop => request("PUT", "/look/user{}", 200),
            Self::Award | Self::Reverse | Self::PromoteChange | Self::Update | Self::Erase => {
                request("POST", "/update/user{}", 200)
            }
        }
    }

    fn request_of_the_contract(self) -> Request {
        match self {
            Self::Hit => request("GET", "/user/user{}", 200),
            Self::Miss => request("GET", "/user/nobody{}", 404),
            Self::NotModified => Request {
                header: Some("if-none-match: \"2-000000{}\""),
                ..request("GET", "/user/user{}", 304)
            },
            Self::ReadOne(Changes::Few) => request("GET", "/user/hot", 200),
            Self::ReadOne(Changes::Many) => request("GET", "/user/long", 200),
            // Entries of one page, which every user with this many changes has.
            Self::History(Changes::Few) => request("GET", "/user/history/hot?limit=20&before=46", 200),
            Self::History(Changes::Many) => request("GET", "/user/history/long?limit=20&before=46", 200),
            // From one of a hundred roots of the directory on.
            Self::List => request(
                "GET",
                "/users?limit=50&after={}000000000000000000000000000000",
                200,
            ),
            Self::Create => Request {
                header: Some(JSON),
                body: r#"{"username":"new{}","email":"new{}@example.com"}"#,
                ..request("POST", "/user", 201)
            },
            Self::Award => points("/user/points/user{}", r#"{"points":1}"#),
            Self::AwardOne(Changes::Few) => points("/user/points/hot", r#"{"points":1}"#),
            Self::AwardOne(Changes::Many) => points("/user/points/long", r#"{"points":1}"#),
            Self::Reverse => points("/user/points/user{}", r#"{"reverses":2}"#),
            Self::PromoteNoop | Self::PromoteChange => request("PUT", "/user/promote/user{}", 200),
            Self::Update => Request {
                header: Some(JSON),
                body: r#"{"email":"mail[]@example.com"}"#,
                ..request("PATCH", "/user/update/user{}", 200)
            },
            Self::Erase => request("DELETE", "/user/erase/user{}", 204),
        }
    }

    /// How many digits the numbers have.
    pub(crate) fn digits(self) -> usize {
        match self {
            Self::Create => 12,
            Self::List => 2,
            _ => 6,
        }
    }

    /// Which numbers the requests take in a store of this size.
    pub(crate) fn numbers(self, stock: Stock) -> Numbers {
        match self {
            Self::Create => Numbers::Each(u64::MAX),
            Self::List => Numbers::Random(100),
            Self::PromoteChange | Self::Reverse | Self::Erase => Numbers::Each(stock.users().into()),
            _ => Numbers::Random(stock.users()),
        }
    }
}

const JSON: &str = "content-type: application/json";

const fn request(method: &'static str, path: &'static str, status: u16) -> Request {
    Request {
        method,
        path,
        header: None,
        body: "",
        status,
    }
}

const fn points(path: &'static str, body: &'static str) -> Request {
    Request {
        header: Some(JSON),
        body,
        ..request("POST", path, 200)
    }
}
