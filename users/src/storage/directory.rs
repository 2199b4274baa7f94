//! The directory: every name that a user was ever created under, in a fixed order.
//!
//! It is a set that only grows. A name is added, with a reservation, before its record is written, so that a client who got
//! a 201 finds the name. A crash in between leaves a name without a user, which a walk skips. The reservation picks the
//! one creator of a name's first record, which SQLite could not do otherwise.

use super::attempts::Attempts;
use super::envelope::{Envelope, Unreadable};
use super::environment::{CasOutcome, Environment, Unavailable};
use super::leaf::{DIGITS, HASH_LENGTH, Leaf, Node, Reservation, hash_of};
use super::{ARRIVED_WITHIN, PAUSE, StoreError, UserStore, corrupt, keys};
use crate::domain::username::Username;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

/// How long a creation goes on trying to add its name.
const PATIENCE: Duration = Duration::from_secs(4);
/// The number of digits that select a root.
const ROOT_DIGITS: usize = 2;

/// A position in the directory: right after one name.
///
/// ```
/// use users::storage::Cursor;
///
/// let cursor: Cursor = "0123456789abcdef0123456789abcdef".parse().unwrap();
/// assert_eq!(cursor.to_string(), "0123456789abcdef0123456789abcdef");
/// assert!("jane".parse::<Cursor>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// The position right after `username`. Its text orders names as the directory does.
    #[must_use]
    pub fn after(username: &Username) -> Self {
        Self(hash_of(&username.case_folded()))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == HASH_LENGTH && text.bytes().all(is_digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidCursor)
        }
    }
}

/// The error for a text that is not a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidCursor;

impl fmt::Display for InvalidCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be the cursor in `next` of an earlier page")
    }
}

impl std::error::Error for InvalidCursor {}

/// The bounds of one page of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The maximum number of users.
    pub users: usize,
    /// The maximum number of names that are looked at.
    pub names: usize,
    /// The maximum total size of the records, in bytes.
    pub bytes: usize,
}

/// Some users in the order of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPage<T> {
    /// What was taken from each chosen user.
    pub users: Vec<T>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Cursor>,
}

/// The position of a node in the trie: its nonce, and the number of digits that lead there.
struct Place {
    nonce: String,
    depth: usize,
}

impl Place {
    fn key(&self, hash: &str) -> String {
        keys::leaf(&self.nonce, &hash[..self.depth])
    }

    fn root() -> Self {
        Self {
            nonce: String::new(),
            depth: ROOT_DIGITS,
        }
    }

    /// The position of the children of the node here, which was split under `nonce`.
    fn child(&self, nonce: String) -> Self {
        Self {
            nonce,
            depth: self.depth + 1,
        }
    }
}

impl<E: Environment> UserStore<E> {
    /// Adds `username` to the directory and reserves the right to write its first record. Returns the time of the
    /// reservation, or `None` if another request has the right.
    ///
    /// # Errors
    /// Returns [`StoreError::Unavailable`] if the store failed, [`StoreError::TryAgain`] if other creations interfered; then
    /// the name may have been added.
    pub(super) async fn reserve(&self, username: &Username) -> Result<Option<SystemTime>, StoreError> {
        let name = username.case_folded();
        let hash = hash_of(&name);
        let nonce = self.nonce().await;
        let mut attempts = Attempts::new(&self.0, PATIENCE);
        let mut has_failed = false;
        loop {
            let now = self.0.now().await;
            let reservation = Reservation::new(&name, &nonce, now.into());
            let (place, cas, leaf) = self.seek(&hash).await?;
            let Some(leaf) = leaf else {
                let root = Leaf::default().with(reservation, now.into(), ARRIVED_WITHIN);
                self.create_once(&place.key(&hash), Node::Leaf(root).to_bytes())
                    .await?;
                // Whoever created it, the next read finds it.
                continue;
            };
            match leaf.reservation(&name) {
                Some(found) if found.nonce == nonce => return Ok(Some(found.time().into())),
                Some(found) if !found.is_over(now.into(), ARRIVED_WITHIN) => return Ok(None),
                _ => {}
            }
            let leaf = leaf.with(reservation, now.into(), ARRIVED_WITHIN);
            let node = if leaf.is_large() {
                self.split(leaf, &place, &hash).await?
            } else {
                Node::Leaf(leaf)
            };
            match self.0.compare_and_swap(cas, node.to_bytes()).await {
                Ok(CasOutcome::Written) => return Ok(Some(now)),
                // Redis reports a conflict even if it wrote the leaf.
                Ok(CasOutcome::Unconfirmed(next)) => {
                    if let Some(Node::Leaf(leaf)) = self.node(&place.key(&hash), &next).await?
                        && leaf.reservation(&name).is_some_and(|found| found.nonce == nonce)
                    {
                        return Ok(Some(now));
                    }
                }
                Err(Unavailable) if has_failed => return Err(StoreError::Unavailable),
                Err(Unavailable) => has_failed = true,
            }
            if !attempts.pause(PAUSE / 8).await {
                return Err(StoreError::TryAgain);
            }
        }
    }

