//! `PUT /user/promote/:username`: gives a user the status that the user's points earn.

use spin_sdk::http::Method;
use spin_sdk::wasip3::exports::http::handler::Guest;
use spin_sdk::wasip3::http::service::export;
use spin_sdk::wasip3::http::types::{ErrorCode, Request, Response};
use users::http::{self, Answer, Authorized, Problem};
use users::settings;

struct PromoteUser;

export!(PromoteUser);

impl Guest for PromoteUser {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        http::serve(env!("CARGO_PKG_NAME"), request, &[Method::PUT], answer).await
    }
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
