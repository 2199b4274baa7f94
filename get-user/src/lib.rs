//! `GET` and `HEAD /user/:username`: returns a user's record.

use users::api::{Answer, Authorized, Problem};

users::function!(GET, HEAD => answer);

async fn answer(request: Authorized<'_>) -> Result<Answer, Problem> {
    let username = request.username()?;
    let preconditions = request.preconditions()?;
    let record = request.store().read(&username).await?;
    let record = record.ok_or_else(|| Problem::user_not_found(&username))?;
    if preconditions.not_modified(&record)? {
        Ok(Answer::not_modified(&record))
    } else {
        Ok(Answer::record(&record))
    }
}
