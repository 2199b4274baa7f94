//! `POST /user`: stores a new user's record.

use spin_sdk::http::{Method, Request};
use spin_sdk::http_service;
use users::http::{self, Answer, Authorized, Problem, Response};
use users::operation::Operation;
use users::user::User;

#[http_service]
async fn create_user(request: Request) -> Response {
    http::serve(env!("CARGO_PKG_NAME"), request, &[Method::POST], answer).await
}

async fn answer(request: Authorized<'_>) -> Result<Answer, Problem> {
    let store = request.store();
    let key = request.idempotency_key()?;
    let user = User::from_client(&request.json_body().await?).map_err(Problem::invalid_user)?;
    let operation = match key {
        Some(key) => Operation::creation(&key, &user),
        None => store.operation().await,
    };
    let created = store.create(&user, &operation).await?;
    http::created(&user, &operation, created)
}