    /// Finds where the name with this hash belongs: the place, a compare-and-swap of its key, and the leaf, or `None` if
    /// the root does not exist yet.
    async fn seek(&self, hash: &str) -> Result<(Place, E::Cas, Option<Leaf>), StoreError> {
        let mut place = Place::root();
        loop {
            let key = place.key(hash);
            let cas = self.0.new_cas(&key).await?;
            match self.node(&key, &cas).await? {
                Some(Node::Leaf(leaf)) => return Ok((place, cas, Some(leaf))),
                Some(Node::Split(nonce)) if place.depth < HASH_LENGTH => place = place.child(nonce),
                None if place.depth == ROOT_DIGITS => return Ok((place, cas, None)),
                Some(Node::Split(_)) | None => return Err(corrupt(&key, Unreadable::Damaged)),
            }
        }
    }

    async fn node(&self, key: &str, cas: &E::Cas) -> Result<Option<Node>, StoreError> {
        let value = self.0.current(cas).await?;
        let node = value.map(|bytes| Node::from_bytes(&bytes));
        node.transpose().map_err(|why| corrupt(key, why))
    }

    /// Writes the children of `leaf` where nobody can find them yet, and returns the node that points there.
    async fn split(&self, leaf: Leaf, place: &Place, hash: &str) -> Result<Node, StoreError> {
        let nonce = self.nonce().await;
        let prefix = &hash[..place.depth];
        let children = leaf.children(place.depth).into_iter();
        let children = children.map(|(digit, child)| {
            let key = keys::leaf(&nonce, &format!("{prefix}{digit}"));
            (key, Node::Leaf(child).to_bytes())
        });
        self.0.set_all(children.collect()).await?;
        Ok(Node::Split(nonce))
    }

    async fn nonce(&self) -> String {
        format!("{:012x}", self.0.random().await & 0xffff_ffff_ffff)
    }

    /// Walks the directory from `after`, or from its start, and returns what `choose` takes from the users there. Skips
    /// erased users, and names whose user was never created.
    ///
    /// # Errors
    /// Returns [`StoreError::Unavailable`] if the store failed, [`StoreError::Corrupt`] if a value cannot be read.
    pub async fn list<T>(
        &self,
        after: Option<&Cursor>,
        bounds: Bounds,
        mut choose: impl FnMut(&Envelope) -> Option<T>,
    ) -> Result<ListPage<T>, StoreError> {
        let mut page = ListPage {
            users: Vec::new(),
            next: None,
        };
        let (mut names_left, mut bytes_left) = (bounds.names, bounds.bytes);
        let mut walk = Walk::after(after);
        while let Some(names) = self.next_names(&mut walk).await? {
            for name in names {
                if names_left == 0 || page.users.len() == bounds.users {
                    page.next = walk.cursor();
                    return Ok(page);
                }
                names_left -= 1;
                if let Some(envelope) = self.read(&username(&name)?).await?
                    && let Some(user) = choose(&envelope)
                {
                    let Some(left) = bytes_left.checked_sub(envelope.record().len()) else {
                        page.next = walk.cursor();
                        return Ok(page);
                    };
                    bytes_left = left;
                    page.users.push(user);
                }
                walk.pass(&name);
            }
        }
        Ok(page)
    }

