//! Whether what clients saw of one user can be explained by operations that happened one after the other, each at some
//! moment between its call and its answer (linearizability).
//!
//! This is the search of Wing and Gong with memoization as of Lowe. The crates that have one (`stateright`, `todc-utils`)
//! try operations without an answer in every possible subset, which a history with many kills does not survive; here
//! the search takes the state first that explains most answers with the fewest of them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::time::Duration;

/// How many states the search may visit; histories of these tests need about one per operation.
const LIMIT: usize = 30_000;

/// The state of a user, as a client sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Seen {
    pub(crate) points: i64,
    pub(crate) status: Option<&'static str>,
    /// The member `note`, which updates set.
    pub(crate) note: Option<i64>,
}

/// A client's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Creates the user with these points, which identify the request.
    Create(i64),
    Award(i64),
    /// Undoes the change with this sequence number, which was by the opposite of these points.
    Reverse(u64, i64),
    Promote,
    /// Sets the member `note`.
    Update(i64),
    Erase,
    Read,
}

impl Action {
    /// Whether it changes a user who is there already, and leaves one there.
    pub(crate) fn is_change(self) -> bool {
        !matches!(self, Self::Create(_) | Self::Erase | Self::Read)
    }
}

/// The answer to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It was done, and this is the user now.
    Done(Seen),
    /// It was done once, by this or an earlier request under the same idempotency key.
    DoneOnce,
    /// 204: the user is erased, by this request or by another one at the same time.
    Erased,
    /// 409: the username is taken, or the user has too few points.
    Refused,
    /// 404.
    NoSuchUser,
    /// An answer that does not tell whether the operation was done. If it was, that was before the answer.
    Maybe,
    /// No answer; the request may take effect at any later time, or never.
    None,
}

/// One operation on one user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    pub(crate) action: Action,
    pub(crate) answer: Answer,
    pub(crate) called: Duration,
    /// Meaningless if there is no answer.
    pub(crate) answered: Duration,
    /// The place in the history of the operation that is known to have been done before.
    pub(crate) after: Option<usize>,
    /// The number of changes that the answer's `ETag` tells of. The search tries lower ones first, and believes nothing
    /// of it.
    pub(crate) hint: u64,
}

/// The rule: more than 100 points make Gold, more than 50 Silver.
pub(crate) fn earned(points: i64) -> &'static str {
    match points {
        101.. => "Gold",
        51..=100 => "Silver",
        _ => "Bronze",
    }
}

impl Operation {
    /// Whether the answer tells what came of it, which the search then has to explain.
    fn is_told(&self) -> bool {
        !matches!(self.answer, Answer::Maybe | Answer::None)
    }

    fn deadline(&self) -> Duration {
        if self.is_told() {
            self.answered
        } else {
            Duration::MAX
        }
    }

    /// The user after this operation, if it can have been answered so in the state `user`.
    fn apply(&self, user: Option<Seen>) -> Result<Option<Seen>, Inexplicable> {
        let done = match (self.action, user) {
            (Action::Create(points), None) => Some(Some(Seen {
                points,
                ..Seen::default()
            })),
            (Action::Award(points) | Action::Reverse(_, points), Some(user)) if user.points + points >= 0 => {
                Some(Some(Seen {
                    points: user.points + points,
                    ..user
                }))
            }
            (Action::Promote, Some(user)) => Some(Some(Seen {
                status: Some(earned(user.points)),
                ..user
            })),
            (Action::Update(note), Some(user)) => Some(Some(Seen {
                note: Some(note),
                ..user
            })),
            (Action::Erase, Some(_)) => Some(None),
            (Action::Read, Some(user)) => Some(Some(user)),
            _ => None,
        };
        let explained = match self.answer {
            Answer::Done(seen) => done == Some(Some(seen)),
            Answer::DoneOnce | Answer::Maybe | Answer::None => done.is_some(),
            Answer::Erased => self.action == Action::Erase,
            Answer::Refused => done.is_none() && user.is_some(),
            Answer::NoSuchUser => user.is_none() && !matches!(self.action, Action::Create(_)),
        };
        if !explained {
            return Err(Inexplicable);
        }
        Ok(match self.answer {
            Answer::Refused | Answer::NoSuchUser => user,
            _ => done.flatten(),
        })
    }
}

/// An answer that does not fit a state.
struct Inexplicable;

/// A set of places in a history.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Places(Vec<u64>);

impl Places {
    fn contains(&self, place: usize) -> bool {
        self.0[place / 64] & (1 << (place % 64)) != 0
    }

    fn with(&self, place: usize) -> Self {
        let mut places = self.clone();
        places.0[place / 64] |= 1 << (place % 64);
        places
    }
}

