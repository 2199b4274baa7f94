//! The stores that the servers start with, and what they hold afterwards.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use rusqlite::{Connection, OpenFlags, params};
use tempfile::TempDir;
use users::envelope::Envelope;
use users::operation::Operation;
use users::tier::Tier;
use users::user::User;

use crate::plan::{Contender, LARGE, Load, MILLION, Subject, THOUSAND, UNPROMOTED};

/// The name of the file in a state directory.
pub(crate) const FILE: &str = "sqlite_key_value.db";

/// The prepared stores, in a folder.
pub(crate) struct Prepared(PathBuf);

impl Prepared {
    /// Fills the stores, on the disk that `folder` is on.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        let prepared = Self(folder.to_owned());
        fill(&folder.join("thousand"), THOUSAND, true)?;
        fill(&folder.join("unpromoted"), UNPROMOTED, false)?;
        let mut seed = std::io::BufWriter::new(File::create(prepared.seed())?);
        for number in 0..THOUSAND {
            writeln!(seed, "{}", promoted(&user(&name(number))?).to_json())?;
        }
        seed.flush()?;
        let [first, second] = LARGE.map(|subject| prepared.large(subject));
        fs::create_dir(&first)?;
        fs::create_dir(&second)?;
        fill(&first.join(FILE), MILLION, true)?;
        copy(&first.join(FILE), &second.join(FILE))?;
        Ok(prepared)
    }

    /// The users of the usual store as the seed reads them, a line of JSON each.
    pub(crate) fn seed(&self) -> PathBuf {
        self.0.join("users.jsonl")
    }

    /// The state directory with the large store. It is the same one for each start: a copy would take longer than the
    /// measurement.
    fn large(&self, subject: Subject) -> PathBuf {
        self.0.join(format!("large-{subject:?}"))
    }

    /// Gives a contender a state directory. It lasts as long as the second value.
    pub(crate) fn state(&self, contender: Contender) -> Result<(PathBuf, Option<TempDir>)> {
        let name = match contender.users {
            MILLION => return Ok((self.large(contender.subject), None)),
            UNPROMOTED => "unpromoted",
            _ => "thousand",
        };
        let state = tempfile::tempdir_in(&self.0)?;
        copy(&self.0.join(name), &state.path().join(FILE))?;
        Ok((state.path().to_owned(), Some(state)))
    }
}

/// Copies a file to the disk itself, so that nothing of it is left to be written during a measurement.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot write {}", to.display()))?;
    Ok(File::open(to)?.sync_all()?)
}

fn name(number: u32) -> String {
    format!("user{number:06}")
}

