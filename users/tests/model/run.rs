//! One run of a program up to the end of its log of replies.

use crate::client::{Ask, Reply};
use crate::deliveries::Delivery;
use crate::text::Text;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// What happens in one run of a program up to the end of its log.
pub(crate) struct Run {
    pub(crate) log: Vec<Reply>,
    pub(crate) answered: Cell<usize>,
    pub(crate) pending: Cell<Option<Ask>>,
    pub(crate) last_get: Cell<Option<(Text, Reply)>>,
    pub(crate) slept_after: Cell<Option<usize>>,
    pub(crate) sleeps: Cell<u64>,
    pub(crate) draws: Cell<u64>,
    /// The keys of the compare-and-swaps that there are.
    pub(crate) handles: RefCell<Vec<Text>>,
    /// What the mutations need to know: the first time told, the value that a compare-and-swap began with, what was seen
    /// or put off.
    pub(crate) first_time: Cell<Option<u64>>,
    pub(crate) has_just_begun: Cell<bool>,
    pub(crate) before: RefCell<Option<Vec<u8>>>,
    pub(crate) has_read: Cell<bool>,
    pub(crate) has_begun_user: Cell<bool>,
    pub(crate) swapped: Cell<Option<Text>>,
    pub(crate) seen: RefCell<BTreeMap<Vec<u8>, bool>>,
    pub(crate) put_off: RefCell<Vec<(Text, Text)>>,
    pub(crate) undelivered: RefCell<Vec<Delivery>>,
    pub(crate) has_noted: Cell<bool>,
}

impl Run {
    pub(crate) fn new(log: Vec<Reply>) -> Self {
        Self {
            log,
            answered: Cell::default(),
            pending: Cell::default(),
            last_get: Cell::default(),
            slept_after: Cell::default(),
            sleeps: Cell::default(),
            draws: Cell::default(),
            handles: RefCell::default(),
            first_time: Cell::default(),
            has_just_begun: Cell::default(),
            before: RefCell::default(),
            has_read: Cell::default(),
            has_begun_user: Cell::default(),
            swapped: Cell::default(),
            seen: RefCell::default(),
            put_off: RefCell::default(),
            undelivered: RefCell::default(),
            has_noted: Cell::default(),
        }
    }

    pub(crate) fn swapping(&self) -> Vec<Text> {
        self.handles.borrow().clone()
    }

    pub(crate) fn pending(&self) -> Option<Ask> {
        self.pending.take()
    }

    pub(crate) fn last_get(&self) -> Option<(Text, Reply)> {
        self.last_get.get()
    }

    pub(crate) fn has_just_paused(&self) -> bool {
        self.slept_after.get() == Some(self.log.len())
    }

    pub(crate) fn log(&self) -> Vec<Reply> {
        self.log.clone()
    }
}

/// A compare-and-swap.
pub(crate) struct Handle {
    pub(crate) key: Text,
    pub(crate) has_current: Cell<bool>,
    pub(crate) run: Rc<Run>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut handles = self.run.handles.borrow_mut();
        if let Some(at) = handles.iter().position(|key| *key == self.key) {
            handles.remove(at);
        }
    }
}
