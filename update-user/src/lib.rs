//! `PATCH /user/update/:username`: changes the members of a user's record that clients may set.

use users::api::{Answer, Authorized, Problem};
use users::domain::merge_patch::UserPatch;
use users::platform::settings;

users::function!(PATCH => answer);

async fn answer(request: Authorized<'_>) -> Result<Answer, Problem> {
    let store = request.store();
    let username = request.username()?;
    let preconditions = request.preconditions()?;
    let patch = UserPatch::from_client(&request.merge_patch_body().await?)?;
    let events = settings::events().await?;
    let updated = store.merge(&username, &patch, |record| preconditions.check(record));
    Ok(Answer::updated(&username, updated.await?)?.announced(&username, events))
}
