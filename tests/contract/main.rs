//! Checks `docs/openapi.yaml` against the Rust types, against `spin.toml`, against the answers of
//! a running application, and with Schemathesis.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on panics"
)]

mod answers;
mod document;
mod examples;
mod generated_client;
mod linter;
mod routes;
mod schemathesis;
mod types;
