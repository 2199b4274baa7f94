//! The files in `deploy/` work: the manifests of single functions, the configurations of their stores and
//! of the proxy in front, and the Kubernetes objects; one function replaced under load; records in other formats; the
//! workflows of `.github`.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on panics, and all this is part of tests"
)]

mod apart;
mod custom_resources;
mod formats;
mod functions;
mod kubernetes;
mod manifests;
mod replacement;
mod runtime_config;
mod service;
mod unit;
mod workflows;