/// Checks the history of one user, who does not exist at first.
///
/// # Errors
/// Returns how far the history can be explained.
pub(crate) fn check(history: &[Operation]) -> Result<(), String> {
    let answered = history.iter().filter(|operation| operation.is_told()).count();
    let mut by_call: Vec<usize> = (0..history.len()).collect();
    by_call.sort_by_key(|&place| history[place].called);

    let start = (Places(vec![0; history.len() / 64 + 1]), None::<Seen>);
    let mut seen = HashSet::from([start.clone()]);
    // Most answers explained first, then fewest operations without an answer, then as the answers suggest.
    let mut open = BinaryHeap::from([(0, Reverse(0), Reverse(0), start)]);
    let mut furthest = (0, None, None);
    while let Some((explained, Reverse(unanswered), _, (done, user))) = open.pop() {
        if explained == answered {
            return Ok(());
        }
        if seen.len() > LIMIT {
            return Err(format!(
                "undecided after {LIMIT} states, {explained} of {answered} explained"
            ));
        }
        let waiting = || by_call.iter().copied().filter(|&place| !done.contains(place));
        // Nothing that was called after another one had been answered can come before that.
        let deadline = waiting()
            .map(|place| history[place].deadline())
            .min()
            .unwrap_or_default();
        if explained >= furthest.0 {
            let stuck = waiting().find(|&place| history[place].deadline() == deadline);
            furthest = (explained, user, stuck.map(|place| history[place]));
        }
        // If a later operation was called after this one had been answered, it is too late for this one.
        let latest = by_call.iter().rev().find(|&&place| done.contains(place));
        let latest = latest.map_or(Duration::ZERO, |&place| history[place].called);
        for place in waiting().take_while(|&place| history[place].called <= deadline) {
            let operation = &history[place];
            let is_over = operation.answer == Answer::Maybe && operation.answered < latest;
            if is_over || operation.after.is_some_and(|before| !done.contains(before)) {
                continue;
            }
            let Ok(then) = operation.apply(user) else {
                continue;
            };
            let next = (done.with(place), then);
            let (explained, unanswered) = match operation.answer {
                // Without an effect it need not have happened.
                Answer::Maybe | Answer::None if then == user => continue,
                Answer::Maybe | Answer::None => (explained, unanswered + 1),
                _ => (explained + 1, unanswered),
            };
            if seen.insert(next.clone()) {
                open.push((explained, Reverse(unanswered), Reverse(operation.hint), next));
            }
        }
    }
    let (explained, user, stuck) = furthest;
    Err(format!(
        "{explained} of {answered} answers can be explained; then the user is {user:?} and the next is {stuck:?}"
    ))
}

#[cfg(test)]
mod tests {
    use super::Action::{Award, Create, Erase, Promote, Read, Update};
    use super::*;

    fn operation(called: u64, answered: u64, action: Action, answer: Answer) -> Operation {
        Operation {
            action,
            answer,
            called: Duration::from_millis(called),
            answered: Duration::from_millis(answered),
            after: None,
            hint: 0,
        }
    }

    fn done(points: i64) -> Answer {
        Answer::Done(Seen {
            points,
            ..Seen::default()
        })
    }

    fn created(then: impl IntoIterator<Item = Operation>) -> Vec<Operation> {
        let mut history = vec![operation(0, 1, Create(0), done(0))];
        history.extend(then);
        history
    }

    #[track_caller]
    fn right(then: impl IntoIterator<Item = Operation>) {
        assert_eq!(check(&created(then)), Ok(()));
    }

    #[track_caller]
    fn wrong(then: impl IntoIterator<Item = Operation>) {
        let verdict = check(&created(then)).unwrap_err();
        assert!(!verdict.contains("undecided"), "{verdict}");
    }

    #[test]
    fn accepts_any_order_of_what_overlaps() {
        right([
            operation(10, 20, Award(5), done(12)),
            operation(11, 19, Award(7), done(7)),
            operation(12, 18, Read, done(0)),
            operation(30, 31, Read, done(12)),
        ]);
    }

    #[test]
    fn finds_a_lost_update() {
        wrong([
            operation(10, 20, Award(5), done(5)),
            operation(11, 19, Award(7), done(7)),
            operation(30, 31, Read, done(7)),
        ]);
    }

    #[test]
    fn finds_a_stale_read() {
        wrong([
            operation(10, 20, Award(5), done(5)),
            operation(21, 22, Read, done(0)),
        ]);
        // Even if only another client has seen the new value.
        wrong([
            operation(10, 50, Award(5), done(5)),
            operation(20, 25, Read, done(5)),
            operation(30, 35, Read, done(0)),
        ]);
    }

    #[test]
    fn finds_what_was_applied_twice() {
        let twice = [
            operation(10, 20, Award(5), Answer::DoneOnce),
            operation(30, 31, Read, done(10)),
        ];
        wrong(twice);
        wrong([
            operation(10, 0, Award(5), Answer::None),
            operation(30, 31, Read, done(10)),
        ]);
    }

