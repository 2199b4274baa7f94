//! A function that traps on every request, which tests deploy instead of another.

use users::api::{Answer, Problem, Public};

users::public_function!(GET, HEAD, POST, PUT, PATCH, DELETE => answer);

async fn answer(_request: Public<'_>) -> Result<Answer, Problem> {
    std::process::abort()
}
