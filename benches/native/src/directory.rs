//! Every name that a user was ever created under, in the order of the functions' directory: that of the names' hashes.
//!
//! The functions keep this order in a trie of leaves, since a key-value store has no order of its own. Here a table with
//! an index keeps it. Both keep the names of erased users, which count as looked at, so pages end at the same names.

use anyhow::{Context, Result};
use rusqlite::{Connection, TransactionBehavior};
use users::api::query::UsersQuery;
use users::domain::username::Username;
use users::storage::envelope::Stored;
use users::storage::{Cursor, ListPage, keys};

use crate::answer::Fault;
use crate::records::Records;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS native_directory (hash TEXT PRIMARY KEY, key TEXT NOT NULL) \
                     WITHOUT ROWID";
const INSERT: &str = "INSERT INTO native_directory (hash, key) VALUES (?1, ?2)";
/// Whether a row of the functions' table is a user, or what is left of one.
const IS_USER: &str = "store = 'default' AND key >= 'user:' AND key < 'user;'";

/// The maximum number of names that one page looks at, as in `list-users`.
const NAMES: usize = 500;
/// The maximum total size of the records in one page, as in `list-users`.
const BYTES: usize = 1024 * 1024;

/// Creates the table if needed, and fills it unless it has the names of all users that are stored.
pub(crate) fn open(connection: &mut Connection) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute(TABLE, [])?;
    // No name is ever removed from either table, so equal numbers are of the same names.
    let is_complete = format!(
        "SELECT (SELECT count(*) FROM native_directory) = (SELECT count(*) FROM spin_key_value WHERE {IS_USER})"
    );
    if !transaction.query_row(&is_complete, [], |row| row.get(0))? {
        fill(&transaction)?;
    }
    Ok(transaction.commit()?)
}

fn fill(connection: &Connection) -> Result<()> {
    let mut select = connection.prepare(&format!("SELECT key FROM spin_key_value WHERE {IS_USER}"))?;
    let mut rows = select
        .query_map([], |row| row.get(0))?
        .map(|key| {
            let key: String = key?;
            let name = key.strip_prefix("user:").and_then(|name| name.parse().ok());
            let username = name.with_context(|| format!("{key} is not the key of a user"))?;
            Ok((hash_of(&username), key))
        })
        .collect::<Result<Vec<_>>>()?;
    // In the order of the table, so that each row is added at its end.
    rows.sort_unstable();
    connection.execute("DELETE FROM native_directory", [])?;
    let mut insert = connection.prepare(INSERT)?;
    for (hash, key) in rows {
        insert.execute([hash, key])?;
    }
    Ok(())
}

/// Adds the name of a user who is the first of that name.
pub(crate) fn add(records: &Records, username: &Username) -> rusqlite::Result<()> {
    records
        .prepare(INSERT)?
        .execute([hash_of(username), keys::user(username)])
        .map(drop)
}

/// The page of users that `query` asks for.
pub(crate) fn list(records: &Records, query: &UsersQuery<'_>) -> Result<ListPage<String>, Fault> {
    // In a cross join `SQLite` goes through the tables as they are named.
    let mut select = records.prepare(
        "SELECT hash, value FROM native_directory CROSS JOIN spin_key_value USING (key) \
         WHERE store = 'default' AND hash > ?1 ORDER BY hash",
    )?;
    // Before all names there is the empty text.
    let mut position = query.after.as_ref().map(Cursor::to_string).unwrap_or_default();
    let mut rows = select.query([&position])?;
    let mut users = Vec::new();
    let (mut names_left, mut bytes_left) = (NAMES, BYTES);
    while let Some(row) = rows.next()? {
        let value: Vec<u8> = row.get("value")?;
        let record = match Stored::from_bytes(&value)? {
            Stored::Live(user) if query.chooses(user.record()) => Some(user.record().to_owned()),
            Stored::Live(_) | Stored::Erased(_) => None,
        };
        let size = record.as_ref().map_or(0, String::len);
        if names_left == 0 || users.len() == query.limit.get() || size > bytes_left {
            let next = position.parse().ok();
            return Ok(ListPage { users, next });
        }
        names_left -= 1;
        bytes_left -= size;
        users.extend(record);
        position = row.get("hash")?;
    }
    Ok(ListPage { users, next: None })
}

/// What the table is ordered by: the cursor after a name.
fn hash_of(username: &Username) -> String {
    Cursor::after(username).to_string()
}
