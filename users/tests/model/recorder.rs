//! The environment of a program that is run from a log of replies. By lies about them it takes steps away.

use crate::client::{Ask, Reply};
use crate::mutation::{Mutation, Place};
use crate::program::{Program, Request};
use crate::rule::Rule;
use crate::run::{Handle, Run};
use crate::text::{Text, timeless};
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, SystemTime};
use users::domain::tier::{Basis, Promotion};
use users::storage::environment::{CasOutcome, Environment, Unavailable};

pub(crate) struct Recorder {
    pub(crate) run: Rc<Run>,
    pub(crate) program: &'static Program,
    rule: Rule,
    pub(crate) mutation: Option<Mutation>,
}

impl Recorder {
    pub(crate) fn new(
        run: &Rc<Run>,
        program: &'static Program,
        rule: Rule,
        mutation: Option<Mutation>,
    ) -> Self {
        Self {
            run: Rc::clone(run),
            program,
            rule,
            mutation,
        }
    }

    async fn ask(&self, ask: Ask) -> Reply {
        let answered = self.run.answered.get();
        if let Some(reply) = self.run.log.get(answered) {
            self.run.answered.set(answered + 1);
            if let Ask::Get(key) = ask {
                self.run.last_get.set(Some((key, *reply)));
            }
            *reply
        } else {
            self.run.pending.set(Some(ask));
            std::future::pending().await
        }
    }

    /// The promotion rule.
    pub(crate) fn promotion(&self) -> Promotion {
        let mut promotion = self.rule.promotion();
        match self.mutation {
            Some(Mutation::NoAutomaticPromotion) => promotion.is_automatic = false,
            Some(Mutation::PromotionByPoints) => promotion.basis = Basis::Points,
            _ => {}
        }
        promotion
    }

    pub(crate) fn has(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    fn has_at(&self, mutation: fn(Place) -> Mutation, key: &str) -> bool {
        Place::of(key).is_some_and(|place| self.mutation == Some(mutation(place)))
    }

    async fn ask_for_value(&self, ask: Ask) -> Result<Option<Vec<u8>>, Unavailable> {
        match self.ask(ask).await {
            Reply::Value(value) => Ok(value.map(|value| value.bytes().to_vec())),
            Reply::Failed => Err(Unavailable),
            other => unreachable!("{other:?}"),
        }
    }

    pub(crate) async fn ask_to(&self, ask: Ask) -> Result<(), Unavailable> {
        match self.ask(ask).await {
            Reply::Done => Ok(()),
            Reply::Failed => Err(Unavailable),
            other => unreachable!("{other:?}"),
        }
    }

    async fn ask_whether(&self, ask: Ask) -> Result<bool, Unavailable> {
        match self.ask(ask).await {
            Reply::Flag(flag) => Ok(flag),
            Reply::Failed => Err(Unavailable),
            other => unreachable!("{other:?}"),
        }
    }

    async fn do_what_was_put_off(&self) -> Result<(), Unavailable> {
        let put_off = self.run.put_off.take();
        if put_off.is_empty() {
            return Ok(());
        }
        self.ask_to(Ask::SetAll(put_off)).await
    }
}

/// Whether nobody ever writes `key`: a root of the directory where no name in the model belongs, or the key of a name that
/// only makes a leaf long.
fn is_always_absent(key: &str) -> bool {
    key.strip_prefix("directory:")
        .is_some_and(|prefix| prefix.len() == 2 && prefix != crate::directory::ROOT)
        || key.starts_with("user:filler")
}

impl Environment for Recorder {
    type Cas = Handle;

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Unavailable> {
        if is_always_absent(key) {
            return Ok(None);
        }
        let place = Place::of(key);
        let looks_again = place == Some(Place::Binding) && self.run.has_begun_user.get();
        if place == Some(Place::Binding)
            && (self.has(Mutation::NoBinding) || looks_again && self.has(Mutation::NoSecondLookAtBinding))
        {
            return Ok(self.own_fingerprint());
        }
        let value = self.ask_for_value(Ask::Get(Text::new(key.as_bytes()))).await?;
        let is_note = key.starts_with("operation:") || key.starts_with("reversal:");
        let is_lie = match self.mutation {
            Some(Mutation::NoFirstRead) => place == Some(Place::User) && !self.run.has_read.replace(true),
            Some(Mutation::NoPatience) => self.run.slept_after.get().is_some(),
            Some(Mutation::NoLookForNotes) => is_note,
            _ => false,
        };
        if is_lie {
            return Ok(None);
        }
        let value = value.map(|value| self.retold(key, value));
        let has_fingerprint = place == Some(Place::Binding) || key.starts_with("operation:");
        if self.has(Mutation::NoFingerprint) && has_fingerprint && value.is_some() {
            return Ok(self.own_fingerprint());
        }
        Ok(value)
    }

