//! The table of Spin's key-value store, read and written directly.

use std::time::SystemTime;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Transaction, params};
use users::domain::user::User;
use users::domain::username::Username;
use users::storage::envelope::{Envelope, Stored};
use users::storage::operation::Operation;
use users::storage::{Draft, Entry, keys, page_entries};

use crate::answer::{Fault, damaged};

/// The records, as a connection sees them.
pub(crate) struct Records(Connection);

impl Records {
    pub(crate) fn new(connection: Connection) -> Self {
        Self(connection)
    }

    /// The statement `sql`, which is compiled once for each connection.
    pub(crate) fn prepare(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.0.prepare_cached(sql)
    }

    /// Runs a statement that has no parameters and returns nothing.
    pub(crate) fn run(&self, sql: &str) -> rusqlite::Result<()> {
        self.prepare(sql)?.execute([]).map(drop)
    }

    /// Until what this returns is dropped, all reads show the state of one moment.
    pub(crate) fn snapshot(&self) -> rusqlite::Result<Transaction<'_>> {
        self.0.unchecked_transaction()
    }

    /// The value of `key`.
    pub(crate) fn get(&self, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
        self.prepare("SELECT value FROM spin_key_value WHERE store = 'default' AND key = ?1")?
            .query_row([key], |row| row.get(0))
            .optional()
    }

    /// Gives `key` a value unless it has one. Returns whether it had none.
    pub(crate) fn insert(&self, key: &str, value: &[u8]) -> rusqlite::Result<bool> {
        let mut insert = self.prepare(
            "INSERT INTO spin_key_value (store, key, value) VALUES ('default', ?1, ?2) ON CONFLICT DO NOTHING",
        )?;
        Ok(insert.execute(params![key, value])? == 1)
    }

    /// Gives `key`, which has a value, another one.
    pub(crate) fn update(&self, key: &str, value: &[u8]) -> rusqlite::Result<()> {
        self.prepare("UPDATE spin_key_value SET value = ?2 WHERE store = 'default' AND key = ?1")?
            .execute(params![key, value])
            .map(drop)
    }

    /// Deletes `key`, whether it has a value or not.
    pub(crate) fn delete(&self, key: &str) -> rusqlite::Result<()> {
        self.prepare("DELETE FROM spin_key_value WHERE store = 'default' AND key = ?1")?
            .execute([key])
            .map(drop)
    }

    /// The user called `username`, or what is left of an erased one.
    pub(crate) fn stored(&self, username: &Username) -> Result<Option<Stored>, Fault> {
        let value = self.get(&keys::user(username))?;
        Ok(value.map(|value| Stored::from_bytes(&value)).transpose()?)
    }

    /// The user called `username`.
    pub(crate) fn user(&self, username: &Username) -> Result<Envelope, Fault> {
        match self.stored(username)? {
            Some(Stored::Live(envelope)) => Ok(envelope),
            Some(Stored::Erased(_)) | None => Err(Fault::NotFound),
        }
    }

    /// The entries that are stored together with the one numbered `sequence`, which exists, after the sequence number of
    /// the first of them.
    pub(crate) fn entries_with(
        &self,
        sequence: u64,
        username: &Username,
        envelope: &Envelope,
    ) -> Result<(u64, Vec<Entry>), Fault> {
        if sequence == envelope.first() {
            Ok((sequence, vec![envelope.creation().clone()]))
        } else if sequence > envelope.archived() {
            Ok((envelope.archived() + 1, envelope.entries()?))
        } else {
            let first = envelope.page_of(sequence);
            let page = self.get(&keys::page(username, first))?.ok_or_else(damaged)?;
            Ok((first, page_entries(&page)?))
        }
    }

    /// Writes the envelope after one more operation, and to a page the entries that it has no more room for.
    pub(crate) fn change(
        &self,
        username: &Username,
        envelope: &Envelope,
        draft: Draft,
    ) -> Result<Envelope, Fault> {
        if envelope.is_full() {
            for (key, value) in envelope.archive(username)? {
                self.insert(&key, &value)?;
            }
        }
        let changed = envelope.changed_to(draft, &operation(), None, SystemTime::now().into());
        self.update(&keys::user(username), &changed.to_bytes())?;
        Ok(changed)
    }
}

/// An operation that no other request shares.
pub(crate) fn operation() -> Operation {
    Operation::fresh(fastrand::u64(..))
}

/// The record in an envelope.
pub(crate) fn user_of(envelope: &Envelope) -> Result<User, Fault> {
    User::from_stored(envelope.record()).map_err(|_| damaged())
}
