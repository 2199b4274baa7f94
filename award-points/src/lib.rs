//! `POST /user/points/:username`: adds points to a user's, or redeems some, exactly once.

use spin_sdk::http::Method;
use spin_sdk::wasip3::exports::http::handler::Guest;
use spin_sdk::wasip3::http::service::export;
use spin_sdk::wasip3::http::types::{ErrorCode, Request, Response};
use users::http::{self, Answer, Authorized, Problem};
use users::operation::Operation;
use users::points::{Change, Points};

struct AwardPoints;

export!(AwardPoints);

impl Guest for AwardPoints {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        http::serve(env!("CARGO_PKG_NAME"), request, &[Method::POST], answer).await
    }
}

async fn answer(request: Authorized<'_>) -> Result<Answer, Problem> {
    let store = request.store();
    let username = request.username()?;
    let preconditions = request.preconditions()?;
    let key = request.idempotency_key()?;
    let change = Change::from_client(&request.json_body().await?).map_err(Problem::invalid_points)?;
    let operation = match key {
        Some(key) => Operation::award(&key, &username, change),
        None => store.operation().await,
    };
    let awarded = store.update(&username, &operation, |record, user| {
        preconditions.check(record)?;
        let points = user.points().unwrap_or(Points::ZERO).changed_by(change)?;
        Ok(Some(user.with_points(points)))
    });
    http::updated(&username, awarded.await?)
}
