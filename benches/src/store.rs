//! The stores that the servers start with, and what they hold afterwards.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use rusqlite::Connection;
use serde::Deserialize;
use tempfile::TempDir;

use crate::redis_server::RedisServer;
use crate::stock;
use crate::subject::{Backend, Contender, Program, Stock, Subject};

/// The name of the file in a state directory.
pub(crate) const FILE: &str = "sqlite_key_value.db";

/// The prepared stores.
pub(crate) struct Prepared {
    /// Holds a folder for each stock.
    folder: PathBuf,
    /// `deploy/redis.toml`.
    runtime_config: String,
    /// The million users, which nobody changes, so all hosts share them.
    million: Rc<RedisServer>,
}

/// The state of one server.
pub(crate) struct State {
    /// The state directory.
    pub(crate) folder: PathBuf,
    /// The runtime configuration, where the store is on Redis.
    pub(crate) runtime_config: Option<PathBuf>,
    redis: Option<Rc<RedisServer>>,
    // Last, so that what is in it is closed before.
    _own: TempDir,
}

impl Prepared {
    /// Fills the stores, on the disk that `folder` is on.
    pub(crate) fn new(root: &Path, folder: &Path) -> Result<Self> {
        let fill = |stock| {
            let path = file(folder, stock);
            fs::create_dir(path.with_file_name(""))?;
            stock::fill(&path, stock, stock.users())
        };
        let copy_of_million = || {
            let (from, to) = (file(folder, Stock::Million), million_of_native(folder));
            fs::create_dir(to.with_file_name(""))?;
            copy(&from, &to)
        };
        thread::scope(|scope| {
            let million = scope.spawn(|| fill(Stock::Million).and_then(|()| copy_of_million()));
            [Stock::Thousand, Stock::Fresh, Stock::Long]
                .into_iter()
                .try_for_each(fill)?;
            let panicked = |_| anyhow!("filling the store of a million users panicked");
            million.join().map_err(panicked)?
        })?;
        stock::write_seed(&seed(folder))?;
        let redis = folder.join("redis-million");
        fs::create_dir(&redis)?;
        Ok(Self {
            folder: folder.to_owned(),
            runtime_config: fs::read_to_string(root.join("deploy/redis.toml"))
                .context("cannot read deploy/redis.toml")?,
            million: Rc::new(RedisServer::start(&redis, &file(folder, Stock::Million))?),
        })
    }

    /// The users of the usual store as the seed reads them.
    pub(crate) fn seed(&self) -> PathBuf {
        seed(&self.folder)
    }

    /// Gives a contender a state of its own.
    pub(crate) fn state(&self, contender: Contender) -> Result<State> {
        let own = tempfile::tempdir_in(&self.folder)?;
        let from = file(&self.folder, contender.stock);
        let is_large = contender.stock == Stock::Million;
        let mut state = State {
            folder: own.path().to_owned(),
            runtime_config: None,
            redis: None,
            _own: own,
        };
        let backend = match contender.subject {
            Subject::Components(platform, _) => platform.backend,
            Subject::Native | Subject::Seed => Backend::Sqlite,
        };
        match backend {
            Backend::Sqlite if is_large && contender.subject == Subject::Native => {
                state.folder = million_of_native(&self.folder).with_file_name("");
            }
            Backend::Sqlite if is_large => state.folder = from.with_file_name(""),
            Backend::Sqlite => copy(&from, &state.folder.join(FILE))?,
            Backend::Redis => {
                let redis = if is_large {
                    Rc::clone(&self.million)
                } else {
                    Rc::new(RedisServer::start(&state.folder, &from)?)
                };
                let path = state.folder.join("runtime-config.toml");
                fs::write(&path, self.runtime_config.replace("$REDIS_URL", redis.url()))?;
                state.runtime_config = Some(path);
                state.redis = Some(redis);
            }
        }
        Ok(state)
    }
}

fn file(folder: &Path, stock: Stock) -> PathBuf {
    folder.join(format!("{stock:?}")).join(FILE)
}

/// The million users once more: the native server adds a table to its database, which the hosts are not to meet.
fn million_of_native(folder: &Path) -> PathBuf {
    folder.join("Million-native").join(FILE)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot write {}", to.display()))?;
    // Nothing of it is to be left to be written during a measurement.
    Ok(File::open(to)?.sync_all()?)
}

fn seed(folder: &Path) -> PathBuf {
    folder.join("users.jsonl")
}

impl State {
    /// The sequence numbers of all users added up, which each write raises by one; `None` where the subject has none.
    pub(crate) fn changes(&self, subject: Subject) -> Result<Option<u64>> {
        if matches!(subject, Subject::Seed | Subject::Components(_, Program::Floor)) {
            return Ok(None);
        }
        let users = match &self.redis {
            Some(redis) => redis.users()?,
            None => users(&self.folder.join(FILE))?,
        };
        let sequences = users.iter().map(|value| Ok(sequence(value)?));
        sequences.sum::<Result<_>>().map(Some)
    }
}

/// The values of all users in a database.
fn users(path: &Path) -> Result<Vec<Vec<u8>>> {
    let database = Connection::open(path)?;
    let select = "SELECT value FROM spin_key_value WHERE key >= 'user:' AND key < 'user;'";
    let mut select = database.prepare(select)?;
    let values = select.query_map([], |row| row.get(0))?;
    Ok(values.collect::<rusqlite::Result<_>>()?)
}

/// The sequence number of a user or of what is left of one.
fn sequence(value: &[u8]) -> serde_json::Result<u64> {
    #[derive(Deserialize)]
    struct Stored {
        sequence: u64,
    }

    let stored: Stored = serde_json::from_slice(value)?;
    Ok(stored.sequence)
}

/// Checks that each answered request changed the store once. The requests in doubt, which were in progress when a
/// measurement ended or were answered 503, may have changed it too.
pub(crate) fn check(before: Option<u64>, after: Option<u64>, answered: u64, in_doubt: u64) -> Result<()> {
    let (Some(before), Some(after)) = (before, after) else {
        return Ok(());
    };
    let changes = after.saturating_sub(before);
    ensure!(
        (answered..=answered + in_doubt).contains(&changes),
        "{answered} requests were answered, {in_doubt} are in doubt, and the store changed {changes} times"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_write_raises_the_sum_of_the_sequence_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        stock::fill(&path, Stock::Thousand, 10).unwrap();
        let values = users(&path).unwrap();
        let sum: u64 = values.iter().map(|value| sequence(value).unwrap()).sum();
        // A creation and a promotion each, and the user with the long history.
        assert_eq!(sum, 2 * 10 + 150);
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