    /// Returns up to `limit` names in the order of the directory, whether they have users or not.
    ///
    /// # Errors
    /// Returns [`StoreError::Unavailable`] if the store failed, [`StoreError::Corrupt`] if a value cannot be read.
    pub async fn names(
        &self,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<ListPage<Username>, StoreError> {
        let mut page = ListPage {
            users: Vec::new(),
            next: None,
        };
        let mut walk = Walk::after(after);
        while let Some(names) = self.next_names(&mut walk).await? {
            for name in names {
                if page.users.len() == limit {
                    page.next = walk.cursor();
                    return Ok(page);
                }
                page.users.push(username(&name)?);
                walk.pass(&name);
            }
        }
        Ok(page)
    }

    /// Returns the names of the next leaf that has names beyond the position of `walk`, or `None` at the end.
    pub(super) async fn next_names(&self, walk: &mut Walk) -> Result<Option<Vec<String>>, StoreError> {
        while let Some(hash) = walk.next.take() {
            let (leaf, depth) = self.leaf_at(&hash).await?;
            walk.next = successor(&hash[..depth]);
            let names = match &walk.position {
                Some(position) => leaf.after(position),
                None => leaf.names(),
            };
            if !names.is_empty() {
                return Ok(Some(names.to_vec()));
            }
        }
        Ok(None)
    }

    /// Reads the leaf where `hash` belongs, which is empty if the root does not exist. Also returns the number of digits that
    /// lead there.
    async fn leaf_at(&self, hash: &str) -> Result<(Leaf, usize), StoreError> {
        let mut place = Place::root();
        loop {
            let key = place.key(hash);
            let Some(value) = self.0.get(&key).await? else {
                if place.depth == ROOT_DIGITS {
                    return Ok((Leaf::default(), ROOT_DIGITS));
                }
                return Err(corrupt(&key, Unreadable::Damaged));
            };
            match Node::from_bytes(&value).map_err(|why| corrupt(&key, why))? {
                Node::Leaf(leaf) => return Ok((leaf, place.depth)),
                Node::Split(nonce) if place.depth < HASH_LENGTH => place = place.child(nonce),
                Node::Split(_) => return Err(corrupt(&key, Unreadable::Damaged)),
            }
        }
    }
}

/// Reads a name of the directory.
fn username(name: &str) -> Result<Username, StoreError> {
    // No creation adds anything else.
    name.parse().map_err(|_| {
        corrupt(
            &keys::leaf("", &hash_of(name)[..ROOT_DIGITS]),
            Unreadable::Damaged,
        )
    })
}

/// A walk through the directory.
pub(super) struct Walk {
    /// The hash of the last name that the walk has passed.
    position: Option<String>,
    /// The hash that leads to the next leaf; `None` at the end.
    next: Option<String>,
}

impl Walk {
    /// A walk that begins after a name, or at the first name.
    pub(super) fn after(cursor: Option<&Cursor>) -> Self {
        let position = cursor.map(|Cursor(hash)| hash.clone());
        Self {
            next: Some(position.clone().unwrap_or_else(|| "0".repeat(HASH_LENGTH))),
            position,
        }
    }

    /// Notes that `name` was passed.
    pub(super) fn pass(&mut self, name: &str) {
        self.position = Some(hash_of(name));
    }

    /// Where a later walk continues: after the last name that was passed.
    pub(super) fn cursor(&self) -> Option<Cursor> {
        self.position.clone().map(Cursor)
    }
}

/// The first hash after all that begin with `prefix`; `None` if there is none.
fn successor(prefix: &str) -> Option<String> {
    let stem = prefix.trim_end_matches('f');
    let last = stem.chars().next_back()?;
    let next = DIGITS.chars().nth(DIGITS.find(last)? + 1)?;
    let prefix = format!("{}{next}", &stem[..stem.len() - 1]);
    Some(format!("{prefix:0<HASH_LENGTH$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_passes_from_leaf_to_leaf() {
        let zeros = |prefix: &str| format!("{prefix:0<HASH_LENGTH$}");
        assert_eq!(successor("00"), Some(zeros("01")));
        assert_eq!(successor("0f"), Some(zeros("1")));
        assert_eq!(successor("9f3ff"), Some(zeros("9f4")));
        assert_eq!(successor("ae9"), Some(zeros("aea")));
        assert_eq!(successor("ff"), None);
    }

    #[test]
    fn a_cursor_is_a_hash() {
        let hash = hash_of("jane");
        assert_eq!(hash.parse(), Ok(Cursor(hash.clone())));
        for text in ["", "0", &hash.to_uppercase(), &format!("{hash}0"), "jane"] {
            assert_eq!(text.parse::<Cursor>(), Err(InvalidCursor), "{text}");
        }
    }
}
