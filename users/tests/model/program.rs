//! What a client runs: one request, as the functions make it.

use crate::recorder::Recorder;
use crate::text::Text;
use std::convert::Infallible;
use users::domain::json::InvalidDocument;
use users::domain::merge_patch::UserPatch;
use users::domain::points_request::PointsRequest;
use users::domain::tier::Promotion;
use users::domain::user::User;
use users::domain::username::Username;
use users::storage::operation::{Identity, Operation};
use users::storage::{
    Bounds, CreateOutcome, EraseOutcome, PointsRefusal, StoreError, UpdateOutcome, UserStore,
};

/// A request, and the number by which its random values differ from those of all others.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) number: u64,
    pub(crate) username: Username,
    pub(crate) request: Request,
}

#[derive(Clone, Debug)]
pub(crate) enum Request {
    Create {
        points: u64,
        key: Option<&'static str>,
    },
    /// As `Create`, but only until the idempotency key is bound.
    Bind {
        points: u64,
        key: &'static str,
    },
    Award {
        points: i64,
        key: Option<&'static str>,
    },
    Reverse {
        sequence: u64,
        key: Option<&'static str>,
    },
    Promote,
    Merge,
    Erase,
    CleanUp,
    /// Publishes what was not published of its user, once the change by the client of this number was acknowledged.
    Publish {
        after: Option<usize>,
    },
    /// Publishes what was not published, of all users, and cleans up.
    Sweep,
    /// Reads the whole history.
    History,
    /// Walks through the directory, one user a page, once the creation by the client of this number was acknowledged.
    Walk {
        after: Option<usize>,
    },
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    Created,
    Taken,
    KeyReused,
    UserErased,
    /// The program was to run until the binding of its key.
    Bound,
    Done,
    /// Another request with the same idempotency key made the change.
    Replayed,
    Unchanged,
    NoSuchUser,
    AlreadyReversed,
    Refused,
    Erased,
    /// The names of the users that were shown, in their order, with blanks between them.
    Walked(Text),
    /// Whether the history has every entry, in order.
    History(bool),
    /// Whether there is more to be cleaned up.
    CleanUp(bool),
    /// Whether there is more to be published.
    Published(bool),
    TryAgain,
    Unavailable,
    Corrupt,
}

impl Program {
    pub(crate) fn new(number: u64, username: &str, request: Request) -> Self {
        Self {
            number,
            username: username.parse().unwrap(),
            request,
        }
    }

    /// The random value number `count` that it draws. As an operation draws the first one, the creation, which does not,
    /// has one of its own.
    pub(crate) fn random(&self, count: u64) -> u64 {
        self.number << 8 | count
    }

    /// The key of the user.
    pub(crate) fn key(&self) -> Text {
        Text::new(format!("user:{}", self.username.case_folded()).as_bytes())
    }

