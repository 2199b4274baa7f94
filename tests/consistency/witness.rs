//! Checks the answers that clients got about a user against the user's history.
//!
//! A history is a witness: it claims in which order everything was done. That order has to explain every answer, and to
//! agree with the order in which requests were sent and answered (linearizability).

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;

use crate::linearizability::{Action, Seen, earned};
use crate::request::Outcome;

/// One request and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// Identifies the request in the history: the reason of a change of points, or the name of a member. Requests with
    /// the same idempotency key share it.
    pub(crate) mark: String,
    pub(crate) action: Action,
    pub(crate) result: Outcome,
    pub(crate) called: Duration,
    pub(crate) answered: Duration,
    /// The number of changes in the `ETag`.
    pub(crate) sequence: Option<u64>,
}

/// The whole history of a user who was never erased, oldest first, and the user after each entry.
pub(crate) struct History {
    entries: Vec<Entry>,
    states: Vec<Seen>,
}

struct Entry {
    sequence: u64,
    mark: Option<String>,
    points: i64,
    reverses: Option<u64>,
}

impl History {
    /// Reads the entries of a history, oldest first, whose head says these `points` and this sum `earned`. Returns it
    /// with everything in it that contradicts itself.
    pub(crate) fn read(entries: &[Value], head: &Value, told: &[Told]) -> (Self, Vec<String>) {
        let mut wrong = Vec::new();
        let mut history = Self {
            entries: Vec::new(),
            states: Vec::new(),
        };
        let notes: HashMap<_, _> = told
            .iter()
            .filter_map(|told| match told.action {
                Action::Update(note) => Some((told.mark.as_str(), note)),
                _ => None,
            })
            .collect();
        let (mut user, mut sum) = (Seen::default(), 0);
        for (number, json) in (1..).zip(entries) {
            let mut entry = Entry {
                sequence: number,
                mark: json["reason"].as_str().map(str::to_owned),
                points: json["points"].as_i64().unwrap_or_default(),
                reverses: json["reverses"].as_u64(),
            };
            let mut is_right = json["sequence"] == number;
            match json["change"].as_str() {
                Some("created") => is_right &= number == 1 && entry.points == json["balance"],
                Some("points") => {
                    is_right &= entry.points != 0 && json["balance"] == user.points + entry.points;
                }
                Some("promoted") => {
                    user.status = Some(earned(user.points));
                    is_right &= json["status"] == earned(user.points);
                }
                Some("updated") => {
                    let members = json["members"].as_array().into_iter().flatten();
                    let mut marks = members.filter_map(Value::as_str).filter(|name| *name != "note");
                    entry.mark = marks.next_back().map(str::to_owned);
                    user.note = entry.mark.as_deref().and_then(|mark| notes.get(mark)).copied();
                    is_right &= user.note.is_some();
                }
                _ => is_right = false,
            }
            if let Some(reversed) = entry.reverses {
                is_right &= history.can_be_reversed(reversed) == Some(-entry.points);
            }
            user.points += entry.points;
            is_right &= user.points >= 0;
            // A redemption that is undone was not earned; an award that is undone was not either.
            let is_earned = (entry.points > 0) != entry.reverses.is_some();
            sum += if is_earned { entry.points } else { 0 };
            if !is_right {
                wrong.push(format!(
                    "entry {number} does not follow from those before: {json}"
                ));
            }
            history.entries.push(entry);
            history.states.push(user);
        }
        if head["points"] != user.points || head["earned"] != sum {
            wrong.push(format!(
                "{} points and {} earned are said, and {} and {sum} stand in the history",
                head["points"], head["earned"], user.points
            ));
        }
        (history, wrong)
    }

    /// By how much the entry `sequence` changed the points, if it can be undone by the next entry.
    fn can_be_reversed(&self, sequence: u64) -> Option<i64> {
        let entry = self.entries.iter().find(|entry| entry.sequence == sequence)?;
        let is_reversed = self.entries.iter().any(|other| other.reverses == Some(sequence));
        (sequence > 1 && entry.points != 0 && entry.reverses.is_none() && !is_reversed)
            .then_some(entry.points)
    }

    /// The user at the end.
    pub(crate) fn user(&self) -> Option<Seen> {
        self.states.last().copied()
    }

    fn state(&self, sequence: u64) -> Option<Seen> {
        let index = usize::try_from(sequence).ok()?.checked_sub(1)?;
        self.states.get(index).copied()
    }

