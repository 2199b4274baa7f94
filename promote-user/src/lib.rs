//! `PUT /user/promote/:username`: gives a user the status that the user's points earn.

use spin_sdk::http::{Method, Request};
use spin_sdk::http_service;
use users::http::{self, Authorized, Problem, Response};
use users::settings;
use users::spin::Spin;
use users::store::Store;

#[http_service]
async fn promote_user(request: Request) -> Response {
    http::serve(request, &[Method::PUT], answer).await
}

async fn answer(request: Authorized<'_>) -> Result<Response, Problem> {
    let username = request.username()?;
    let preconditions = request.preconditions()?;
    let thresholds = settings::thresholds().await?;
    let store = Store::new(Spin::default());
    let operation = store.operation().await;
    let promoted = store.update(&username, &operation, |record, user| {
        preconditions.check(record)?;
        let tier = thresholds.tier(user.points());
        // A promotion that changes nothing writes nothing.
        Ok((user.status() != Some(tier)).then(|| user.with_status(tier)))
    });
    http::updated(&username, promoted.await?)
}
