//! `PUT /user/promote/:username`: gives a user the status that the user's points earn.

use spin_sdk::http::{Method, Request};
use spin_sdk::http_service;
use users::http::{self, Answer, Authorized, Problem, Response};
use users::settings;

#[http_service]
async fn promote_user(request: Request) -> Response {
    http::serve(env!("CARGO_PKG_NAME"), request, &[Method::PUT], answer).await
}

async fn answer(request: Authorized<'_>) -> Result<Answer, Problem> {
    let store = request.store();
    let username = request.username()?;
    let preconditions = request.preconditions()?;
    let thresholds = settings::thresholds().await?;
    let operation = store.operation().await;
    let promoted = store.update(&username, &operation, |record, user| {
        preconditions.check(record)?;
        let tier = thresholds.tier(user.points());
        // A promotion that changes nothing writes nothing.
        Ok((user.status() != Some(tier)).then(|| user.with_status(tier)))
    });
    http::updated(&username, promoted.await?)
}
