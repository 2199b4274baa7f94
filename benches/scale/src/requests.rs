//! The requests, made of the very code that the functions run: `users::storage`.

use users::domain::merge_patch::UserPatch;
use users::domain::points_request::PointsRequest;
use users::domain::tier::Promotion;
use users::domain::user::User;
use users::domain::username::Username;
use users::storage::environment::Environment;
use users::storage::operation::{IdempotencyKey, Identity, Operation};
use users::storage::{Bounds, CreateOutcome, StoreError, UpdateOutcome, UserStore};

/// A request to one of the functions.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    Create(User, Option<IdempotencyKey>),
    Get(Username),
    Award(Username, Option<IdempotencyKey>),
    Promote(Username),
    Update(Username),
    History(Username),
    List,
    Erase(Username),
    /// What `publish-events` asks of the store for one change.
    Publish(Username),
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The store failed, or other requests interfered: 503.
    Store(StoreError),
    /// The outcome is not one that the simulation intends.
    Unexpected,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Carries out a request.
///
/// # Errors
/// Returns [`Failure::Store`] where the function would answer 503, [`Failure::Unexpected`] if the users are not there
/// that the request needs.
pub(crate) async fn perform<E: Environment>(store: &UserStore<E>, request: &Request) -> Result<(), Failure> {
    let is_done = match request {
        Request::Create(user, key) => {
            let operation = match key {
                Some(key) => Operation::creation(key, user),
                None => store.operation().await,
            };
            let outcome = store.create(user, &operation, &Promotion::STANDARD).await?;
            matches!(outcome, CreateOutcome::Created { .. })
        }
        Request::Get(name) => store.read(name).await?.is_some(),
        Request::Award(name, key) => {
            let award = r#"{"points":30}"#;
            let identity = match key {
                Some(key) => Identity::Keyed {
                    key: key.clone(),
                    request: award.to_owned(),
                },
                None => Identity::Fresh(store.operation().await),
            };
            let award = PointsRequest::from_client(award.as_bytes()).map_err(|_| Failure::Unexpected)?;
            is_change(
                &store
                    .change_points(name, &identity, &award, &Promotion::STANDARD, |_| Ok::<_, ()>(()))
                    .await?,
            )
        }
        Request::Promote(name) => is_change(
            &store
                .promote(name, &Promotion::STANDARD, |_| Ok::<_, ()>(()))
                .await?,
        ),
        Request::Update(name) => {
            let patch = UserPatch::from_client(br#"{"city":"Ulm"}"#).map_err(|_| Failure::Unexpected)?;
            let changed = store.merge(
                name,
                &patch,
                |_| Ok::<_, users::domain::json::InvalidDocument>(()),
            );
            is_change(&changed.await?)
        }
        Request::History(name) => match store.read(name).await? {
            Some(envelope) => store.history(name, envelope, None, 20).await?.is_some(),
            None => false,
        },
        Request::List => {
            let bounds = Bounds {
                users: 50,
                names: 500,
                bytes: 1024 * 1024,
            };
            store.list(None, bounds, |_| Some(())).await?.users.len() == 50
        }
        Request::Erase(name) => {
            let erased = store.erase(name, |_| Ok::<_, ()>(())).await?;
            erased == users::storage::EraseOutcome::Erased
        }
        Request::Publish(name) => {
            store.receiver_state().await?;
            store.publish(name, async |_, _, _| Ok(true)).await?.published > 0
        }
    };
    if is_done { Ok(()) } else { Err(Failure::Unexpected) }
}

fn is_change<R>(outcome: &UpdateOutcome<R>) -> bool {
    matches!(outcome, UpdateOutcome::Done(_))
}
