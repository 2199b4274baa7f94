//! `GET` and `HEAD /users`: returns all users, or those with a tier or an email address, in pages.

use users::api::{Answer, Authorized, Problem};
use users::storage::Bounds;

users::function!(GET, HEAD => answer);

async fn answer(request: Authorized<'_>) -> Result<Answer, Problem> {
    let query = request.query();
    let query = query.of_users()?;
    let bounds = Bounds {
        users: query.limit.get(),
        names: 500,
        bytes: 1024 * 1024,
    };
    let chosen = |record: &str| query.chooses(record).then(|| record.to_owned());
    let page = request
        .store()
        .list(query.after.as_ref(), bounds, |user| chosen(user.record()))
        .await?;
    Ok(Answer::list(&page, &query))
}
