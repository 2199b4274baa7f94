//! The world around the clients, and whether what they write follows from what stood before.

use crate::backends::{Contents, Session, Stored};
use crate::client::Point;
use crate::program::Outcome;
use crate::rule::Rule;
use crate::text::{Entry, Form, Head, Record, Text, id};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    Running(Point, Session),
    Crashed,
    Ended(Outcome),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) clients: Vec<Client>,
    pub(crate) store: Contents,
    /// An index into [`crate::protocol::Protocol::instants`].
    pub(crate) clock: usize,
    /// How many of the clients that are alike have made their first increment or swap.
    pub(crate) begun: usize,
    pub(crate) crashes: usize,
    pub(crate) failures: usize,
    /// Every change of a user that was written, in order.
    pub(crate) applied: Vec<Applied>,
    /// What the receiver of events knows of: keys of users and sequence numbers.
    pub(crate) delivered: BTreeSet<(Text, u64)>,
    /// Whether it was sent something again.
    pub(crate) is_repeated: bool,
    /// By which the functions promote.
    pub(crate) rule: Rule,
    /// Why a value that was written cannot follow from the one that stood before it, or an event was not due.
    pub(crate) lost: Option<&'static str>,
}

/// A change of a user that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Applied {
    /// The key of the user.
    pub(crate) user: Text,
    /// The sequence number of its creation.
    pub(crate) first: u64,
    pub(crate) operation: Text,
    pub(crate) change: Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Change {
    Created,
    Changed { reverses: Option<u64> },
    Erased,
}

type Follows = Result<Option<Applied>, &'static str>;

impl World {
    /// The store and the receiver, and nobody else.
    pub(crate) fn alone(&self) -> Self {
        Self {
            clients: Vec::new(),
            ..self.clone()
        }
    }

    /// What a key holds, if it is no counter.
    pub(crate) fn value(&self, key: Text) -> Option<Text> {
        match self.store.get(&key) {
            Some(Stored::Value(value)) => Some(*value),
            _ => None,
        }
    }

