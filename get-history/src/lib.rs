//! `GET` and `HEAD /user/history/:username`: returns every change of a user, newest first.

use users::api::{Answer, Authorized, Problem};

users::function!(GET, HEAD => answer);

async fn answer(request: Authorized<'_>) -> Result<Answer, Problem> {
    let username = request.username()?;
    let preconditions = request.preconditions()?;
    let query = request.query().of_history()?;
    let page = request
        .store()
        .history(&username, query.before, query.limit.get())
        .await?;
    let page = page.ok_or_else(|| Problem::user_not_found(&username))?;
    if preconditions.not_modified(&page.envelope)? {
        Ok(Answer::not_modified(&page.envelope))
    } else {
        Answer::history(&username, &page, query)
    }
}
