//! `POST /user`: stores a new user's record.

use spin_sdk::http::{Method, Request};
use spin_sdk::http_service;
use users::http::{self, Authorized, Problem, Response};
use users::operation::Operation;
use users::spin::Spin;
use users::store::{Created, Store};
use users::user::User;

#[http_service]
async fn create_user(request: Request) -> Response {
    http::serve(request, &[Method::POST], answer).await
}

async fn answer(request: Authorized<'_>) -> Result<Response, Problem> {
    let key = request.idempotency_key()?;
    let user = User::from_client(&request.json_body().await?).map_err(Problem::invalid_user)?;
    let store = Store::new(Spin::default());
    let operation = match key {
        Some(key) => Operation::creation(&key, &user),
        None => store.operation().await,
    };
    match store.create(&user, &operation).await? {
        Created::Created => Ok(http::created(&user, &operation)),
        Created::Taken => Err(Problem::username_taken(user.username())),
        Created::KeyReused => Err(Problem::idempotency_key_reused()),
    }
}
