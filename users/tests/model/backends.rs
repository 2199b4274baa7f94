//! The store, as weak as each of Spin's.

use crate::client::{Ask, Reply};
use crate::text::Text;
use crate::world::{Client, World};
use std::collections::BTreeMap;

/// What Spin can be configured to keep its keys and values in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `increment` is one transaction, which fails without effect where another process is faster. `swap` compares
    /// values; over a key that was absent it writes blindly.
    Sqlite,
    /// `swap` writes if nobody wrote since, and always answers that it failed. Any operation may fail done or undone.
    Redis,
    /// `increment` is several requests, and two may be told 1. `swap` is right, its failures done or undone.
    Azure,
    /// `increment` is a read and a conditional write, which fails without effect. `swap` is right, its failures done
    /// or undone.
    Dynamo,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Sqlite, Self::Redis, Self::Azure, Self::Dynamo];
}

/// What a key has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stored {
    Counter(i64),
    Value(Text),
}

pub(crate) type Contents = BTreeMap<Text, Stored>;

/// An operation that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// Azure: to be patched. After a conflict the answer is the delta, whatever the total.
    Patch { conflict: bool },
    /// Azure: to be created, as there was nothing to patch.
    Insert { conflict: bool },
    /// Azure: patched; the total is to be read.
    ReadTotal { conflict: bool },
    /// `DynamoDB`: read; to be written if it still is what was read.
    Write { read: Option<i64> },
    /// Redis, or any other after a swap that did not write: Spin begins another swap before it answers.
    Again,
}

/// What the store, or the connections to it, keep of a client between two of its operations. No program has more than two
/// compare-and-swaps at once, and no two of one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Session {
    swaps: [Option<Swap>; 2],
    pub(crate) step: Option<Step>,
}

/// A compare-and-swap that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Swap {
    key: Text,
    /// What the key had then.
    found: Option<Stored>,
    /// Whether anything was written to the key since. `SQLite` does not know.
    is_overtaken: bool,
}

impl Session {
    fn swap(&self, key: Text) -> Option<Swap> {
        self.swaps.into_iter().flatten().find(|swap| swap.key == key)
    }

    fn begin(&mut self, key: Text, store: &Contents) {
        self.end(key);
        let free = self.swaps.iter_mut().find(|swap| swap.is_none());
        *free.expect("no more than two compare-and-swaps") = Some(Swap {
            key,
            found: store.get(&key).copied(),
            is_overtaken: false,
        });
    }

    fn end(&mut self, key: Text) {
        self.retain(|other| other != key);
    }

    /// Forgets the compare-and-swaps of the other keys.
    pub(crate) fn retain(&mut self, is_kept: impl Fn(Text) -> bool) {
        for swap in &mut self.swaps {
            *swap = swap.filter(|swap| is_kept(swap.key));
        }
        self.swaps.sort_unstable_by_key(|swap| swap.map(|swap| swap.key));
    }

    /// Lets the compare-and-swaps know that somebody wrote the key.
    fn overtake(&mut self, written: Text) {
        for swap in self.swaps.iter_mut().flatten() {
            swap.is_overtaken |= swap.key == written;
        }
    }
}

/// How a step of a client goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum How {
    Well,
    FailsUndone,
    FailsDone,
}

impl World {
    /// Gives a key a value, by the hand of a client, and lets the others know as far as the backend does.
    fn write(&mut self, kind: Kind, key: Text, value: Text) {
        let old = match self.store.get(&key) {
            Some(Stored::Value(old)) => Some(*old),
            _ => None,
        };
        self.follow(key, old, value);
        self.store.insert(key, Stored::Value(value));
        if kind == Kind::Sqlite {
            return;
        }
        for client in &mut self.clients {
            if let Client::Running(_, session) = client {
                session.overtake(key);
            }
        }
    }