    /// The record of the user that `key` is the key of, if there is one.
    pub(crate) fn standing(&self, key: Text) -> Option<&'static Record> {
        match self.value(key).map(Text::form) {
            Some(Form::Live(record)) => Some(record),
            _ => None,
        }
    }

    /// Notes what a write does to users, and whether it may.
    pub(crate) fn follow(&mut self, key: Text, old: Option<Text>, new: Text) {
        let follows = match key.as_str().split(':').next() {
            Some("user") => self.user_follows(key, old.map(Text::form), new.form()),
            Some("creation") => binding_follows(old, new),
            Some("published") => self.mark_follows(key, new).map(|()| None),
            Some("directory") => self.node_follows(key, old.map(Text::form), new.form()),
            Some("page") if old.is_some_and(|old| old != new) => Err("a page was changed"),
            _ => Ok(None),
        };
        match follows {
            Ok(applied) => {
                if let Some(applied) = applied {
                    let is_own =
                        |earlier: &Applied| id(earlier.operation.as_str()) == id(applied.operation.as_str());
                    if self.applied.iter().any(is_own) {
                        self.lost = Some("an operation was applied twice");
                    }
                    self.applied.push(applied);
                }
            }
            Err(why) => self.lost = Some(why),
        }
    }

    fn user_follows(&self, user: Text, old: Option<&Form>, new: &Form) -> Follows {
        let applied = |first, entry: &Entry, change| {
            Ok(Some(Applied {
                user,
                first,
                operation: Text::new(entry.operation.as_bytes()),
                change,
            }))
        };
        match (old, new) {
            (None | Some(Form::Erased(_)), Form::Live(new)) => {
                let (last, erasure, remains) = match old {
                    Some(Form::Erased(old)) => (old.sequence, old.erasure.clone(), old.remains.clone()),
                    _ => (0, None, serde_json::Value::Null),
                };
                let creation = new.head.creation.clone();
                let points = creation.points.unwrap_or(0);
                let expected = Record {
                    head: Head {
                        sequence: last + 1,
                        first: last + 1,
                        creation: creation.clone(),
                        erasure,
                        remains,
                    },
                    archived: last + 1,
                    earned: points,
                    entries: Vec::new(),
                    points,
                    status: creation.status.clone(),
                    others: new.others.clone(),
                };
                if *new != expected {
                    return Err("a user does not begin anew");
                }
                self.status_follows(new)?;
                applied(new.head.first, &creation, Change::Created)
            }
            (Some(Form::Live(old)), Form::Live(new)) if new.head.sequence == old.head.sequence => {
                let mut cleaned = old.clone();
                cleaned.head.remains = serde_json::Value::Null;
                if *new != cleaned {
                    return Err("a user was overwritten");
                }
                Ok(None)
            }
            (Some(Form::Live(old)), Form::Live(new)) => {
                let entry = new.entries.last().ok_or("a change has no entry")?;
                let reverses = entry.reverses;
                self.change_follows(user, old, new, entry)?;
                applied(new.head.first, entry, Change::Changed { reverses })
            }
            (Some(Form::Live(old)), Form::Erased(new)) => {
                let old = &old.head;
                let follows = (new.sequence, new.first) == (old.sequence + 1, old.first)
                    && new.creation.operation == old.creation.operation;
                // Of the creation it keeps nothing else.
                if !follows || new.creation.points.is_some() {
                    return Err("a tombstone does not follow from its user");
                }
                let entry = new.erasure.as_ref().ok_or("an erasure has no entry")?;
                applied(new.first, entry, Change::Erased)
            }
            (Some(Form::Erased(old)), Form::Erased(new)) => {
                let mut noted = new.clone();
                noted.remains = old.remains.clone();
                if noted != *old {
                    return Err("a tombstone was overwritten");
                }
                Ok(None)
            }
            _ => Err("something else than a user was written"),
        }
    }

    /// Whether `entry` makes `new` of `old`, and whatever `new` forgets is archived.
    fn change_follows(
        &self,
        user: Text,
        old: &Record,
        new: &Record,
        entry: &Entry,
    ) -> Result<(), &'static str> {
        let head = Head {
            sequence: old.head.sequence + 1,
            ..old.head.clone()
        };
        if new.head != head {
            return Err("a user was overwritten");
        }
        let mut entries = old.entries.clone();
        if new.archived > old.archived {
            let archived = entries
                .drain(..usize::try_from(new.archived - old.archived).unwrap())
                .collect();
            self.is_archived(user, old.archived + 1, &archived)?;
        }
        entries.push(entry.clone());
        if new.entries != entries {
            return Err("a change was lost");
        }
        let points = entry.points.unwrap_or(0);
        let earned = match entry.reverses {
            None => points.max(0),
            Some(_) => points.min(0),
        };
        let status = entry.status.clone().or_else(|| old.status.clone());
        if (new.points, new.earned, &new.status) != (old.points + points, old.earned + earned, &status)
            || entry.balance.is_some_and(|balance| balance != new.points)
        {
            return Err("a record is not the sum of its changes");
        }
        if new.others != old.others && !entry.is_update {
            return Err("a member changed by itself");
        }
        if entry.points.is_some() {
            self.status_follows(new)?;
        } else if entry.status.is_some()
            && entry.status.as_deref() != Some(self.rule.status(old.points, old.earned))
        {
            return Err("a promotion gave another status than the points earn");
        }
        if let Some(reversed) = entry.reverses {
            let is_same = |applied: &Applied| {
                let change = Change::Changed {
                    reverses: entry.reverses,
                };
                (applied.user, applied.first, applied.change) == (user, old.head.first, change)
            };
            if self.applied.iter().any(is_same) {
                return Err("a change was reversed twice");
            }
            let found = self.entry(user, old, reversed).ok_or("no change was reversed")?;
            if found.points != Some(-points) || found.reverses.is_some() {
                return Err("another change was reversed");
            }
        }
        Ok(())
    }

    /// Whether a record has the status that its points earn, where every change of points sets it.
    fn status_follows(&self, new: &Record) -> Result<(), &'static str> {
        let status = self.rule.status(new.points, new.earned);
        if self.rule.is_automatic() && new.status.as_deref() != Some(status) {
            return Err("a change left another status than the points earn");
        }
        Ok(())
    }

    /// Whether the entries from the sequence number `first` on are in their page, and found by their notes.
    fn is_archived(&self, user: Text, first: u64, entries: &Vec<Entry>) -> Result<(), &'static str> {
        let name = user.as_str().trim_start_matches("user:");
        match self
            .value(Text::new(format!("page:{name}:{first}").as_bytes()))
            .map(Text::form)
        {
            Some(Form::Page(page)) if page == entries => {}
            _ => return Err("a change was forgotten"),
        }
        for (sequence, entry) in (first..).zip(entries) {
            let has_note = |key: String, value: &str| {
                let found = self.value(Text::new(key.as_bytes()));
                found.is_some_and(|found| found.as_str() == value)
            };
            if let Some((id, fingerprint)) = entry.operation.split_once(':')
                && !has_note(format!("operation:{id}"), fingerprint)
            {
                return Err("an operation was forgotten");
            }
            if let Some(reversed) = entry.reverses
                && !has_note(format!("reversal:{name}:{reversed}"), &sequence.to_string())
            {
                return Err("a reversal was forgotten");
            }
        }
        Ok(())
    }

    /// The entry of a user with the sequence number `sequence`.
    fn entry(&self, user: Text, record: &Record, sequence: u64) -> Option<Entry> {
        let name = user.as_str().trim_start_matches("user:");
        let index = |first: u64| usize::try_from(sequence.checked_sub(first)?).ok();
        if sequence > record.archived {
            return record.entries.get(index(record.archived + 1)?).cloned();
        }
        let first = sequence - sequence.checked_sub(record.head.first + 1)? % 24;
        match self
            .value(Text::new(format!("page:{name}:{first}").as_bytes()))?
            .form()
        {
            Form::Page(page) => page.get(index(first)?).cloned(),
            _ => None,
        }
    }

    fn node_follows(&self, key: Text, old: Option<&Form>, new: &Form) -> Follows {
        let is_kept = match (old, new) {
            (None, Form::Leaf(_)) => true,
            (Some(Form::Leaf(old)), Form::Leaf(new)) => old.iter().all(|name| new.contains(name)),
            (Some(Form::Leaf(old)), Form::Split(nonce)) => {
                let prefix = key.as_str().split(':').nth(1).unwrap_or_default();
                old.iter().all(|name| {
                    let digits = &hash_of(name)[..=prefix.len()];
                    let child = Text::new(format!("directory:{digits}:{nonce}").as_bytes());
                    let child = self.value(child).map(Text::form);
                    matches!(child, Some(Form::Leaf(names)) if names.contains(name))
                })
            }
            _ => false,
        };
        if is_kept { Ok(None) } else { Err("a name was lost") }
    }
}

fn binding_follows(old: Option<Text>, new: Text) -> Follows {
    let is_same = old.is_none_or(|old| {
        let marked = new.as_str().strip_prefix("erased:");
        new == old || marked == Some(old.as_str())
    });
    if is_same {
        Ok(None)
    } else {
        Err("a key was bound again")
    }
}

/// The hash by which a name stands in the directory.
pub(crate) fn hash_of(name: &str) -> String {
    format!("{:x}", Sha256::digest(name))[..32].to_owned()
}