    /// Compares the history with all answers. Returns the contradictions.
    pub(crate) fn compare(&self, told: &[Told]) -> Vec<String> {
        let mut wrong = Vec::new();
        let known = Known::of(told);
        let mut by_mark: HashMap<&str, Vec<&Told>> = HashMap::new();
        for one in told {
            by_mark.entry(&one.mark).or_default().push(one);
        }
        let mut places: HashMap<&str, Vec<u64>> = HashMap::new();
        for entry in &self.entries {
            if let Some(mark) = &entry.mark {
                places.entry(mark).or_default().push(entry.sequence);
                if !by_mark.contains_key(mark.as_str()) {
                    wrong.push(format!("nobody asked for entry {} ({mark})", entry.sequence));
                }
            }
        }
        for (mark, told) in &by_mark {
            let places = places.get(mark).map(Vec::as_slice).unwrap_or_default();
            if let Err(why) = Self::compare_request(places, told, &known) {
                wrong.push(format!("{why}: {told:?} stands at {places:?}"));
            }
        }
        for one in told {
            if let Err(why) = self.compare_answer(one, &known, &places, &by_mark) {
                wrong.push(format!("{why}: {one:?}"));
            }
        }
        wrong
    }

    /// Compares one request, sent once or several times, with its `places` in the history.
    fn compare_request(places: &[u64], told: &[&Told], known: &Known) -> Result<(), &'static str> {
        if !told.iter().all(|told| told.action.is_change()) || told[0].action == Action::Promote {
            // These leave no trace in the history.
            return Ok(());
        }
        let is_done = told.iter().any(|told| matches!(told.result, Outcome::Done(_)));
        let is_unknown = |told: &&Told| matches!(told.result, Outcome::Lost | Outcome::Unavailable);
        match places {
            [] if is_done => Err("an acknowledged change is lost"),
            [] => Ok(()),
            _ if !is_done && !told.iter().any(is_unknown) => Err("a refused change was made"),
            [place] => {
                let called = told.iter().map(|told| told.called).min().unwrap_or_default();
                if *place <= known.before(called) {
                    return Err("it stands before what was known when it was sent");
                }
                let seen = told.iter().filter_map(|told| told.sequence).min();
                if is_done && seen.is_some_and(|seen| seen < *place) {
                    return Err("its answer is of a time before it");
                }
                Ok(())
            }
            _ => Err("a change was made twice"),
        }
    }

    /// Compares one answer with the state that it describes.
    fn compare_answer(
        &self,
        told: &Told,
        known: &Known,
        places: &HashMap<&str, Vec<u64>>,
        by_mark: &HashMap<&str, Vec<&Told>>,
    ) -> Result<(), &'static str> {
        let before = known.before(told.called);
        match told.result {
            Outcome::Done(seen) => {
                let sequence = told.sequence.unwrap_or_default();
                // A repeated creation is answered like the first one.
                if self.state(sequence) != Some(seen) {
                    Err("the user was never so")
                } else if sequence < before && !matches!(told.action, Action::Create(_)) {
                    Err("the answer is older than another one that came before it was asked for")
                } else {
                    Ok(())
                }
            }
            Outcome::NoSuchUser if before > 0 => Err("the user was known before"),
            Outcome::Refused => {
                let sent_later = |mark: &&str| {
                    let first = by_mark[mark].iter().map(|told| told.called).min();
                    first.is_some_and(|first| first > told.answered)
                };
                let later = places
                    .keys()
                    .filter(|mark| by_mark.contains_key(**mark) && sent_later(mark));
                let end = later.filter_map(|mark| places[mark].first()).min();
                let end = end.copied().unwrap_or(self.entries.len() as u64 + 1);
                let is_refused = |sequence: u64| {
                    let points = self.state(sequence).map_or(0, |user| user.points);
                    match told.action {
                        Action::Create(_) => true,
                        Action::Award(by) => points + by < 0,
                        Action::Reverse(reversed, by) => {
                            let mut until =
                                self.entries.iter().take_while(|entry| entry.sequence <= sequence);
                            points + by < 0 || until.any(|entry| entry.reverses == Some(reversed))
                        }
                        _ => false,
                    }
                };
                if (before.max(1)..end).any(is_refused) {
                    Ok(())
                } else {
                    Err("there was no reason to refuse it")
                }
            }
            _ => Ok(()),
        }
    }
}

/// What clients knew at which time.
struct Known(Vec<(Duration, u64)>);

impl Known {
    fn of(told: &[Told]) -> Self {
        let mut known: Vec<_> = told
            .iter()
            .filter_map(|told| Some((told.answered, told.sequence?)))
            .collect();
        known.sort_unstable();
        let mut newest = 0;
        for (_, sequence) in &mut known {
            newest = newest.max(*sequence);
            *sequence = newest;
        }
        Self(known)
    }

