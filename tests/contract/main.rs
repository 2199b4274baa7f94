//! `docs/openapi.yaml` says what the application does: it is held to the Rust types, to `spin.toml`, to the answers of
//! a running application, and by Schemathesis to itself.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on panics"
)]

mod answers;
mod document;
mod examples;
mod linter;
mod routes;
mod schemathesis;
mod types;
