//! Tombstones, which replace erased users, and what they share with envelopes.

use super::entry::{Entry, Place};
use super::unreadable::Unreadable;
use crate::domain::json::Members;
use std::fmt::Write;

/// The only version of the stored form that this build reads and writes.
pub(super) const FORMAT: u64 = 1;

/// What an envelope shares with the tombstone that follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The sequence number of the creation.
    pub(super) first: u64,
    /// The entry of the creation.
    pub(super) creation: Entry,
    /// The entry of the latest erasure: right before the creation in an envelope, after it in a tombstone.
    pub(super) erasure: Option<Entry>,
    /// Erased histories whose pages must be deleted a second time, since another request may have been writing a page when
    /// they were deleted first: for each the sequence numbers of its creation and of its erasure.
    pub(super) remains: Vec<(u64, u64)>,
}

/// Permanently replaces an erased user, so that the sequence numbers of the name continue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// The sequence number of the erasure.
    pub(super) sequence: u64,
    pub(super) head: Head,
    /// The pages up to this sequence number have been deleted once.
    pub(super) deleted: u64,
}

impl Head {
    pub(super) fn write(&self, json: &mut String) {
        // Writing to a string never fails.
        let _ = write!(
            json,
            r#""first":{},"creation":{},"#,
            self.first,
            self.creation.to_json()
        );
        if let Some(erasure) = &self.erasure {
            let _ = write!(json, r#""erasure":{},"#, erasure.to_json());
        }
        if !self.remains.is_empty() {
            let ranges: Vec<_> = self
                .remains
                .iter()
                .map(|(first, last)| format!("[{first},{last}]"))
                .collect();
            let _ = write!(json, r#""remains":[{}],"#, ranges.join(","));
        }
    }

    pub(super) fn read(members: &Members<'_>) -> Result<Self, Unreadable> {
        let remains = match members.get("remains") {
            Some(ranges) => serde_json::from_str(ranges).map_err(|_| Unreadable::Damaged)?,
            None => Vec::new(),
        };
        let entry = |name, place| {
            let json = members.get(name);
            json.map(|json| Entry::from_json(json, place).ok_or(Unreadable::Damaged))
                .transpose()
        };
        Ok(Self {
            first: number(members, "first")?,
            creation: entry("creation", Place::Creation)?.ok_or(Unreadable::Damaged)?,
            erasure: entry("erasure", Place::Erasure)?,
            remains,
        })
    }
}

impl Tombstone {
    /// The sequence number of the erasure.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Whether every page has been deleted once.
    pub(super) fn is_deleted(&self) -> bool {
        self.deleted == self.sequence
    }

    /// Returns this tombstone after the pages up to `deleted` were deleted for the first time.
    #[must_use]
    pub fn with_deleted(&self, deleted: u64) -> Self {
        Self {
            deleted,
            ..self.clone()
        }
    }

    /// Returns this tombstone with the pages in `remains` left to be deleted for the second time.
    #[must_use]
    pub(super) fn with_remains(&self, remains: Vec<(u64, u64)>) -> Self {
        let mut cleaned = self.clone();
        cleaned.head.remains = remains;
        cleaned
    }

    /// The stored form: a JSON object.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut json = format!(r#"{{"format":{FORMAT},"sequence":{},"#, self.sequence);
        self.head.write(&mut json);
        let _ = write!(json, r#""deleted":{}}}"#, self.deleted);
        json.into_bytes()
    }
}

/// Reads a member of a stored value that is a number.
pub(super) fn number(members: &Members<'_>, name: &str) -> Result<u64, Unreadable> {
    let member = members.get(name).ok_or(Unreadable::Damaged)?;
    member.parse().map_err(|_| Unreadable::Damaged)
}