    /// Performs one step of the operation that a client waits for. Returns the reply once that is there.
    pub(crate) fn perform(
        &mut self,
        kind: Kind,
        ask: &Ask,
        how: How,
        now: u64,
        number: usize,
    ) -> Option<Reply> {
        let Client::Running(_, session) = &mut self.clients[number] else {
            return None;
        };
        let step = session.step.take();
        if how == How::FailsUndone {
            return Some(Reply::Failed);
        }
        let store = &mut self.store;
        let value = |stored: Option<&Stored>| match stored {
            Some(Stored::Value(value)) => Reply::Value(Some(*value)),
            Some(Stored::Counter(_)) => unreachable!("a counter is not read as a value"),
            None => Reply::Value(None),
        };
        let reply = match ask {
            Ask::Now => Reply::Time(now),
            Ask::Deliver(delivery) => {
                self.deliver(*delivery);
                Reply::Done
            }
            Ask::Get(key) => value(store.get(key)),
            Ask::Exists(key) => Reply::Flag(store.contains_key(key)),
            Ask::SetAll(values) => {
                // On Redis it is one command, on SQLite one transaction.
                let is_half = how == How::FailsDone && kind != Kind::Redis;
                let count = if is_half {
                    values.len().div_ceil(2)
                } else {
                    values.len()
                };
                for (key, value) in &values[..count] {
                    self.write(kind, *key, *value);
                }
                Reply::Done
            }
            Ask::DeleteAll(keys) => {
                for key in keys {
                    store.remove(key);
                }
                Reply::Done
            }
            Ask::NewCas(key) => {
                session.begin(*key, store);
                value(store.get(key))
            }
            Ask::Current(key) => {
                // A second WATCH on Redis does not undo what the first has seen.
                if kind != Kind::Redis || session.swap(*key).is_none() {
                    session.begin(*key, store);
                }
                value(store.get(key))
            }
            Ask::CompareAndSwap(key, _) if step == Some(Step::Again) => {
                session.begin(*key, store);
                Reply::Flag(false)
            }
            Ask::CompareAndSwap(key, value) => {
                let swap = session.swap(*key);
                session.end(*key);
                let writes = swap.is_some_and(|swap| match kind {
                    Kind::Sqlite => swap.found.is_none() || store.get(key) == swap.found.as_ref(),
                    Kind::Redis | Kind::Azure | Kind::Dynamo => !swap.is_overtaken,
                });
                let is_told = writes && kind != Kind::Redis;
                if !is_told && how == How::Well {
                    session.step = Some(Step::Again);
                }
                if writes {
                    self.write(kind, *key, *value);
                }
                if !is_told && how == How::Well {
                    return None;
                }
                Reply::Flag(true)
            }
            Ask::Increment(key) => match increment(kind, *key, step, store) {
                Ok(reply) => reply,
                Err(next) if how == How::Well => {
                    session.step = Some(next);
                    return None;
                }
                Err(_) => Reply::Failed,
            },
        };
        Some(if how == How::FailsDone {
            Reply::Failed
        } else {
            reply
        })
    }
}

/// Performs one step of an increment. Returns the reply, or which step comes next.
fn increment(kind: Kind, key: Text, step: Option<Step>, store: &mut Contents) -> Result<Reply, Step> {
    let count = store.get(&key).map(|stored| match stored {
        Stored::Counter(count) => *count,
        Stored::Value(_) => unreachable!("a value is not counted"),
    });
    match (kind, step) {
        (Kind::Azure, None) => increment(kind, key, Some(Step::Patch { conflict: false }), store),
        (_, Some(Step::Patch { conflict })) => match count {
            None => Err(Step::Insert { conflict }),
            Some(count) => {
                store.insert(key, Stored::Counter(count + 1));
                Err(Step::ReadTotal { conflict })
            }
        },
        (_, Some(Step::Insert { .. })) if count.is_some() => Err(Step::Patch { conflict: true }),
        (_, Some(Step::ReadTotal { conflict })) => Ok(match count {
            Some(_) if conflict => Reply::Count(1),
            Some(count) => Reply::Count(count),
            None => Reply::Failed,
        }),
        (Kind::Dynamo, None) => Err(Step::Write { read: count }),
        (_, Some(Step::Write { read })) if read != count => Ok(Reply::Failed),
        (_, None | Some(Step::Insert { .. } | Step::Write { .. } | Step::Again)) => {
            let count = count.unwrap_or(0) + 1;
            store.insert(key, Stored::Counter(count));
            Ok(Reply::Count(count))
        }
    }
}