    /// The newest sequence number in an answer before this time; 0 if there was none.
    fn before(&self, time: Duration) -> u64 {
        let count = self.0.partition_point(|(answered, _)| *answered < time);
        count.checked_sub(1).map_or(0, |last| self.0[last].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(called: u64, answered: u64, mark: &str, action: Action, result: Outcome, sequence: u64) -> Told {
        Told {
            mark: mark.to_owned(),
            action,
            result,
            called: Duration::from_millis(called),
            answered: Duration::from_millis(answered),
            sequence: (sequence > 0).then_some(sequence),
        }
    }

    fn done(points: i64) -> Outcome {
        Outcome::Done(Seen {
            points,
            ..Seen::default()
        })
    }

    /// A creation with 10 points, then changes by `points`, called `a`, `b` and so on.
    fn entries(points: &[i64]) -> Vec<Value> {
        let mut balance = 10;
        let mut entries = vec![json!({"sequence": 1, "change": "created", "points": 10, "balance": 10})];
        for ((sequence, mark), points) in (2..).zip('a'..).zip(points) {
            balance += points;
            entries.push(json!({
                "sequence": sequence, "change": "points", "points": points, "balance": balance, "reason": mark
            }));
        }
        entries
    }

    fn all(entries: &[Value], told: &[Told]) -> Vec<String> {
        let last = entries.last().unwrap();
        let points = entries.iter().map(|entry| entry["points"].as_i64().unwrap());
        let earned: i64 = points.filter(|points| *points > 0).sum();
        let head = json!({"points": last["balance"], "earned": earned});
        let (history, mut wrong) = History::read(entries, &head, told);
        wrong.extend(history.compare(told));
        wrong
    }

    #[track_caller]
    fn right(entries: &[Value], told: &[Told]) {
        assert_eq!(all(entries, told), Vec::<String>::new());
    }

    #[track_caller]
    fn wrong(entries: &[Value], told: &[Told], why: &str) {
        let found = all(entries, told);
        assert!(found.iter().any(|found| found.contains(why)), "{found:?}");
    }

    #[test]
    fn a_history_that_explains_all_answers_is_right() {
        let told = [
            told(1, 2, "x", Action::Create(10), done(10), 1),
            told(3, 9, "a", Action::Award(5), Outcome::Lost, 0),
            told(4, 8, "b", Action::Award(-15), done(0), 3),
            told(10, 12, "c", Action::Award(-1), Outcome::Refused, 0),
            told(11, 13, "y", Action::Read, done(0), 3),
        ];
        right(&entries(&[5, -15]), &told);
    }

    #[test]
    fn a_lost_a_double_and_an_invented_change_are_found() {
        let award = told(3, 9, "a", Action::Award(5), done(15), 2);
        wrong(&entries(&[]), std::slice::from_ref(&award), "is lost");
        let mut twice = entries(&[5, 5]);
        twice[2]["reason"] = "a".into();
        wrong(&twice, std::slice::from_ref(&award), "made twice");
        wrong(&entries(&[5, 7]), &[award], "nobody asked");
        let refused = told(3, 9, "a", Action::Award(-5), Outcome::Refused, 0);
        wrong(&entries(&[-5]), &[refused], "refused change was made");
    }

    #[test]
    fn an_order_that_contradicts_time_is_found() {
        let in_order = [
            told(1, 2, "b", Action::Award(7), done(17), 2),
            told(3, 4, "a", Action::Award(5), done(22), 3),
        ];
        wrong(&entries(&[5, 7]), &in_order, "stands before what was known");
        let stale = [
            told(1, 2, "a", Action::Award(5), done(15), 2),
            told(3, 4, "r", Action::Read, done(10), 1),
        ];
        wrong(&entries(&[5]), &stale, "older than another one");
    }

    #[test]
    fn sums_and_refusals_without_a_reason_are_found() {
        let mut damaged = entries(&[5]);
        damaged[1]["balance"] = 16.into();
        let award = told(3, 9, "a", Action::Award(5), done(15), 2);
        wrong(&damaged, std::slice::from_ref(&award), "does not follow");
        let refused = told(10, 11, "c", Action::Award(-1), Outcome::Refused, 0);
        wrong(&entries(&[5]), &[award.clone(), refused], "no reason to refuse");
        let other = told(10, 11, "r", Action::Read, done(16), 2);
        wrong(&entries(&[5]), &[award, other], "never so");
    }

    #[test]
    fn a_second_reversal_of_one_change_is_found() {
        let mut once = entries(&[5, -5]);
        once[2]["reverses"] = 2.into();
        let told = [
            told(1, 2, "a", Action::Award(5), done(15), 2),
            told(3, 4, "b", Action::Reverse(2, -5), done(10), 3),
            told(5, 6, "c", Action::Reverse(2, -5), Outcome::Refused, 0),
        ];
        let head = json!({"points": 10, "earned": 10});
        let (history, inconsistent) = History::read(&once, &head, &told);
        assert_eq!((inconsistent, history.compare(&told)), (vec![], vec![]));
        let mut twice = entries(&[5, -5, -5]);
        twice[2]["reverses"] = 2.into();
        twice[3]["reverses"] = 2.into();
        wrong(&twice, &told, "entry 4 does not follow");
    }
}