fn user(name: &str) -> Result<User> {
    let record = format!(r#"{{"username":"{name}","email":"{name}@example.com","points":60}}"#);
    User::from_client(record.as_bytes()).map_err(|error| anyhow::anyhow!("{record}: {error:?}"))
}

fn promoted(user: &User) -> User {
    user.clone().with_status(Tier::Silver)
}

fn operation(number: u32) -> Result<Operation> {
    // Decimal digits are hexadecimal ones as well, so the entity tag is known from the name.
    let id = format!("{number:012}");
    id.parse().map_err(|_| anyhow::anyhow!("{id} is no operation"))
}

/// Makes a database of Spin's schema with so many users, and one more, `hot`, that has a long history already.
fn fill(path: &Path, users: u32, are_promoted: bool) -> Result<()> {
    let now = SystemTime::now();
    let mut database = Connection::open(path)?;
    // As the hosts find it; until then nothing needs to be safe.
    database.pragma_update(None, "journal_mode", "off")?;
    database.pragma_update(None, "synchronous", "off")?;
    let transaction = database.transaction()?;
    transaction.execute(
        "CREATE TABLE spin_key_value (\
             store TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (store, key))",
        [],
    )?;
    {
        let mut insert = transaction.prepare("INSERT INTO spin_key_value VALUES ('default', ?1, ?2)")?;
        let mut hot = Envelope::new(&user("hot")?, operation(0)?, now);
        for number in 1..=140 {
            hot = hot
                .changed_to(&promoted(&user("hot")?), &operation(number)?, now)
                .0;
        }
        insert.execute(params!["user/hot", hot.to_bytes()])?;
        for number in 0..users {
            let name = name(number);
            let user = user(&name)?;
            let mut envelope = Envelope::new(&user, operation(number)?, now);
            if are_promoted {
                envelope = envelope.changed_to(&promoted(&user), &operation(number)?, now).0;
            }
            insert.execute(params![format!("user/{name}"), envelope.to_bytes()])?;
        }
    }
    transaction.commit()?;
    database.pragma_update(None, "journal_mode", "wal")?;
    database.close().map_err(|(_, error)| error)?;
    Ok(File::open(path)?.sync_all()?)
}

/// A number in the store that grows by one with each request of a load, if there is one.
pub(crate) fn count(state: &Path, load: Load, subject: Subject) -> Result<Option<u64>> {
    let is_floor = matches!(subject, Subject::Floor | Subject::OneSet);
    let sql = match load {
        _ if subject == Subject::Seed => return Ok(None),
        Load::Create => "SELECT count(*) FROM spin_key_value WHERE key >= 'user/new' AND key < 'user/nex'",
        _ if is_floor => return Ok(None),
        Load::AwardHot | Load::AwardSpread => {
            "SELECT sum(CAST(value AS TEXT) ->> '$.record.points') FROM spin_key_value WHERE key LIKE 'user/%'"
        }
        Load::PromoteChange => {
            "SELECT count(CAST(value AS TEXT) ->> '$.record.status') FROM spin_key_value \
             WHERE key LIKE 'user/user%'"
        }
        _ => return Ok(None),
    };
    let database = Connection::open_with_flags(state.join(FILE), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let number: i64 = database.query_row(sql, [], |row| row.get(0))?;
    Ok(Some(number.try_into()?))
}

/// Checks that the store holds what the answers said: each answered request changed it once. Those that were under
/// way when a measurement ended, one for each connection at most, may have as well.
pub(crate) fn check(before: Option<u64>, after: Option<u64>, answered: u64, under_way: u64) -> Result<()> {
    let (Some(before), Some(after)) = (before, after) else {
        return Ok(());
    };
    let changes = after.saturating_sub(before);
    ensure!(
        (answered..=answered + under_way).contains(&changes),
        "{answered} requests were answered, and the store changed {changes} times"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stores_hold_what_the_loads_ask_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        for (are_promoted, revision) in [(true, "2-000000000007"), (false, "1-000000000007")] {
            let _ = fs::remove_file(&path);
            fill(&path, 10, are_promoted).unwrap();
            let database = Connection::open(&path).unwrap();
            let value: Vec<u8> = database
                .query_row(
                    "SELECT value FROM spin_key_value WHERE key = 'user/user000007'",
                    [],
                    |row| row.get(0),
                )
                .unwrap();
            let envelope = Envelope::from_bytes(&value).unwrap();
            assert_eq!(envelope.revision(), revision);
            let with_status = count(folder.path(), Load::PromoteChange, Subject::Functions).unwrap();
            assert_eq!(with_status, Some(if are_promoted { 10 } else { 0 }));
            let points = count(folder.path(), Load::AwardHot, Subject::Native).unwrap();
            assert_eq!(points, Some(11 * 60));
            assert_eq!(
                count(folder.path(), Load::Create, Subject::Floor).unwrap(),
                Some(0)
            );
            let mode: String = database
                .pragma_query_value(None, "journal_mode", |row| row.get(0))
                .unwrap();
            assert_eq!(mode, "wal");
        }
    }

    #[test]
    fn what_was_answered_has_to_be_stored() {
        assert!(check(Some(5), Some(15), 10, 3).is_ok());
        assert!(check(Some(5), Some(18), 10, 3).is_ok());
        assert!(check(Some(5), Some(14), 10, 3).is_err());
        assert!(check(Some(5), Some(19), 10, 3).is_err());
        assert!(check(None, None, 10, 3).is_ok());
    }
}
