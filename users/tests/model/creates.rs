//! Several creations of one username.

use crate::backends::{Contents, Kind, Stored};
use crate::checks::{holds, on_every_backend};
use crate::directory::{JANE, JOHN, ROOT};
use crate::program::{Program, Request};
use crate::protocol::Protocol;
use crate::text::Text;

/// A minute that claims are made in begins here.
pub(crate) const MINUTE: u64 = 60_000;
/// When a reservation is made; the last second to write on it; when the last such write has arrived; and when others may
/// take it over.
pub(crate) const INSTANTS: &[u64] = &[MINUTE, MINUTE + 10, MINUTE + 60, MINUTE + 61];
/// How long the documentation lets clocks differ and writes take.
pub(crate) const IN_FLIGHT: u64 = 50;

/// A creation of a user called john.
pub(crate) fn create(number: u64) -> Program {
    Program::new(
        number,
        JOHN,
        Request::Create {
            points: number,
            key: None,
        },
    )
}

/// A store in which others have been.
pub(crate) fn directory() -> Contents {
    let leaf = format!(r#"{{"format":1,"names":["{JANE}"]}}"#);
    let key = Text::new(format!("directory:{ROOT}").as_bytes());
    Contents::from([(key, Stored::Value(Text::new(leaf.as_bytes())))])
}

/// Creations with crashes, failures and the clock going on.
pub(crate) fn creates(name: &'static str, kind: Kind, clients: Vec<Program>) -> Protocol {
    Protocol {
        contents: directory(),
        instants: INSTANTS,
        in_flight: IN_FLIGHT,
        ..Protocol::new(name, kind, clients)
    }
}

/// Checks creations on one backend, in all configurations.
fn check(kind: Kind) {
    let three = || vec![create(0), create(1), create(2)];
    holds(Protocol {
        alike: 3,
        instants: &[MINUTE],
        ..creates("3 creations, undisturbed", kind, three())
    });
    holds(Protocol {
        alike: 2,
        crashes: 1,
        failures: 1,
        ..creates(
            "2 creations, 1 crash, 1 failure",
            kind,
            vec![create(0), create(1)],
        )
    });
    holds(Protocol {
        alike: 3,
        crashes: 1,
        instants: &[MINUTE, MINUTE + 10, MINUTE + 61],
        ..creates("3 creations, 1 crash", kind, three())
    });
}

on_every_backend!(check);