    async fn exists(&self, key: &str) -> Result<bool, Unavailable> {
        if let Some(seen) = self.run.seen.borrow().get(key.as_bytes()) {
            return Ok(*seen);
        }
        let exists = self.ask_whether(Ask::Exists(Text::new(key.as_bytes()))).await?;
        let is_first = self.run.seen.borrow_mut().is_empty();
        if self.has(Mutation::NoLookBefore) || self.has(Mutation::NoLookAfter) {
            self.run.seen.borrow_mut().insert(Vec::new(), true);
        }
        Ok(exists
            && !(is_first && self.has(Mutation::NoLookBefore)
                || !is_first && self.has(Mutation::NoLookAfter)))
    }

    async fn set_all(&self, values: Vec<(String, Vec<u8>)>) -> Result<(), Unavailable> {
        let is_leaf = values.iter().any(|(key, _)| Place::of(key) == Some(Place::Leaf));
        let values = values
            .iter()
            .map(|(key, value)| (Text::new(key.as_bytes()), Text::new(value)))
            .collect();
        match self.mutation {
            Some(Mutation::NoArchive) if !is_leaf => Ok(()),
            Some(Mutation::LateArchive) if !is_leaf => {
                *self.run.put_off.borrow_mut() = values;
                Ok(())
            }
            Some(Mutation::LateChildren) if is_leaf => {
                *self.run.put_off.borrow_mut() = values;
                Ok(())
            }
            _ => self.ask_to(Ask::SetAll(values)).await,
        }
    }

    async fn increment(&self, key: &str) -> Result<i64, Unavailable> {
        if self.has(Mutation::LookFirst) {
            let (name, period) = key.rsplit_once(':').unwrap();
            let period: u64 = period.parse().unwrap();
            for neighbour in [period - 1, period + 1] {
                let neighbour = format!("{name}:{neighbour}").into_bytes();
                let exists = self.ask_whether(Ask::Exists(Text::new(&neighbour))).await?;
                self.run.seen.borrow_mut().insert(neighbour, exists);
            }
        }
        let count = match self.ask(Ask::Increment(Text::new(key.as_bytes()))).await {
            Reply::Count(count) => Ok(count),
            Reply::Failed => Err(Unavailable),
            other => unreachable!("{other:?}"),
        };
        match self.mutation {
            Some(Mutation::NoClaim) => count.map(|_| 1),
            Some(Mutation::FailedClaimWins) => Ok(count.unwrap_or(1)),
            Some(Mutation::LoserRemovesClaim) if count.is_ok_and(|count| count != 1) => {
                self.ask_to(Ask::DeleteAll(vec![Text::new(key.as_bytes())]))
                    .await?;
                count
            }
            _ => count,
        }
    }

    async fn delete_all(&self, keys: Vec<String>) -> Result<(), Unavailable> {
        let is_claim = keys.iter().any(|key| key.starts_with("claim:"));
        let is_second = matches!(self.program.request, Request::CleanUp);
        let is_lie = match self.mutation {
            Some(Mutation::NoRemoval) => is_claim,
            Some(Mutation::NoDeletion) => !is_claim && !is_second,
            Some(Mutation::NoSecondDeletion) => !is_claim && is_second,
            _ => false,
        };
        if is_lie {
            return Ok(());
        }
        let keys = keys.iter().map(|key| Text::new(key.as_bytes())).collect();
        self.ask_to(Ask::DeleteAll(keys)).await
    }

    async fn new_cas(&self, key: &str) -> Result<Handle, Unavailable> {
        // It changes nothing, and if it fails that is as if the first look at the key did.
        let key = Text::new(key.as_bytes());
        self.run.handles.borrow_mut().push(key);
        Ok(Handle {
            key,
            has_current: Cell::new(false),
            run: Rc::clone(&self.run),
        })
    }

