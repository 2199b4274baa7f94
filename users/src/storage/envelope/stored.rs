//! The stored form of an envelope or a tombstone.

use super::Envelope;
use crate::domain::json::Members;
use crate::domain::points::Points;
use crate::storage::entry::{Entry, Place};
use crate::storage::tombstone::{FORMAT, Head, Tombstone, number};
use crate::storage::unreadable::Unreadable;
use std::fmt::Write;

/// The value of a user's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// A user.
    Live(Envelope),
    /// An erased user.
    Erased(Tombstone),
}

impl Envelope {
    /// Reads the stored form of a user who has not been erased.
    ///
    /// # Errors
    /// Returns [`Unreadable::Version`] if another version wrote it, [`Unreadable::Damaged`] if it is not an envelope.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Unreadable> {
        match Stored::from_bytes(bytes)? {
            Stored::Live(envelope) => Ok(envelope),
            Stored::Erased(_) => Err(Unreadable::Damaged),
        }
    }

    /// The stored form: a JSON object.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut json = format!(r#"{{"format":{FORMAT},"sequence":{},"#, self.sequence);
        self.head.write(&mut json);
        let _ = write!(
            json,
            r#""archived":{},"earned":{},"entries":{},"record":{}}}"#,
            self.archived,
            self.earned.get(),
            self.entries,
            self.record,
        );
        json.into_bytes()
    }
}

impl Stored {
    /// Reads the stored form.
    ///
    /// # Errors
    /// Returns [`Unreadable::Version`] if another version wrote it, [`Unreadable::Damaged`] if none did.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Unreadable> {
        let text = std::str::from_utf8(bytes).map_err(|_| Unreadable::Damaged)?;
        let members = Members::read(text).map_err(|_| Unreadable::Damaged)?;
        // The version is checked first, since other versions may have other members.
        let format = number(&members, "format")?;
        if format != FORMAT {
            return Err(Unreadable::Version(format));
        }
        let sequence = number(&members, "sequence")?;
        let head = Head::read(&members)?;
        // There must be a number left for the next entry.
        if head.first == 0 || sequence < head.first || sequence > u64::MAX - 2 {
            return Err(Unreadable::Damaged);
        }
        let optional = usize::from(head.erasure.is_some()) + usize::from(members.get("remains").is_some());
        let (stored, expected) = if let Some(record) = members.get("record") {
            let archived = number(&members, "archived")?;
            let earned = members
                .get("earned")
                .and_then(|number| Points::from_json_number(number).ok());
            let entries = members.get("entries").ok_or(Unreadable::Damaged)?;
            if archived < head.first || sequence < archived {
                return Err(Unreadable::Damaged);
            }
            let newest = match newest(entries) {
                Some(json) => Entry::from_json(json, Place::History).ok_or(Unreadable::Damaged)?,
                None => head.creation.clone(),
            };
            let envelope = Envelope {
                sequence,
                head,
                newest,
                archived,
                earned: earned.ok_or(Unreadable::Damaged)?,
                entries: entries.to_owned(),
                record: record.to_owned(),
            };
            (Self::Live(envelope), 8)
        } else {
            let deleted = number(&members, "deleted")?;
            let tombstone = Tombstone {
                sequence,
                head,
                deleted,
            };
            (Self::Erased(tombstone), 5)
        };
        // An unknown member would be lost at the next change.
        if members.len() == expected + optional {
            Ok(stored)
        } else {
            Err(Unreadable::Damaged)
        }
    }
}

/// The last of the stored entries in a JSON array, if there is one. Most requests need no other.
fn newest(entries: &str) -> Option<&str> {
    // This text cannot occur in a string, in which JSON escapes quotation marks.
    let start = entries.rfind(r#"{"time":"#)?;
    entries[start..].strip_suffix(']')
}
