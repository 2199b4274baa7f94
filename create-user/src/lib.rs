//! `POST /user`: stores a new user's record.

use spin_sdk::http::Method;
use spin_sdk::wasip3::exports::http::handler::Guest;
use spin_sdk::wasip3::http::service::export;
use spin_sdk::wasip3::http::types::{ErrorCode, Request, Response};
use users::http::{self, Answer, Authorized, Problem};
use users::operation::Operation;
use users::user::User;

struct CreateUser;

export!(CreateUser);

impl Guest for CreateUser {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        http::serve(env!("CARGO_PKG_NAME"), request, &[Method::POST], answer).await
    }
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