    #[test]
    fn an_operation_without_an_answer_happens_later_or_never() {
        for points in [0, 5] {
            right([
                operation(10, 0, Award(5), Answer::None),
                operation(20, 21, Read, done(0)),
                operation(30, 31, Read, done(points)),
            ]);
        }
        // But not before it was called, and it does not end.
        wrong([
            operation(20, 21, Read, done(5)),
            operation(30, 0, Award(5), Answer::None),
        ]);
        wrong([
            operation(10, 0, Award(5), Answer::None),
            operation(20, 21, Read, done(5)),
            operation(30, 31, Read, done(0)),
        ]);
    }

    #[test]
    fn an_answer_that_does_not_tell_bounds_the_time() {
        for points in [0, 5] {
            right([
                operation(10, 20, Award(5), Answer::Maybe),
                operation(15, 25, Read, done(points)),
                operation(30, 31, Read, done(points)),
            ]);
        }
        wrong([
            operation(10, 20, Award(5), Answer::Maybe),
            operation(21, 22, Read, done(0)),
            operation(30, 31, Read, done(5)),
        ]);
    }

    #[test]
    fn finds_a_refused_change_that_was_made_and_a_refusal_without_a_reason() {
        wrong([
            operation(10, 20, Award(-5), Answer::Refused),
            operation(30, 31, Read, done(-5)),
        ]);
        wrong([
            operation(10, 20, Award(9), done(9)),
            operation(30, 31, Award(-9), Answer::Refused),
        ]);
    }

    #[test]
    fn finds_a_second_creation_and_one_that_was_overwritten() {
        wrong([operation(10, 11, Create(7), done(7))]);
        wrong([
            operation(10, 11, Create(7), Answer::Refused),
            operation(20, 21, Read, done(7)),
        ]);
        wrong([operation(20, 21, Read, Answer::NoSuchUser)]);
    }

    #[test]
    fn finds_a_status_that_the_points_did_not_earn() {
        let seen = |points, status| {
            Answer::Done(Seen {
                points,
                status: Some(status),
                note: None,
            })
        };
        right([
            operation(10, 30, Award(60), seen(60, "Bronze")),
            operation(11, 20, Promote, seen(0, "Bronze")),
            operation(40, 41, Promote, seen(60, "Silver")),
        ]);
        wrong([
            operation(10, 20, Award(60), done(60)),
            operation(30, 31, Promote, seen(60, "Bronze")),
        ]);
    }

    #[test]
    fn finds_a_user_who_comes_back_after_an_erasure() {
        right([
            operation(10, 20, Award(5), done(5)),
            operation(12, 30, Erase, Answer::Erased),
            operation(13, 31, Erase, Answer::Erased),
            operation(40, 41, Read, Answer::NoSuchUser),
            operation(42, 43, Award(1), Answer::NoSuchUser),
            operation(50, 51, Create(7), done(7)),
            operation(60, 61, Read, done(7)),
        ]);
        wrong([
            operation(10, 20, Erase, Answer::Erased),
            operation(30, 31, Read, done(0)),
        ]);
        wrong([
            operation(10, 20, Erase, Answer::NoSuchUser),
            operation(30, 31, Read, Answer::NoSuchUser),
        ]);
        // The points of the one before.
        wrong([
            operation(10, 20, Award(5), done(5)),
            operation(30, 31, Erase, Answer::Erased),
            operation(40, 41, Create(7), done(12)),
        ]);
    }

    #[test]
    fn finds_a_lost_update_of_a_member() {
        let noted = |note| {
            Answer::Done(Seen {
                note,
                ..Seen::default()
            })
        };
        right([
            operation(10, 20, Update(1), noted(Some(1))),
            operation(11, 21, Update(2), noted(Some(2))),
            operation(30, 31, Read, noted(Some(1))),
        ]);
        wrong([
            operation(10, 20, Update(1), noted(Some(1))),
            operation(30, 31, Read, noted(None)),
        ]);
    }

    #[test]
    fn what_a_repeated_request_saw_came_after_it_was_done() {
        let repeated = |seen| {
            let read = Operation {
                after: Some(1),
                ..operation(10, 30, Read, seen)
            };
            [operation(10, 30, Award(5), Answer::DoneOnce), read]
        };
        right(repeated(done(5)));
        wrong(repeated(done(0)));
    }

    #[test]
    fn many_operations_without_an_answer_can_be_searched() {
        let mut history = Vec::new();
        let mut points = 0;
        for place in 0..160_u32 {
            let at = 10 * u64::from(place + 1);
            if place % 4 == 0 {
                history.push(operation(at, 0, Award(1 << (place / 4 % 40)), Answer::None));
            } else {
                if place % 16 == 1 {
                    points += 1 << (place / 4 % 40);
                }
                points += 3;
                history.push(operation(at, at + 5, Award(3), done(points)));
            }
        }
        right(history);
    }
}
