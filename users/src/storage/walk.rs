//! A walk through the directory: its names in a fixed order, and the users who have them.

use super::directory::{Position, ROOT_DIGITS};
use super::envelope::Envelope;
use super::environment::Environment;
use super::leaf::{DIGITS, HASH_LENGTH, Leaf, Node, hash_of};
use super::unreadable::Unreadable;
use super::{StoreError, UserStore, corrupt, keys};
use crate::domain::username::Username;
use std::fmt;
use std::str::FromStr;

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

impl<E: Environment> UserStore<E> {
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
                walk.pass(name);
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
                walk.pass(name);
            }
        }
        Ok(page)
    }

    /// Returns the names of the next leaf that has names beyond the position of `walk`, or `None` at the end.
    pub(super) async fn next_names(&self, walk: &mut Walk) -> Result<Option<Vec<String>>, StoreError> {
        while let Some(hash) = walk.next.take() {
            let (leaf, depth) = self.leaf_at(&hash).await?;
            walk.next = successor(&hash[..depth]);
            let names = leaf.into_names_after(walk.start());
            if !names.is_empty() {
                return Ok(Some(names));
            }
        }
        Ok(None)
    }

    /// Reads the leaf where `hash` belongs, which is empty if the root does not exist. Also returns the number of digits that
    /// lead there.
    async fn leaf_at(&self, hash: &str) -> Result<(Leaf, usize), StoreError> {
        let mut position = Position::root();
        loop {
            let key = position.key(hash);
            let Some(value) = self.0.get(&key).await? else {
                if position.depth == ROOT_DIGITS {
                    return Ok((Leaf::default(), ROOT_DIGITS));
                }
                return Err(corrupt(&key, Unreadable::Damaged));
            };
            match Node::from_bytes(&value).map_err(|why| corrupt(&key, why))? {
                Node::Leaf(leaf) => return Ok((leaf, position.depth)),
                Node::Split(nonce) if position.depth < HASH_LENGTH => position = position.child(nonce),
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
    /// Where the walk began: after the name with this hash, or `None` at the first name.
    start: Option<String>,
    /// The last name that it passed. Its hash is rarely needed, and takes a while to compute.
    passed: Option<String>,
    /// The hash that leads to the next leaf; `None` at the end.
    next: Option<String>,
}

impl Walk {
    /// A walk that begins after a name, or at the first name.
    pub(super) fn after(cursor: Option<&Cursor>) -> Self {
        let start = cursor.map(|Cursor(hash)| hash.clone());
        Self {
            next: Some(start.clone().unwrap_or_else(|| "0".repeat(HASH_LENGTH))),
            start,
            passed: None,
        }
    }

    /// The hash that the names of the next leaf must come after, unless all of them do.
    fn start(&self) -> Option<&str> {
        self.start.as_deref().filter(|_| self.passed.is_none())
    }

    /// Notes that the walk has passed `name`, and with it all names before it.
    pub(super) fn pass(&mut self, name: String) {
        self.passed = Some(name);
    }

    /// Where a later walk continues: after the last name that was passed.
    pub(super) fn cursor(&self) -> Option<Cursor> {
        let passed = self.passed.as_deref().map(hash_of);
        passed.or_else(|| self.start.clone()).map(Cursor)
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
