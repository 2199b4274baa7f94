//! What the stores hold at the start: users made by the functions' own protocol, in files of Spin's schema.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use rusqlite::{Connection, params};
use users::domain::points_request::PointsRequest;
use users::domain::tier::{Promotion, Tier};
use users::domain::user::User;
use users::storage::operation::{Identity, Operation};
use users::storage::{CreateOutcome, UpdateOutcome, UserStore};

use crate::memory::{self, Memory};
use crate::subject::Stock;

/// How many changes the user `hot` has behind it, its creation among them.
const FEW: u32 = 150;
/// How many the user `long` has.
const MANY: u32 = 100_000;

/// A store that is being filled.
struct Filling<'a> {
    memory: &'a Memory,
    users: UserStore<&'a Memory>,
}

impl Filling<'_> {
    /// Creates a user. `number` determines the operation's id, and so the entity tag.
    fn create(&self, name: &str, number: u32) -> Result<User> {
        // A minute later all reservations have expired, so the leaves are as they are most of the time.
        self.memory.pass(Duration::from_secs(61));
        self.memory.set_random(random(number)?);
        let user = user(name)?;
        let operation = Operation::fresh(random(number)?);
        let created = finish(self.users.create(&user, &operation, &Promotion::STANDARD))??;
        ensure!(
            matches!(created, CreateOutcome::Created { .. }),
            "{name}: {created:?}"
        );
        Ok(user)
    }

    fn promote(&self, user: &User) -> Result<()> {
        let allow = |_: &_| Ok::<_, ()>(());
        let promoted = self.users.promote(user.username(), &Promotion::STANDARD, allow);
        let promoted = finish(promoted)??;
        ensure!(matches!(promoted, UpdateOutcome::Done(_)), "{promoted:?}");
        Ok(())
    }

    fn award(&self, user: &User, number: u32, points: i8) -> Result<()> {
        let request = format!(r#"{{"points":{points}}}"#);
        let request = PointsRequest::from_client(request.as_bytes());
        let request = request.map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let identity = Identity::Fresh(Operation::fresh(random(number)?));
        let allow = |_: &_| Ok::<_, ()>(());
        let changed =
            self.users
                .change_points(user.username(), &identity, &request, &Promotion::STANDARD, allow);
        let changed = finish(changed)??;
        ensure!(matches!(changed, UpdateOutcome::Done(_)), "{changed:?}");
        Ok(())
    }

    /// A user with a status and this number of changes.
    fn create_with(&self, name: &str, changes: u32) -> Result<()> {
        let user = self.create(name, 0)?;
        self.promote(&user)?;
        for number in 3..=changes {
            self.award(&user, number, if number % 2 == 0 { -1 } else { 1 })?;
        }
        Ok(())
    }

    fn fill(&self, stock: Stock, users: u32) -> Result<()> {
        self.create_with("hot", FEW)?;
        if stock == Stock::Long {
            self.create_with("long", MANY)?;
        }
        for number in 0..users {
            let user = self.create(&name(number), number)?;
            if stock == Stock::Fresh {
                self.award(&user, number, 1)?;
            } else {
                self.promote(&user)?;
            }
        }
        Ok(())
    }
}

/// Makes a database of Spin's schema with this stock, but for the number of its users.
pub(crate) fn fill(path: &Path, stock: Stock, users: u32) -> Result<()> {
    let memory = Memory::default();
    let filling = Filling {
        memory: &memory,
        users: UserStore::new(&memory),
    };
    filling.fill(stock, users)?;
    let mut database = Connection::open(path)?;
    // As the hosts find it; until then nothing needs to be safe.
    database.pragma_update(None, "journal_mode", "off")?;
    database.pragma_update(None, "synchronous", "off")?;
    let transaction = database.transaction()?;
    transaction.execute(include_str!("../../host/src/store/schema.sql"), [])?;
    {
        let mut insert = transaction.prepare("INSERT INTO spin_key_value VALUES ('default', ?1, ?2)")?;
        for (key, value) in memory.into_values() {
            insert.execute(params![key, value])?;
        }
    }
    transaction.commit()?;
    database.pragma_update(None, "journal_mode", "wal")?;
    database.close().map_err(|(_, error)| error)?;
    Ok(File::open(path)?.sync_all()?)
}

/// Writes the users of [`Stock::Thousand`] as the seed reads them, a line of JSON each.
pub(crate) fn write_seed(path: &Path) -> Result<()> {
    let mut seed = BufWriter::new(File::create(path)?);
    for number in 0..Stock::Thousand.users() {
        writeln!(
            seed,
            "{}",
            user(&name(number))?.with_status(Tier::Silver).to_json()
        )?;
    }
    Ok(seed.flush()?)
}

fn name(number: u32) -> String {
    format!("user{number:06}")
}

fn user(name: &str) -> Result<User> {
    let record = format!(r#"{{"username":"{name}","email":"{name}@example.com","points":60}}"#);
    User::from_client(record.as_bytes()).map_err(|error| anyhow::anyhow!("{record}: {error:?}"))
}

/// Returns the random bits that give an operation an id whose digits read as this number.
fn random(number: u32) -> Result<u64> {
    Ok(u64::from_str_radix(&number.to_string(), 16)?)
}

fn finish<T>(future: impl Future<Output = T>) -> Result<T> {
    memory::run(future).ok_or_else(|| anyhow::anyhow!("the store in memory keeps somebody waiting"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use users::storage::envelope::Envelope;
    use users::storage::keys;

    fn value(database: &Connection, key: &str) -> Vec<u8> {
        let select = "SELECT value FROM spin_key_value WHERE key = ?1";
        database.query_row(select, [key], |row| row.get(0)).unwrap()
    }

    #[test]
    fn the_stores_hold_what_the_loads_ask_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        for stock in [Stock::Thousand, Stock::Fresh] {
            let _ = fs::remove_file(&path);
            fill(&path, stock, 10).unwrap();
            let database = Connection::open(&path).unwrap();
            let username = "user000007".parse().unwrap();
            let envelope = Envelope::from_bytes(&value(&database, &keys::user(&username))).unwrap();
            assert_eq!(envelope.revision(), "2-000000000007");
            assert_eq!(envelope.record().contains("Silver"), stock == Stock::Thousand);
            let hot = "hot".parse().unwrap();
            let envelope = Envelope::from_bytes(&value(&database, &keys::user(&hot))).unwrap();
            assert_eq!(envelope.sequence(), u64::from(FEW));
            assert!(!value(&database, &keys::page(&hot, 26)).is_empty());
            let names: u32 = database
                .query_row(
                    "SELECT sum(json_array_length(CAST(value AS TEXT), '$.names')) FROM spin_key_value \
                     WHERE key LIKE 'directory:%'",
                    [],
                    |row| row.get(0),
                )
                .unwrap();
            assert_eq!(names, 11);
            let mode: String = database
                .pragma_query_value(None, "journal_mode", |row| row.get(0))
                .unwrap();
            assert_eq!(mode, "wal");
        }
    }
}
