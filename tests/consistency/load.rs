//! The load: clients who send requests, and record what they asked for and what they were told.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use http::Method;
use http::header::CONTENT_TYPE;

use crate::linearizability::{Action, Answer, Operation};
use crate::request::{Outcome, Reply, Request, read, sequence_of};
use crate::service::{Service, lock};
use crate::witness::Told;

impl Service {
    /// Sends a request once and reads the answer.
    pub(crate) async fn send(&self, host: usize, request: Request<'_>) -> Reply {
        let Request { user, action, key } = request;
        // Identifies the request in the user's history.
        let mark = key.map_or_else(|| format!("once-{}", fastrand::u64(..)), str::to_owned);
        let (method, path, body) = match action {
            Action::Create(points) => (
                Method::POST,
                "/user".to_owned(),
                Some(format!(r#"{{"username":"{user}","points":{points}}}"#)),
            ),
            Action::Award(points) => (
                Method::POST,
                format!("/user/points/{user}"),
                Some(format!(r#"{{"points":{points},"reason":"{mark}"}}"#)),
            ),
            Action::Reverse(sequence, _) => (
                Method::POST,
                format!("/user/points/{user}"),
                Some(format!(r#"{{"reverses":{sequence},"reason":"{mark}"}}"#)),
            ),
            // A history shows only the names of members.
            Action::Update(note) if !request.is_of_mortal() => (
                Method::PATCH,
                format!("/user/update/{user}"),
                Some(format!(r#"{{"note":{note},"{mark}":0}}"#)),
            ),
            Action::Update(note) => (
                Method::PATCH,
                format!("/user/update/{user}"),
                Some(format!(r#"{{"note":{note}}}"#)),
            ),
            Action::Promote => (Method::PUT, format!("/user/promote/{user}"), None),
            Action::Erase => (Method::DELETE, format!("/user/erase/{user}"), None),
            Action::Read => (Method::GET, format!("/user/{user}"), None),
        };
        let mut sent = self.http.request(method, self.url(host) + &path);
        if let Some(body) = body {
            sent = sent.header(CONTENT_TYPE, "application/json").body(body);
        }
        if let Some(key) = key {
            sent = sent.header("idempotency-key", key);
        }
        let called = self.since.elapsed();
        let mut sequence = u64::MAX;
        let result = match sent.send().await {
            Ok(response) => {
                sequence = sequence_of(&response).unwrap_or(sequence);
                read(response).await
            }
            Err(error) if error.is_connect() => Outcome::NotSent,
            Err(_) => Outcome::Lost,
        };
        let answered = self.since.elapsed();
        self.count(&request, &result, answered.saturating_sub(called));
        let told = Told {
            mark,
            action,
            result: result.clone(),
            called,
            answered,
            sequence: (sequence < u64::MAX).then_some(sequence),
        };
        lock(&self.told).entry(user.to_owned()).or_default().push(told);
        Reply {
            result,
            called,
            answered,
            sequence,
        }
    }

    fn count(&self, request: &Request<'_>, result: &Outcome, took: Duration) {
        let counter = match result {
            Outcome::Done(_) | Outcome::Erased | Outcome::NoSuchUser => &self.tally.answers,
            Outcome::Refused | Outcome::Gone => {
                self.tally.conflicts.fetch_add(1, Relaxed);
                &self.tally.answers
            }
            Outcome::TryAgain | Outcome::Unavailable => &self.tally.unavailable,
            Outcome::Lost => &self.tally.unanswered,
            Outcome::NotSent => return,
            Outcome::Unexpected(what) => {
                self.violation(format!("{:?} of {}: {what}", request.action, request.user));
                return;
            }
        };
        counter.fetch_add(1, Relaxed);
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.tally.slowest.fetch_max(took, Relaxed);
    }

    /// Sends a request once and records the outcome.
    pub(crate) async fn once(&self, host: usize, request: Request<'_>) -> Outcome {
        let reply = self.send(host, request).await;
        self.record(&request, &reply);
        reply.result
    }

    /// Sends a request, repeats it on another host or later if that is safe, and records the outcome.
    ///
    /// Without an idempotency key it is not repeated once it may have been carried out.
    pub(crate) async fn perform(&self, host: usize, request: Request<'_>) -> Outcome {
        let mut host = host;
        loop {
            match self.once(host, request).await {
                Outcome::NotSent => host = self.elsewhere(host).await,
                Outcome::TryAgain if !matches!(request.action, Action::Create(_)) => {
                    self.tally.retries.fetch_add(1, Relaxed);
                }
                other => return other,
            }
        }
    }

    /// Sends a request with an idempotency key until it has a final answer, or until `until` holds, and records it.
    pub(crate) async fn insist(
        &self,
        host: usize,
        request: Request<'_>,
        until: impl Fn() -> bool,
    ) -> Outcome {
        let mut host = host;
        let mut first = None;
        let reply = loop {
            let reply = self.send(host, request).await;
            let called = *first.get_or_insert(reply.called);
            if reply.result == Outcome::Gone && called == reply.called {
                self.violation(format!("{request:?}: 410 at once"));
            }
            if reply.result.is_final() || until() {
                let is_refused = matches!(reply.result, Outcome::Refused | Outcome::NoSuchUser);
                if is_refused && called < reply.called && request.is_of_mortal() {
                    // An earlier attempt may have been carried out, on a user who was erased since.
                    let lost = operation(request.action, Answer::None, &reply);
                    self.push(request.user, Operation { called, ..lost });
                }
                self.record_series(&request, called, std::slice::from_ref(&reply));
                break reply;
            }
            self.tally.retries.fetch_add(1, Relaxed);
            host = self.elsewhere(host).await;
        };
        reply.result
    }

    /// Returns the next host after a short pause.
    async fn elsewhere(&self, host: usize) -> usize {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(5..30))).await;
        (host + 1) % self.host_count()
    }

    /// Adds a request that was sent once to the history of its user.
    ///
    /// On Redis the answer to a change shows the user as read after the write, which may be after later changes.
    pub(crate) fn record(&self, request: &Request<'_>, reply: &Reply) {
        if matches!(request.action, Action::Reverse(..)) && reply.result == Outcome::Refused {
            // The search does not know what was reversed; the check of the history does.
            return;
        }
        if request.action.is_change() && self.is_on_redis() {
            if matches!(reply.result, Outcome::Done(_)) {
                self.record_series(request, reply.called, std::slice::from_ref(reply));
                return;
            }
            if reply.result == Outcome::NoSuchUser && request.is_of_mortal() {
                // It may have been carried out before the user was erased.
                self.push(request.user, operation(request.action, Answer::Maybe, reply));
                self.push(request.user, operation(Action::Read, Answer::NoSuchUser, reply));
                return;
            }
        }
        let answer = match reply.result {
            Outcome::Done(seen) => Answer::Done(seen),
            Outcome::Erased => Answer::Erased,
            Outcome::Refused => Answer::Refused,
            Outcome::NoSuchUser => Answer::NoSuchUser,
            Outcome::Unavailable | Outcome::Lost if request.action != Action::Read => Answer::None,
            _ => return,
        };
        self.push(request.user, operation(request.action, answer, reply));
    }

    /// Adds requests with one idempotency key, the first of which was sent at `called`, to the history: together they have one
    /// effect, and each answer shows the user at some time after that.
    pub(crate) fn record_series(&self, request: &Request<'_>, called: Duration, replies: &[Reply]) {
        let Request { user, action, .. } = *request;
        let done = |reply: &&Reply| matches!(reply.result, Outcome::Done(_) | Outcome::Gone);
        if let Some(first) = replies.iter().filter(done).min_by_key(|reply| reply.answered) {
            let hint = replies
                .iter()
                .map(|reply| reply.sequence)
                .min()
                .unwrap_or_default();
            let once = Operation {
                called,
                hint,
                ..operation(action, Answer::DoneOnce, first)
            };
            let once = self.push(user, once);
            for reply in replies {
                // A creation is answered with the record that was sent.
                if let (Outcome::Done(seen), false) = (&reply.result, matches!(action, Action::Create(_))) {
                    let read = operation(Action::Read, Answer::Done(*seen), reply);
                    self.push(
                        user,
                        Operation {
                            after: Some(once),
                            ..read
                        },
                    );
                }
            }
        }
        for reply in replies {
            let answer = match reply.result {
                Outcome::Refused if !matches!(action, Action::Reverse(..)) => Answer::Refused,
                Outcome::NoSuchUser => Answer::NoSuchUser,
                _ => continue,
            };
            self.push(user, operation(action, answer, reply));
        }
        if let [reply] = replies
            && !reply.result.is_final()
        {
            self.push(
                user,
                Operation {
                    called,
                    ..operation(action, Answer::None, reply)
                },
            );
        }
    }

    fn push(&self, user: &str, operation: Operation) -> usize {
        let mut histories = lock(&self.histories);
        let history = histories.entry(user.to_owned()).or_default();
        history.push(operation);
        history.len() - 1
    }

    /// Creates users with these points.
    pub(crate) async fn create_users(&self, users: &[String], points: i64) {
        for user in users {
            let action = Action::Create(points);
            let result = self.perform(0, Request::new(user, action)).await;
            assert!(matches!(result, Outcome::Done(_)), "{user}: {result:?}");
        }
    }
}

/// The operation that an answer reveals.
fn operation(action: Action, answer: Answer, reply: &Reply) -> Operation {
    Operation {
        action,
        answer,
        called: reply.called,
        answered: reply.answered,
        after: None,
        hint: reply.sequence,
    }
}
