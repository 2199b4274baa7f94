//! The directory: every name that a user was ever created under, in a fixed order.
//!
//! It is a set that only grows. A name is added, with a reservation, before its record is written, so that a client who got
//! a 201 finds the name. A crash in between leaves a name without a user, which a walk skips. The reservation picks the
//! one creator of a name's first record, which SQLite could not do otherwise.

use super::attempts::Attempts;
use super::environment::{CasOutcome, Environment, Unavailable};
use super::leaf::{HASH_LENGTH, Leaf, Node, Reservation, hash_of};
use super::unreadable::Unreadable;
use super::{ARRIVED_WITHIN, PATIENCE, PAUSE, StoreError, UserStore, corrupt, keys};
use crate::domain::username::Username;
use std::time::SystemTime;

/// The number of digits that select a root.
pub(super) const ROOT_DIGITS: usize = 2;

/// The position of a node in the trie: its nonce, and the number of digits that lead there.
pub(super) struct Position {
    nonce: String,
    /// The number of digits.
    pub(super) depth: usize,
}

impl Position {
    pub(super) fn key(&self, hash: &str) -> String {
        keys::leaf(&self.nonce, &hash[..self.depth])
    }

    pub(super) fn root() -> Self {
        Self {
            nonce: String::new(),
            depth: ROOT_DIGITS,
        }
    }

    /// The position of the children of the node here, which was split under `nonce`.
    pub(super) fn child(&self, nonce: String) -> Self {
        Self {
            nonce,
            depth: self.depth + 1,
        }
    }
}

impl<E: Environment> UserStore<E> {
    /// Adds `username` to the directory and reserves the right to write its first record. Returns the time of the
    /// reservation, or `None` if another request has the right. Adds claims to `claims`, as `create_once` does.
    ///
    /// # Errors
    /// Returns [`StoreError::Unavailable`] if the store failed, [`StoreError::TryAgain`] if other creations interfered; then
    /// the name may have been added.
    pub(super) async fn reserve(
        &self,
        username: &Username,
        claims: &mut Vec<String>,
    ) -> Result<Option<SystemTime>, StoreError> {
        let name = username.case_folded();
        let hash = hash_of(&name);
        let nonce = self.nonce().await;
        let mut attempts = Attempts::new(&self.0, PATIENCE);
        let mut has_failed = false;
        loop {
            let now = self.0.now().await;
            let reservation = Reservation::new(&name, &nonce, now.into());
            let (position, cas, leaf) = self.seek(&hash).await?;
            let Some(leaf) = leaf else {
                let root = Leaf::default().with(reservation, now.into(), ARRIVED_WITHIN);
                self.create_once(&position.key(&hash), Node::Leaf(root).to_bytes(), claims)
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
                self.split(leaf, &position, &hash).await?
            } else {
                Node::Leaf(leaf)
            };
            match self.0.compare_and_swap(cas, node.to_bytes()).await {
                Ok(CasOutcome::Written) => return Ok(Some(now)),
                // Redis reports a conflict even if it wrote the leaf.
                Ok(CasOutcome::Unconfirmed(next)) => {
                    if let Some(Node::Leaf(leaf)) = self.node(&position.key(&hash), &next).await?
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

    /// Finds where the name with this hash belongs: the position, a compare-and-swap of its key, and the leaf, or `None` if
    /// the root does not exist yet.
    async fn seek(&self, hash: &str) -> Result<(Position, E::Cas, Option<Leaf>), StoreError> {
        let mut position = Position::root();
        loop {
            let key = position.key(hash);
            let cas = self.0.new_cas(&key).await?;
            match self.node(&key, &cas).await? {
                Some(Node::Leaf(leaf)) => return Ok((position, cas, Some(leaf))),
                Some(Node::Split(nonce)) if position.depth < HASH_LENGTH => position = position.child(nonce),
                None if position.depth == ROOT_DIGITS => return Ok((position, cas, None)),
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
    async fn split(&self, leaf: Leaf, position: &Position, hash: &str) -> Result<Node, StoreError> {
        let nonce = self.nonce().await;
        let prefix = &hash[..position.depth];
        let children = leaf.children(position.depth).into_iter();
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
}
