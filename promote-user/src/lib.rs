//! `PUT /user/promote/:username`: sets the status that a user's points earn.

use users::api::{Answer, Authorized, Problem};
use users::platform::settings;

users::function!(PUT => answer);

async fn answer(request: Authorized<'_>) -> Result<Answer, Problem> {
    let username = request.username()?;
    let preconditions = request.preconditions()?;
    let promotion = settings::promotion().await?;
    let events = settings::events().await?;
    let check = |record: &_| preconditions.check(record);
    let promoted = request.store().promote(&username, &promotion, check).await?;
    Ok(Answer::updated(&username, promoted)?.announced(&username, events))
}
