//! The happy paths of the functions' HTTP contract as a native server, to measure the functions against.
//!
//! It uses the functions' own record, rule and stored form, and the same table of the same database, so that what is
//! compared is how they are run. It leaves out what only other paths need: access, problem details, idempotency keys, and
//! the preconditions of changes. In place of the functions' directory it has an index.

mod answer;
mod changes;
mod database;
mod directory;
mod lifecycle;
mod reads;
mod records;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::routing::{delete, get, patch, post, put};
use axum::serve::ListenerExt;
use clap::Parser;
use tokio::net::TcpListener;

use crate::database::Database;

/// Serves users from an `SQLite` file.
#[derive(Parser)]
struct Arguments {
    /// The database file
    database: PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let database = Database::open(&arguments.database)
        .with_context(|| format!("cannot open {}", arguments.database.display()))?;
    let router = Router::new()
        .route("/user", post(lifecycle::create))
        .route("/user/{username}", get(reads::record))
        .route("/user/update/{username}", patch(changes::update))
        .route("/user/erase/{username}", delete(lifecycle::erase))
        .route("/user/promote/{username}", put(changes::promote))
        .route("/user/points/{username}", post(changes::points))
        .route("/user/history/{username}", get(reads::history))
        .route("/users", get(reads::list))
        .with_state(Arc::new(database));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("Serving http://{}", listener.local_addr()?);
    // It fails if the client is gone already.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, router).await?)
}
