//! `DELETE /user/erase/:username`: erases a person's data for good.

use users::api::{Answer, Authorized, Problem};
use users::platform::settings;

users::function!(DELETE => answer);

async fn answer(request: Authorized<'_>) -> Result<Answer, Problem> {
    let username = request.username()?;
    let preconditions = request.preconditions()?;
    let events = settings::events().await?;
    let erased = request
        .store()
        .erase(&username, |record| preconditions.check(record))
        .await?;
    Ok(Answer::erased(&username, erased)?.announced(&username, events))
}