    fn user(&self, points: u64) -> User {
        let json = format!(r#"{{"username":"{}","points":{points}}}"#, self.username.as_str());
        User::from_client(json.as_bytes()).unwrap()
    }

    fn identity(&self, key: Option<&str>, request: String) -> Identity {
        match key {
            Some(key) => Identity::Keyed {
                key: key.parse().unwrap(),
                request,
            },
            None => Identity::Fresh(Operation::fresh(self.random(0))),
        }
    }

    /// The stored form of its operation on a user that was created as entry `first`; none if it has no operation.
    pub(crate) fn operation(&self, first: u64) -> Option<String> {
        let operation = match self.request {
            Request::Create { points, key } => self.creation(points, key),
            Request::Bind { points, key } => self.creation(points, Some(key)),
            Request::Award { key: Some(key), .. } | Request::Reverse { key: Some(key), .. } => {
                let request = self.points_request().to_canonical_json();
                Operation::change_of_points(&key.parse().unwrap(), &self.username, first, &request)
            }
            Request::CleanUp
            | Request::Publish { .. }
            | Request::Sweep
            | Request::History
            | Request::Walk { .. } => return None,
            _ => Operation::fresh(self.random(0)),
        };
        Some(operation.to_string())
    }

    fn creation(&self, points: u64, key: Option<&str>) -> Operation {
        match key {
            Some(key) => Operation::creation(&key.parse().unwrap(), &self.user(points)),
            None => Operation::fresh(self.random(0xff)),
        }
    }

    fn points_request(&self) -> PointsRequest {
        let json = match self.request {
            Request::Reverse { sequence, .. } => format!(r#"{{"reverses":{sequence}}}"#),
            Request::Award { points, .. } => format!(r#"{{"points":{points}}}"#),
            _ => unreachable!("no change of points"),
        };
        PointsRequest::from_client(json.as_bytes()).unwrap()
    }

    /// Makes the request. `receiver` knows the rule and takes events.
    pub(crate) async fn run(&self, store: &UserStore<Recorder>, receiver: &Recorder) -> Outcome {
        let promotion = receiver.promotion();
        let accept = |_: &_| Ok::<(), Infallible>(());
        match &self.request {
            Request::Create { points, key } => self.create(store, &promotion, *points, *key).await,
            Request::Bind { points, key } => self.create(store, &promotion, *points, Some(key)).await,
            Request::Award { key, .. } | Request::Reverse { key, .. } => {
                let request = self.points_request();
                let identity = self.identity(*key, request.to_canonical_json());
                let changed = store.change_points(&self.username, &identity, &request, &promotion, accept);
                updated(changed.await, |refusal| match refusal {
                    PointsRefusal::AlreadyReversed(_) => Outcome::AlreadyReversed,
                    _ => Outcome::Refused,
                })
            }
            Request::Promote => {
                let promoted = store.promote(&self.username, &promotion, accept).await;
                updated(promoted, |never| match never {})
            }
            Request::Merge => {
                let patch = format!(r#"{{"city":"{}"}}"#, self.number);
                let patch = UserPatch::from_client(patch.as_bytes()).unwrap();
                let accept = |_: &_| Ok::<(), InvalidDocument>(());
                updated(store.merge(&self.username, &patch, accept).await, |_| {
                    Outcome::Refused
                })
            }
            Request::Erase => match store.erase(&self.username, accept).await {
                Ok(EraseOutcome::Erased) => Outcome::Erased,
                Ok(EraseOutcome::NoSuchUser) => Outcome::NoSuchUser,
                Ok(EraseOutcome::Refused(never)) => match never {},
                Err(error) => failed(&error),
            },
            Request::CleanUp => match store.clean_up(&self.username).await {
                Ok(has_more) => Outcome::CleanUp(has_more),
                Err(error) => failed(&error),
            },
            Request::History => history(store, &self.username)
                .await
                .unwrap_or_else(|error| failed(&error)),
            Request::Publish { .. } => match publish(store, receiver, &self.username).await {
                Ok(is_pending) => Outcome::Published(is_pending),
                Err(error) => failed(&error),
            },
            Request::Sweep => match sweep(store, receiver).await {
                Ok(is_pending) => Outcome::Published(is_pending),
                Err(error) => failed(&error),
            },
            Request::Walk { .. } => walk(store).await.unwrap_or_else(|error| failed(&error)),
        }
    }

    async fn create(
        &self,
        store: &UserStore<Recorder>,
        promotion: &Promotion,
        points: u64,
        key: Option<&str>,
    ) -> Outcome {
        let creation = self.creation(points, key);
        match store.create(&self.user(points), &creation, promotion).await {
            Ok(CreateOutcome::Created { is_replay: false, .. }) => Outcome::Created,
            Ok(CreateOutcome::Created { is_replay: true, .. }) => Outcome::Replayed,
            Ok(CreateOutcome::Taken) => Outcome::Taken,
            Ok(CreateOutcome::KeyReused) => Outcome::KeyReused,
            Ok(CreateOutcome::Erased) => Outcome::UserErased,
            Err(error) => failed(&error),
        }
    }
}

/// Publishes the changes of a user. Returns whether there are more.
async fn publish(
    store: &UserStore<Recorder>,
    receiver: &Recorder,
    username: &Username,
) -> Result<bool, StoreError> {
    let published = store.publish(username, async |_, sequence, entry| {
        Ok(receiver.deliver(username, sequence, entry).await)
    });
    Ok(published.await?.pending > 0)
}

/// Publishes what was not published, and cleans up. Returns whether there is more to be published.
async fn sweep(store: &UserStore<Recorder>, receiver: &Recorder) -> Result<bool, StoreError> {
    let mut is_pending = false;
    for name in store.names(None, usize::MAX).await?.users {
        store.clean_up(&name).await?;
        is_pending |= publish(store, receiver, &name).await?;
    }
    Ok(is_pending)
}

async fn history(store: &UserStore<Recorder>, username: &Username) -> Result<Outcome, StoreError> {
    let Some(envelope) = store.read(username).await? else {
        return Ok(Outcome::NoSuchUser);
    };
    let Some(page) = store.history(username, envelope, None, usize::MAX).await? else {
        return Ok(Outcome::NoSuchUser);
    };
    let sequences = page.entries.iter().map(|(sequence, _)| *sequence);
    let expected = (page.envelope.first()..=page.envelope.sequence()).rev();
    Ok(Outcome::History(sequences.eq(expected) && page.next.is_none()))
}

async fn walk(store: &UserStore<Recorder>) -> Result<Outcome, StoreError> {
    let bounds = Bounds {
        users: 1,
        names: usize::MAX,
        bytes: usize::MAX,
    };
    let mut shown = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.list(cursor.as_ref(), bounds, |envelope| {
            let record: serde_json::Value = serde_json::from_str(envelope.record()).ok()?;
            record["username"].as_str().map(str::to_owned)
        });
        let page = page.await?;
        shown.extend(page.users);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(Outcome::Walked(Text::new(shown.join(" ").as_bytes())));
        }
    }
}

fn updated<R>(outcome: Result<UpdateOutcome<R>, StoreError>, refused: impl FnOnce(R) -> Outcome) -> Outcome {
    match outcome {
        Ok(UpdateOutcome::Done(_)) => Outcome::Done,
        Ok(UpdateOutcome::Replayed(_)) => Outcome::Replayed,
        Ok(UpdateOutcome::Unchanged(_)) => Outcome::Unchanged,
        Ok(UpdateOutcome::NoSuchUser) => Outcome::NoSuchUser,
        Ok(UpdateOutcome::KeyReused) => Outcome::KeyReused,
        Ok(UpdateOutcome::Refused(refusal)) => refused(refusal),
        Err(error) => failed(&error),
    }
}

fn failed(error: &StoreError) -> Outcome {
    match error {
        StoreError::Unavailable => Outcome::Unavailable,
        StoreError::TryAgain => Outcome::TryAgain,
        StoreError::PagesRemain => unreachable!("no history in the model is that long"),
        StoreError::Corrupt { .. } => Outcome::Corrupt,
    }
}
