//! The directory: walks, and leaves that are split.

use crate::backends::{Contents, Kind, Stored};
use crate::checks::{holds, on_every_backend};
use crate::creates::{IN_FLIGHT, MINUTE, create, directory};
use crate::keys::create_keyed;
use crate::lives::erase;
use crate::program::{Program, Request};
use crate::protocol::Protocol;
use crate::text::Text;
use crate::world::hash_of;

/// The root of the directory where all names in the model belong.
pub(crate) const ROOT: &str = "96";
pub(crate) const JOHN: &str = "john";
pub(crate) const JANE: &str = "jane41";
const MARY: &str = "mary76";

/// A leaf that is larger than this many bytes is split.
const LIMIT: usize = 8192;

/// A walk that begins once the creation by a client was acknowledged.
pub(crate) fn walk(number: u64, after: usize) -> Program {
    Program::new(number, JOHN, Request::Walk { after: Some(after) })
}

pub(crate) fn create_jane(number: u64) -> Program {
    Program::new(
        number,
        JANE,
        Request::Create {
            points: number,
            key: None,
        },
    )
}

/// A leaf of the directory that is split when the next name is added. The names that make it long have no users.
fn full_leaf() -> Contents {
    let size = |names: &[String]| names.iter().map(|name| name.len() + 3).sum::<usize>();
    let mut names = Vec::new();
    for number in 0.. {
        let name = format!("filler{number:058}");
        if hash_of(&name).starts_with(ROOT) {
            names.push(name);
        }
        if size(&names) > LIMIT {
            break;
        }
    }
    // Until now it is too large by less than the long name.
    names.pop();
    let left = LIMIT - size(&names);
    if left > 10 {
        let mut short = (0..).map(|number| format!("filler{number:0width$}", width = left - 9));
        names.push(short.find(|name| hash_of(name).starts_with(ROOT)).unwrap());
    }
    names.sort_by_key(|name| hash_of(name));
    let leaf = serde_json::json!({"format": 1, "names": names}).to_string();
    let key = Text::new(format!("directory:{ROOT}").as_bytes());
    Contents::from([(key, Stored::Value(Text::new(leaf.as_bytes())))])
}

/// Creations and walks in a directory with one root.
pub(crate) fn walks(name: &'static str, kind: Kind, clients: Vec<Program>) -> Protocol {
    Protocol {
        contents: directory(),
        instants: &[MINUTE],
        in_flight: IN_FLIGHT,
        ..Protocol::new(name, kind, clients)
    }
}

/// The same, where the root is split by the first creation.
pub(crate) fn splits(name: &'static str, kind: Kind, clients: Vec<Program>) -> Protocol {
    Protocol {
        contents: full_leaf(),
        ..walks(name, kind, clients)
    }
}

/// Checks walks on one backend, in all configurations.
fn check(kind: Kind) {
    let mary = |number| {
        Program::new(
            number,
            MARY,
            Request::Create {
                points: number,
                key: None,
            },
        )
    };
    holds(Protocol {
        crashes: 1,
        failures: 1,
        ..walks(
            "2 creations of two names, a walk after the first, 1 crash, 1 failure",
            kind,
            vec![create(0), create_jane(1), walk(2, 0)],
        )
    });
    holds(Protocol {
        crashes: 1,
        ..walks(
            "a creation, an erasure, another creation, a walk after that, 1 crash",
            kind,
            vec![create(0), erase(1), create(2), walk(3, 2)],
        )
    });
    holds(Protocol {
        crashes: 1,
        ..walks(
            "a keyed creation sent twice, a walk after the second, 1 crash",
            kind,
            vec![create_keyed(0), create_keyed(1), walk(2, 1)],
        )
    });
    holds(Protocol {
        crashes: 1,
        failures: 1,
        ..splits(
            "2 creations that split, a walk after the first, 1 crash, 1 failure",
            kind,
            vec![create(0), create_jane(1), walk(2, 0)],
        )
    });
    holds(Protocol {
        ..splits(
            "3 creations that split, 2 of them of one name, a walk after the first",
            kind,
            vec![create(0), create(1), mary(2), walk(3, 0)],
        )
    });
}

on_every_backend!(check);
