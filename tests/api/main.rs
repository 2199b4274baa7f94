//! The promises of the application, each tested from outside.
#![expect(clippy::panic, reason = "what helps the tests may fail them")]

mod access;
mod answers;
mod award;
mod conditional;
mod create;
mod errors;
mod get;
mod host;
mod independence;
mod log;
mod promote;
mod retries;
mod transcript;
