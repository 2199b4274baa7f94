//! What the end-to-end tests share: hosts, stores, manifests, and an HTTP client.
//!
//! ```no_run
//! # async fn example() {
//! let app = harness::App::start().await;
//! app.create(r#"{"username":"johndoe"}"#).await.exactly(201, r#"{"username":"johndoe"}"#);
//! app.get("/user/nobody").await.problem(404, "user-not-found");
//! app.stop();
//! # }
//! ```
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on panics, and all this is part of tests"
)]

mod app;
mod client;
mod manifest;
mod nginx;
pub mod python;
mod rabbitmq;
mod receiver;
mod redis;
mod state;

use std::net::TcpListener;
use std::path::{Path, PathBuf};

pub use app::{App, AppBuilder, Ended};
pub use client::{Reply, first_read, read_to_end};
pub use manifest::Manifest;
pub use nginx::Nginx;
pub use rabbitmq::RabbitMq;
pub use receiver::{Conduct, Receiver};
pub use redis::Redis;
pub use state::State;

/// The folder that holds `spin.toml`.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests are in a folder of the project")
}

/// Whether the tests run on Spin itself (`TEST_HOST=spin`) rather than on the embedded host.
pub fn on_spin() -> bool {
    match std::env::var("TEST_HOST").as_deref() {
        Ok("spin") => true,
        Ok("embedded") | Err(_) => false,
        Ok(other) => panic!("TEST_HOST is spin or embedded, not {other}"),
    }
}

/// Whether the tests deploy the functions built for WASI 0.3 (`TEST_WORLD=wasip3`) rather than those for WASI 0.2.
pub fn in_wasip3() -> bool {
    match std::env::var("TEST_WORLD").as_deref() {
        Ok("wasip3") => true,
        Ok("wasip2") | Err(_) => false,
        Ok(other) => panic!("TEST_WORLD is wasip2 or wasip3, not {other}"),
    }
}

/// Whether `cargo xtask test` could not install this program. Prints that, so that the test can return at once.
pub fn without(program: &str) -> bool {
    let missing =
        std::env::var("TESTS_WITHOUT").is_ok_and(|missing| missing.split(',').any(|name| name == program));
    if missing {
        eprintln!("left out: there is no {program} here");
    }
    missing
}

/// A function that traps on every request, to deploy instead of another.
pub fn trapping_function() -> PathBuf {
    let target = if in_wasip3() { "target/wasip3" } else { "target" };
    built(format!("{target}/wasm32-wasip2/release/trapping_function.wasm"))
}

/// The manifest of `tests/probe-function`, which shows what a host does for a function.
pub fn probe_manifest() -> PathBuf {
    built("target/wasm32-wasip2/release/probe_function.wasm");
    built("tests/probe-function/spin.toml")
}

/// Another build of `create-user`, which logs the build name `next`.
pub fn next_build() -> PathBuf {
    built("target/next/wasm32-wasip2/release/create_user.wasm")
}

/// Ports that nothing uses at the moment.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("its address").port())
}

/// Something that is built before the tests run.
fn built(path: impl AsRef<Path>) -> PathBuf {
    let path = root().join(path);
    assert!(
        path.exists(),
        "{} is missing: `cargo xtask test` builds it",
        path.display()
    );
    path
}
