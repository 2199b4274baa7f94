//! Entries of a user's history: one for each change, immutable once written.

use super::operation::Operation;
use crate::domain::json;
use crate::domain::points::Points;
use crate::domain::tier::Tier;
use crate::domain::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// One change of a user: its time, its operation, and what it changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When the change was written.
    pub time: Timestamp,
    /// The operation that made the change.
    pub operation: Operation,
    /// A random number if the operation has an idempotency key. It tells the request that made the change from others
    /// that repeat it at the same time.
    pub attempt: Option<u64>,
    /// What changed.
    pub change: Change,
    /// The status that the change set: by a promotion, or by an automatic promotion as part of another change.
    pub status: Option<Tier>,
}

/// What a change changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The user was created.
    Created {
        /// The initial points; `None` if the record had no such member.
        points: Option<Points>,
    },
    /// Points were added, redeemed or restored.
    Points {
        /// The amount; negative if points were redeemed.
        points: i64,
        /// The points after the change.
        balance: Points,
        /// The reason, in the client's words.
        reason: Option<String>,
        /// The sequence number of the entry that this change undid.
        reverses: Option<u64>,
    },
    /// A promotion set the status.
    Promoted,
    /// Members that clients may set were changed or removed.
    Updated {
        /// Their names, in the order of the patch, up to [`Entry::NAMES_LIMIT`] bytes.
        members: Vec<String>,
    },
    /// The user was erased.
    Erased,
}

impl Change {
    /// The name of the change in histories and events.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "created",
            Self::Points { .. } => "points",
            Self::Promoted => "promoted",
            Self::Updated { .. } => "updated",
            Self::Erased => "erased",
        }
    }
}

/// The stored form. It does not contain the sequence number, which follows from the entry's position.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct StoredEntry<'a> {
    time: u64,
    #[serde(borrow)]
    operation: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    points: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    balance: Option<i64>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reverses: Option<u64>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    members: Option<Vec<Cow<'a, str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
}

/// The position of an entry, which tells how to read entries that have neither `balance` nor `members`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The first entry of a user.
    Creation,
    /// The entry of a tombstone.
    Erasure,
    /// Any other entry.
    History,
}

impl Entry {
    /// The maximum number of bytes for the names of changed members in the stored form; further names are left out.
    pub const NAMES_LIMIT: usize = 768;

    /// Writes the stored form: a JSON object of at most 1 KiB.
    pub(super) fn to_json(&self) -> String {
        let mut stored = StoredEntry {
            time: self.time.as_milliseconds(),
            operation: Cow::Owned(self.operation.to_string()),
            attempt: self.attempt,
            points: None,
            balance: None,
            reason: None,
            reverses: None,
            members: None,
            status: self.status.map(Tier::name),
        };
        match &self.change {
            Change::Created { points } => stored.points = points.map(Points::get),
            Change::Points {
                points,
                balance,
                reason,
                reverses,
            } => {
                stored.points = Some(*points);
                stored.balance = Some(balance.get());
                stored.reason = reason.as_deref().map(Cow::Borrowed);
                stored.reverses = *reverses;
            }
            Change::Updated { members } => {
                stored.members = Some(members.iter().map(|name| Cow::Borrowed(name.as_str())).collect());
            }
            Change::Promoted | Change::Erased => {}
        }
        // Strings and numbers always serialize.
        serde_json::to_string(&stored).unwrap_or_default()
    }

    /// Reads the stored form of an entry at `place`, or returns `None` if it is damaged.
    pub(super) fn from_json(json: &str, place: Place) -> Option<Self> {
        let stored: StoredEntry<'_> = serde_json::from_str(json).ok()?;
        let status = match stored.status {
            Some(name) => Some(Tier::from_name(name)?),
            None => None,
        };
        let change = match (place, stored.points, stored.balance, stored.members) {
            (Place::Creation, None, None, None) => Change::Created { points: None },
            (Place::Creation, Some(points), None, None) => Change::Created {
                points: Some(Points::new(points).ok()?),
            },
            (Place::Erasure, None, None, None) => Change::Erased,
            (Place::History, Some(points), Some(balance), None) => Change::Points {
                points,
                balance: Points::new(balance).ok()?,
                reason: stored.reason.map(Cow::into_owned),
                reverses: stored.reverses,
            },
            (Place::History, None, None, Some(members)) => Change::Updated {
                members: members.into_iter().map(Cow::into_owned).collect(),
            },
            (Place::History, None, None, None) if status.is_some() => Change::Promoted,
            _ => return None,
        };
        Some(Self {
            time: Timestamp::from_milliseconds(stored.time)?,
            operation: stored.operation.parse().ok()?,
            attempt: stored.attempt,
            change,
            status,
        })
    }

