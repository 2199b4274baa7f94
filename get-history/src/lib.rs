//! `GET` and `HEAD /user/history/:username`: returns every change of a user, newest first.

use users::api::{Answer, Authorized, Problem};

users::function!(GET, HEAD => answer);

async fn answer(request: Authorized<'_>) -> Result<Answer, Problem> {
    let username = request.username()?;
    let preconditions = request.preconditions()?;
    let query = request.query().of_history()?;
    let store = request.store();
    let unknown = || Problem::user_not_found(&username);
    let envelope = store.read(&username).await?.ok_or_else(unknown)?;
    if preconditions.not_modified(&envelope)? {
        return Ok(Answer::not_modified(&envelope));
    }
    let page = store
        .history(&username, envelope, query.before, query.limit.get())
        .await?;
    Answer::history(&username, &page.ok_or_else(unknown)?, query)
}
