//! The account of a load: what was counted, and whether answers, records and histories agree.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde_json::Value;

use crate::linearizability::{self, Action, Answer, Seen};
use crate::request::{Outcome, Request};
use crate::service::{Service, lock};
use crate::witness::History;

/// The counts of a load.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Requests that got an answer other than 503.
    pub(crate) answers: AtomicU64,
    /// 409.
    pub(crate) conflicts: AtomicU64,
    /// 503.
    pub(crate) unavailable: AtomicU64,
    /// Repeated requests.
    pub(crate) retries: AtomicU64,
    /// Requests without an answer.
    pub(crate) unanswered: AtomicU64,
    pub(crate) kills: AtomicU64,
    /// Entries of histories that were compared with the answers to clients.
    pub(crate) entries: AtomicU64,
    pub(crate) slowest: AtomicU64,
}

impl Service {
    /// Reads a user after the load.
    pub(crate) async fn read(&self, user: &str) -> Option<Seen> {
        let action = Action::Read;
        match self.perform(self.any_host(), Request::new(user, action)).await {
            Outcome::Done(seen) => Some(seen),
            Outcome::NoSuchUser => None,
            other => {
                self.violation(format!("{user} cannot be read: {other:?}"));
                None
            }
        }
    }

    /// The sum of the answers to changes of `user`'s points, all of which were answered.
    pub(crate) fn sum_of_answers(&self, user: &str) -> i64 {
        let histories = lock(&self.histories);
        let operations = histories.get(user).map(Vec::as_slice).unwrap_or_default();
        operations
            .iter()
            .map(|operation| match (operation.action, operation.answer) {
                (
                    Action::Create(points) | Action::Award(points) | Action::Reverse(_, points),
                    Answer::Done(_) | Answer::DoneOnce,
                ) => points,
                _ => 0,
            })
            .sum()
    }

    /// Checks that `user`, all of whose changes were answered, has the points that the answers sum up to. Returns them.
    pub(crate) async fn check_sum(&self, user: &str) -> i64 {
        let expected = self.sum_of_answers(user);
        let found = self.read(user).await.map(|seen| seen.points);
        if found != Some(expected) {
            self.violation(format!(
                "{user} has {found:?} points, and the answers sum up to {expected}"
            ));
        }
        expected
    }

    /// Checks that the history of `user`, who was never erased, explains all answers that clients got.
    pub(crate) async fn check_history(&self, user: &str) {
        let Some((head, entries)) = self.history(user).await else {
            self.violation(format!("{user} has no history"));
            return;
        };
        let stands = self.read(user).await;
        let told = lock(&self.told).get(user).cloned().unwrap_or_default();
        let (history, mut wrong) = History::read(&entries, &head, &told);
        if history.user() != stands {
            wrong.push(format!(
                "{:?} follows from the history, but {stands:?} is stored",
                history.user()
            ));
        }
        wrong.extend(history.compare(&told));
        self.tally.entries.fetch_add(entries.len() as u64, Relaxed);
        for why in wrong {
            self.violation(format!("{user}: {why}"));
        }
    }

    /// The whole history of a user after the load, oldest entry first, and the head of its first page.
    async fn history(&self, user: &str) -> Option<(Value, Vec<Value>)> {
        let mut path = format!("/user/history/{user}?limit={}", fastrand::u8(1..=100));
        let mut first = None;
        let mut entries = Vec::new();
        loop {
            let mut page = self.get(self.any_host(), &path).await?;
            entries.append(page["entries"].as_array_mut()?);
            let next = page["next"].as_str().map(str::to_owned);
            let head = first.get_or_insert(page);
            let Some(next) = next else {
                entries.reverse();
                return Some((head.take(), entries));
            };
            path = next;
        }
    }

    /// The names that a walk of `/users` shows, or `None` if a host did not answer.
    pub(crate) async fn walk(&self) -> Option<Vec<String>> {
        let mut path = format!("/users?limit={}", fastrand::u8(1..=100));
        let mut names = Vec::new();
        loop {
            let page = self.get(self.any_host(), &path).await?;
            for user in page["users"].as_array()? {
                names.push(user["username"].as_str()?.to_owned());
            }
            match page["next"].as_str() {
                Some(next) => next.clone_into(&mut path),
                None => return Some(names),
            }
        }
    }

    /// Checks that a walk that showed `names` showed no name twice, and all that are `expected`.
    pub(crate) fn check_walk<'a>(
        &self,
        mut names: Vec<String>,
        expected: impl IntoIterator<Item = &'a String>,
    ) {
        names.sort();
        for two in names.windows(2) {
            if two[0] == two[1] {
                self.violation(format!("a walk shows {} twice", two[0]));
            }
        }
        for name in expected {
            if names.binary_search(name).is_err() {
                self.violation(format!("a walk misses {name}"));
            }
        }
    }

    /// The JSON at `path`, or `None` if the request failed.
    pub(crate) async fn get(&self, host: usize, path: &str) -> Option<Value> {
        let response = self.http.get(self.url(host) + path).send().await.ok()?;
        let response = response.error_for_status().ok()?;
        serde_json::from_slice(&response.bytes().await.ok()?).ok()
    }

    /// The points of the creations of `user` that were answered 201.
    pub(crate) fn winners(&self, user: &str) -> Vec<i64> {
        let histories = lock(&self.histories);
        let operations = histories.get(user).map(Vec::as_slice).unwrap_or_default();
        operations
            .iter()
            .filter_map(|operation| match (operation.action, operation.answer) {
                (Action::Create(points), Answer::Done(_) | Answer::DoneOnce) => Some(points),
                _ => None,
            })
            .collect()
    }

    /// The users that have a history.
    pub(crate) fn users(&self) -> Vec<String> {
        lock(&self.histories).keys().cloned().collect()
    }

    /// The time of the slowest answer.
    pub(crate) fn slowest(&self) -> Duration {
        Duration::from_millis(self.tally.slowest.load(Relaxed))
    }

    /// Checks every history, prints the account, and fails if there was any violation.
    pub(crate) fn finish(&self, more: &str) {
        let load = self.since.elapsed();
        let mut checked = 0;
        let mut undecided = 0;
        for (user, history) in lock(&self.histories).iter() {
            checked += history.len();
            if let Err(why) = linearizability::check(history) {
                // Answers on Redis reveal too little to find the order of 64 writers of the same change.
                if why.starts_with("undecided") && self.is_on_redis() && undecided == 0 {
                    undecided += 1;
                } else {
                    self.violation(format!("{user}: {why}"));
                }
            }
        }
        let violations = lock(&self.violations);
        let Tally {
            answers,
            conflicts,
            unavailable,
            retries,
            unanswered,
            kills,
            entries,
            slowest,
        } = &self.tally;
        let more = if more.is_empty() {
            String::new()
        } else {
            format!(", {more}")
        };
        let line = format!(
            "{}: {answers:?} answers, {conflicts:?} conflicts, {unavailable:?} times 503, {retries:?} retries, \
             {unanswered:?} unanswered, {kills:?} kills, slowest answer {slowest:?} ms, {checked} operations \
             and {entries:?} entries checked, {undecided} searches undecided{more}, {} violations, {:.1} s of load\n{}",
            self.name,
            violations.len(),
            load.as_secs_f64(),
            violations.join("\n"),
        );
        // Not with `eprintln`, which the test harness captures.
        let _ = std::io::stderr().write_all(line.as_bytes());
        assert!(violations.is_empty(), "{line}");
    }
}