    /// Returns these names of members without those that exceed [`Entry::NAMES_LIMIT`] bytes together with the ones before.
    #[must_use]
    pub fn limited_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let mut left = Self::NAMES_LIMIT;
        let mut limited = Vec::new();
        for name in names {
            if let Some(rest) = left.checked_sub(json::string(name).len() + 1) {
                left = rest;
                limited.push(name.to_owned());
            }
        }
        limited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(change: Change, status: Option<Tier>) -> Entry {
        Entry {
            time: Timestamp::from_milliseconds(1_700_000_000_123).unwrap(),
            operation: Operation::fresh(7),
            attempt: None,
            change,
            status,
        }
    }

    #[test]
    fn the_stored_form_is_read_back() {
        let points = |reason: Option<&str>, reverses| Change::Points {
            points: -30,
            balance: Points::MAX,
            reason: reason.map(str::to_owned),
            reverses,
        };
        for (entry, place, json) in [
            (
                entry(Change::Created { points: None }, None),
                Place::Creation,
                r#"{"time":1700000000123,"operation":"000000000007"}"#,
            ),
            (
                entry(
                    Change::Created {
                        points: Some(Points::ZERO),
                    },
                    Some(Tier::Bronze),
                ),
                Place::Creation,
                r#"{"time":1700000000123,"operation":"000000000007","points":0,"status":"Bronze"}"#,
            ),
            (
                entry(points(Some("order \"7\""), None), None),
                Place::History,
                r#"{"time":1700000000123,"operation":"000000000007","points":-30,"balance":9007199254740991,"reason":"order \"7\""}"#,
            ),
            (
                entry(points(None, Some(3)), Some(Tier::Gold)),
                Place::History,
                r#"{"time":1700000000123,"operation":"000000000007","points":-30,"balance":9007199254740991,"reverses":3,"status":"Gold"}"#,
            ),
            (
                entry(Change::Promoted, Some(Tier::Gold)),
                Place::History,
                r#"{"time":1700000000123,"operation":"000000000007","status":"Gold"}"#,
            ),
            (
                entry(
                    Change::Updated {
                        members: vec!["email".to_owned(), "a\"b".to_owned()],
                    },
                    None,
                ),
                Place::History,
                r#"{"time":1700000000123,"operation":"000000000007","members":["email","a\"b"]}"#,
            ),
            (
                entry(Change::Erased, None),
                Place::Erasure,
                r#"{"time":1700000000123,"operation":"000000000007"}"#,
            ),
        ] {
            assert_eq!(entry.to_json(), json);
            assert_eq!(Entry::from_json(json, place), Some(entry));
        }
    }

    #[test]
    fn a_damaged_entry_is_not_read() {
        for json in [
            "",
            "7",
            r#"{"time":1,"operation":"000000000007"}"#,
            r#"{"time":1,"operation":"000000000007","points":1}"#,
            r#"{"time":1,"operation":"000000000007","status":"Iron"}"#,
            r#"{"time":1,"operation":"x","status":"Gold"}"#,
            r#"{"time":-1,"operation":"000000000007","status":"Gold"}"#,
            r#"{"time":1,"operation":"000000000007","status":"Gold","region":0}"#,
            r#"{"time":1,"operation":"000000000007","points":1,"balance":-1}"#,
        ] {
            assert_eq!(Entry::from_json(json, Place::History), None, "{json}");
        }
    }

    #[test]
    fn names_are_left_out_rather_than_make_an_entry_large() {
        // Each takes two quotation marks and a comma.
        let long = "x".repeat(Entry::NAMES_LIMIT - 7);
        assert_eq!(Entry::limited_names([&*long, "y"]), [&*long, "y"]);
        assert_eq!(Entry::limited_names([&*long, "yy", "z"]), [&*long, "z"]);
        assert_eq!(Entry::limited_names([&*long.repeat(2), "y"]), ["y"]);
        assert_eq!(Entry::limited_names([&*long, "\u{0}"]), [&*long]);
    }
}
