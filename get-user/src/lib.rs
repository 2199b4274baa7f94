//! `GET` and `HEAD /user/:username`: returns a user's record.

use spin_sdk::http::{Method, Request};
use spin_sdk::http_service;
use users::http::{self, Answer, Authorized, Problem, Response};

#[http_service]
async fn get_user(request: Request) -> Response {
    http::serve(
        env!("CARGO_PKG_NAME"),
        request,
        &[Method::GET, Method::HEAD],
        answer,
    )
    .await
}

async fn answer(request: Authorized<'_>) -> Result<Answer, Problem> {
    let username = request.username()?;
    let preconditions = request.preconditions()?;
    let record = request.store().read(&username).await?;
    let record = record.ok_or_else(|| Problem::user_not_found(&username))?;
    if preconditions.not_modified(&record)? {
        Ok(http::not_modified(&record))
    } else {
        Ok(http::record(&record))
    }
}
