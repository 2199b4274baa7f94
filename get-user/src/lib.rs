//! `GET` and `HEAD /user/:username`: returns a user's record.

use spin_sdk::http::Method;
use spin_sdk::wasip3::exports::http::handler::Guest;
use spin_sdk::wasip3::http::service::export;
use spin_sdk::wasip3::http::types::{ErrorCode, Request, Response};
use users::http::{self, Answer, Authorized, Problem};

struct GetUser;

export!(GetUser);

impl Guest for GetUser {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        http::serve(
            env!("CARGO_PKG_NAME"),
            request,
            &[Method::GET, Method::HEAD],
            answer,
        )
        .await
    }
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
