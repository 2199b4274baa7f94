//! `POST /user`: stores a new user's record.

use users::api::{Answer, Authorized, Problem};
use users::domain::user::User;
use users::platform::settings;
use users::storage::operation::Operation;

users::function!(POST => answer);

async fn answer(request: Authorized<'_>) -> Result<Answer, Problem> {
    let store = request.store();
    let key = request.idempotency_key()?;
    let preconditions = request.preconditions()?;
    let user = User::from_client(&request.json_body().await?).map_err(Problem::invalid_user)?;
    preconditions.check_creation()?;
    let promotion = settings::automatic_promotion().await?;
    let events = settings::events().await?;
    let operation = match key {
        Some(key) => Operation::creation(&key, &user),
        None => store.operation().await,
    };
    let created = store.create(&user, &operation, &promotion).await?;
    Ok(Answer::created(user.username(), created)?.announced(user.username(), events))
}
