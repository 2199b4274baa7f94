//! Leaves of the directory: the names of all users, as a hash trie.
//!
//! The hexadecimal digits of a name's hash decide where it belongs: the first two select one of 256 roots, each further
//! digit one of 16 children of a leaf that was split. Names in a leaf are ordered by their hashes, so a walk in hash order
//! shows each name once.

use super::from_json;
use super::unreadable::Unreadable;
use crate::domain::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// The hexadecimal digits; a split leaf has a child for each.
pub(super) const DIGITS: &str = "0123456789abcdef";

/// The only version of the stored form.
const FORMAT: u64 = 1;

/// The value of a key of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// A leaf with names.
    Leaf(Leaf),
    /// A leaf that was split; the keys of its 16 children have this nonce.
    Split(String),
}

/// Names, and reservations of the creators of some of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Leaf {
    /// In lower case, in the order of their hashes.
    names: Vec<String>,
    reservations: Vec<Reservation>,
}

/// The right to create the user of a name that has no record yet.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct Reservation {
    pub(super) name: String,
    /// Identifies the holder of the reservation: 12 random hexadecimal digits.
    pub(super) nonce: String,
    /// Milliseconds since 1970.
    time: u64,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct StoredNode {
    format: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    names: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reservations: Vec<Reservation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    split: Option<String>,
}

impl Reservation {
    /// Reserves `name` at the time `now`.
    pub(super) fn new(name: &str, nonce: &str, now: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            nonce: nonce.to_owned(),
            time: now.as_milliseconds(),
        }
    }

    /// The time when it was made.
    pub(super) fn time(&self) -> Timestamp {
        Timestamp::from_milliseconds(self.time).unwrap_or_default()
    }

    /// Whether it is older than `age`, so that others need no longer wait for its user.
    pub(super) fn is_over(&self, now: Timestamp, age: Duration) -> bool {
        u128::from(now.as_milliseconds().saturating_sub(self.time)) > age.as_millis()
    }
}

impl Leaf {
    /// The maximum size of a leaf in bytes, not counting reservations; a larger one is split.
    const LIMIT: usize = 8 * 1024;

    /// The names in the order of their hashes: those after `hash`, if it is given, or else all.
    pub(super) fn into_names_after(mut self, hash: Option<&str>) -> Vec<String> {
        if let Some(hash) = hash {
            let start = self.names.partition_point(|name| hash_of(name).as_str() <= hash);
            self.names.drain(..start);
        }
        self.names
    }

    /// The reservation of `name`, if there is one.
    pub(super) fn reservation(&self, name: &str) -> Option<&Reservation> {
        self.reservations
            .iter()
            .find(|reservation| reservation.name == name)
    }

    /// Returns this leaf with the name of `reservation`, and without expired reservations.
    #[must_use]
    pub(super) fn with(&self, reservation: Reservation, now: Timestamp, age: Duration) -> Self {
        let mut names = self.names.clone();
        let hash = hash_of(&reservation.name);
        let at = names.partition_point(|name| hash_of(name) < hash);
        if names.get(at) != Some(&reservation.name) {
            names.insert(at, reservation.name.clone());
        }
        let others = self.reservations.iter();
        let mut reservations: Vec<_> = others
            .filter(|other| other.name != reservation.name && !other.is_over(now, age))
            .cloned()
            .collect();
        reservations.push(reservation);
        debug_assert!(
            names.is_sorted_by(|one, next| hash_of(one) < hash_of(next)),
            "{names:?}"
        );
        Self { names, reservations }
    }

    /// Whether the leaf must be split.
    pub(super) fn is_large(&self) -> bool {
        self.names.iter().map(|name| name.len() + 3).sum::<usize>() > Self::LIMIT
    }

    /// The children of this leaf, each with its digit. `depth` is the number of digits that lead to this leaf.
    pub(super) fn children(self, depth: usize) -> Vec<(char, Self)> {
        let count = self.names.len();
        let mut children: Vec<_> = DIGITS.chars().map(|digit| (digit, Self::default())).collect();
        let child_of = |name: &str| {
            hash_of(name)[depth..]
                .chars()
                .next()
                .and_then(|digit| digit.to_digit(16))
        };
        for name in self.names {
            if let Some((_, child)) = child_of(&name).and_then(|child| children.get_mut(child as usize)) {
                child.names.push(name);
            }
        }
        for reservation in self.reservations {
            if let Some((_, child)) =
                child_of(&reservation.name).and_then(|child| children.get_mut(child as usize))
            {
                child.reservations.push(reservation);
            }
        }
        debug_assert_eq!(
            children.iter().map(|(_, child)| child.names.len()).sum::<usize>(),
            count
        );
        children
    }
}

impl Node {
    /// Writes the stored form: a JSON object.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let stored = match self {
            Self::Leaf(leaf) => StoredNode {
                format: FORMAT,
                names: Some(leaf.names.clone()),
                reservations: leaf.reservations.clone(),
                split: None,
            },
            Self::Split(nonce) => StoredNode {
                format: FORMAT,
                names: None,
                reservations: Vec::new(),
                split: Some(nonce.clone()),
            },
        };
        // Strings and numbers always serialize.
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// Returns [`Unreadable::Version`] if another version wrote it, [`Unreadable::Damaged`] if none did.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Unreadable> {
        #[derive(Deserialize)]
        struct Version {
            format: u64,
        }

        match from_json(bytes) {
            Ok(StoredNode {
                format: FORMAT,
                names: Some(names),
                reservations,
                split: None,
            }) => Ok(Self::Leaf(Leaf { names, reservations })),
            Ok(StoredNode {
                format: FORMAT,
                names: None,
                split: Some(nonce),
                ..
            }) => Ok(Self::Split(nonce)),
            // Other versions may have other members.
            _ => Err(match from_json(bytes)? {
                Version { format: FORMAT } => Unreadable::Damaged,
                Version { format } => Unreadable::Version(format),
            }),
        }
    }
}

/// The hash that decides where a name, in lower case, belongs: 32 hexadecimal digits of its SHA-256.
pub(super) fn hash_of(name: &str) -> String {
    super::operation::hexadecimal(&Sha256::digest(name), HASH_LENGTH)
}

/// The number of hexadecimal digits in a hash.
pub(super) const HASH_LENGTH: usize = 32;