    async fn current(&self, cas: &Handle) -> Result<Option<Vec<u8>>, Unavailable> {
        let key = cas.key.as_str();
        let value = if cas.has_current.replace(true) {
            self.ask_for_value(Ask::Current(cas.key)).await?
        } else {
            self.ask_for_value(Ask::NewCas(cas.key)).await?
        };
        let value = value.map(|value| self.retold(key, value));
        self.run.has_just_begun.set(true);
        if Place::of(key) == Some(Place::User) {
            self.run.has_begun_user.set(true);
        }
        let is_read_back = self.run.swapped.take() == Some(cas.key);
        let before = self.run.before.replace(value.clone());
        Ok(match (self.mutation, value) {
            _ if self.has_at(Mutation::NoSecondRead, key) && !is_read_back => None,
            _ if self.has_at(Mutation::NoReadBack, key) && is_read_back => {
                self.run.before.replace(before.clone());
                before
            }
            (Some(Mutation::NoLookForOwn), Some(value)) if !is_read_back => {
                Some(self.disguised(&value, false))
            }
            (Some(Mutation::NoReservation | Mutation::ShortReservation), Some(value))
                if Place::of(key) == Some(Place::Leaf) =>
            {
                Some(self.without_reservations(&value))
            }
            (Some(Mutation::NoFingerprint), Some(_)) if Place::of(key) == Some(Place::Binding) => {
                self.own_fingerprint()
            }
            (_, value) => value,
        })
    }

    async fn compare_and_swap(&self, cas: Handle, value: Vec<u8>) -> Result<CasOutcome<Handle>, Unavailable> {
        let key = cas.key.as_str();
        let place = Place::of(key);
        let value = if self.has(Mutation::NoLookForOwn) {
            self.disguised(&value, true)
        } else {
            value
        };
        let value = Text::new(&if place == Some(Place::User) {
            timeless(&value)
        } else {
            value
        });
        let is_mark = place == Some(Place::Binding) && matches!(self.program.request, Request::Erase);
        let is_put_off = match self.mutation {
            Some(Mutation::LateMark) => is_mark,
            Some(Mutation::LateName) => place == Some(Place::Leaf),
            _ => false,
        };
        let is_lease = place == Some(Place::Outbox) && value.as_str().contains("leased");
        let is_note = place == Some(Place::Outbox) && !is_lease;
        let is_left_out = match self.mutation {
            Some(Mutation::NoNote) => is_note,
            Some(Mutation::NoLease) => is_lease,
            Some(Mutation::NoMark) => is_mark,
            Some(Mutation::NoName) => place == Some(Place::Leaf),
            _ => is_put_off,
        };
        if is_put_off {
            self.run.put_off.borrow_mut().push((cas.key, value));
        }
        if is_left_out {
            return Ok(CasOutcome::Written);
        }
        if is_note && self.has(Mutation::OverlappingDeliveries) {
            self.deliver_what_was_put_off().await;
        }
        let swapped = if self.has_at(Mutation::SetForCas, key) {
            self.ask_to(Ask::SetAll(vec![(cas.key, value)]))
                .await
                .map(|()| true)
        } else {
            self.ask_whether(Ask::CompareAndSwap(cas.key, value)).await
        };
        if is_note {
            // Nobody looks what came of it.
            self.run.has_noted.set(true);
            self.deliver_what_was_put_off().await;
        } else {
            self.run.swapped.set(Some(cas.key));
        }
        self.do_what_was_put_off().await?;
        let is_written = if self.has_at(Mutation::EveryCasBelieved, key) {
            true
        } else if self.has_at(Mutation::NoCasBelieved, key) {
            swapped?;
            false
        } else {
            swapped?
        };
        Ok(if is_written {
            CasOutcome::Written
        } else {
            CasOutcome::Unconfirmed(cas)
        })
    }

    async fn now(&self) -> SystemTime {
        let Reply::Time(mut now) = self.ask(Ask::Now).await else {
            unreachable!()
        };
        let first = self.run.first_time.get().unwrap_or(now);
        self.run.first_time.set(Some(first));
        let has_just_begun = self.run.has_just_begun.replace(false);
        match self.mutation {
            Some(Mutation::NoAgeCheck) if has_just_begun => now = first,
            // Who never finds anything would look for ever while the clock stands.
            Some(Mutation::NoPatience) => now += 3600 * self.run.sleeps.get(),
            Some(Mutation::EarlySecondDeletion) if matches!(self.program.request, Request::CleanUp) => {
                now += 3600;
            }
            _ => {}
        }
        SystemTime::UNIX_EPOCH + Duration::from_secs(now)
    }

    async fn random(&self) -> u64 {
        let count = self.run.draws.get();
        self.run.draws.set(count + 1);
        if count > 0 && self.has(Mutation::SharedChildren) || self.has(Mutation::SameAttempt) {
            return count;
        }
        self.program.random(count)
    }

    async fn sleep(&self, _: Duration) {
        self.run.sleeps.update(|sleeps| sleeps + 1);
        self.run.slept_after.set(Some(self.run.answered.get()));
    }
}
