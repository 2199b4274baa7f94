//! A function that traps on every request, for the tests to deploy in the place of another.

use spin_sdk::http::Request;
use spin_sdk::http_service;

#[http_service]
async fn trap(_request: Request) -> &'static str {
    std::process::abort()
}
