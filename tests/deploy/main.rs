//! What `deploy/` holds does what it says: the manifests of the functions apart, the configurations of their stores and
//! of the proxy before them, and the Kubernetes objects; one function replaced under load; records of other formats.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on panics, and all this is part of tests"
)]

mod apart;
mod custom_resources;
mod formats;
mod kubernetes;
mod manifests;
mod replacement;
mod runtime_config;
mod service;
mod unit;
