//! The happy paths of the functions' HTTP contract as a native server, to measure the functions against.
//!
//! It uses the functions' own record, rule and stored form, and the same table of the same database, so that what is
//! compared is how they are run. It leaves out what only other paths need: access, problem details, idempotency keys.

mod database;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::serve::ListenerExt;
use clap::Parser;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LAST_MODIFIED, LOCATION};
use http::{HeaderMap, StatusCode};
use tokio::net::TcpListener;
use users::envelope::Envelope;
use users::http::Preconditions;
use users::operation::Operation;
use users::points::{Change, Points};
use users::tier::Thresholds;
use users::user::User;
use users::username::Username;

use crate::database::Database;

/// Serves users from an `SQLite` file.
#[derive(Parser)]
struct Arguments {
    /// The database file
    database: PathBuf,
    /// Commit all writes that wait at one moment together, rather than each by itself
    #[arg(long)]
    group_commit: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let database = Database::open(&arguments.database, arguments.group_commit)
        .with_context(|| format!("cannot open {}", arguments.database.display()))?;
    let router = Router::new()
        .route("/user", post(create))
        .route("/user/{username}", get(read))
        .route("/user/promote/{username}", put(promote))
        .route("/user/points/{username}", post(award))
        .with_state(Arc::new(database));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("Serving http://{}", listener.local_addr()?);
    // It fails if the client is gone already.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, router).await?)
}

/// Why there is no answer of the contract.
enum Fault {
    NotFound,
    Conflict,
    Unprocessable,
    Precondition,
    Store(rusqlite::Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error)
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Conflict => StatusCode::CONFLICT,
            Self::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Precondition => StatusCode::PRECONDITION_FAILED,
            Self::Store(error) => {
                eprintln!("{error}");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        let body = format!(
            r#"{{"type":"about:blank","title":"{}","status":{}}}"#,
            status.canonical_reason().unwrap_or_default(),
            status.as_u16()
        );
        (status, [(CONTENT_TYPE, "application/problem+json")], body).into_response()
    }
}

async fn create(State(database): State<Arc<Database>>, body: Bytes) -> Result<Response, Fault> {
    let user = User::from_client(&body).map_err(|_| Fault::Unprocessable)?;
    let envelope = Envelope::new(&user, Operation::fresh(fastrand::u64(..)), SystemTime::now());
    let key = record_key(user.username());
    let value = envelope.to_bytes();
    if !database
        .write(move |records| records.insert(&key, &value))
        .await?
    {
        return Err(Fault::Conflict);
    }
    let response = Response::builder()
        .status(StatusCode::CREATED)
        .header(CONTENT_TYPE, "application/json")
        .header(LOCATION, format!("/user/{}", user.username()))
        .header(ETAG, entity_tag(&envelope));
    finish(response, user.to_json())
}

async fn read(
    State(database): State<Arc<Database>>,
    Path(username): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let preconditions = Preconditions::from_headers(&headers).map_err(|_| Fault::Precondition)?;
    let envelope = parse(database.read(&record_key(&parse_username(&username)?))?)?;
    if preconditions
        .not_modified(&envelope)
        .map_err(|_| Fault::Precondition)?
    {
        return finish(
            describe(&envelope).status(StatusCode::NOT_MODIFIED),
            Body::empty(),
        );
    }
    record(&envelope)
}

async fn promote(
    State(database): State<Arc<Database>>,
    Path(username): Path<String>,
) -> Result<Response, Fault> {
    let key = record_key(&parse_username(&username)?);
    let promoted = |envelope: &Envelope, user: User| {
        let tier = Thresholds::STANDARD.tier(user.points());
        (user.status() != Some(tier)).then(|| changed(envelope, &user.with_status(tier)))
    };
    let envelope = parse(database.read(&key)?)?;
    if promoted(&envelope, stored_user(&envelope)?).is_none() {
        return record(&envelope);
    }
    let envelope = database
        .write(move |records| {
            let envelope = parse(records.get(&key)?)?;
            let Some(promoted) = promoted(&envelope, stored_user(&envelope)?) else {
                return Ok(envelope);
            };
            records.update(&key, &promoted.to_bytes())?;
            Ok::<_, Fault>(promoted)
        })
        .await?;
    record(&envelope)
}

async fn award(
    State(database): State<Arc<Database>>,
    Path(username): Path<String>,
    body: Bytes,
) -> Result<Response, Fault> {
    let key = record_key(&parse_username(&username)?);
    let change = Change::from_client(&body).map_err(|_| Fault::Unprocessable)?;
    let envelope = database
        .write(move |records| {
            let envelope = parse(records.get(&key)?)?;
            let user = stored_user(&envelope)?;
            let points = user
                .points()
                .unwrap_or(Points::ZERO)
                .changed_by(change)
                .map_err(|_| Fault::Conflict)?;
            let awarded = changed(&envelope, &user.with_points(points));
            records.update(&key, &awarded.to_bytes())?;
            Ok::<_, Fault>(awarded)
        })
        .await?;
    record(&envelope)
}

fn parse_username(text: &str) -> Result<Username, Fault> {
    text.parse().map_err(|_| Fault::NotFound)
}

fn record_key(username: &Username) -> String {
    format!("user/{}", username.folded())
}

fn parse(value: Option<Vec<u8>>) -> Result<Envelope, Fault> {
    Envelope::from_bytes(&value.ok_or(Fault::NotFound)?).map_err(|_| damaged())
}

fn stored_user(envelope: &Envelope) -> Result<User, Fault> {
    User::from_stored(envelope.record()).map_err(|_| damaged())
}

fn damaged() -> Fault {
    Fault::Store(rusqlite::Error::InvalidQuery)
}

/// The envelope after one more operation. What it forgets matters to idempotency keys alone, which are left out here.
fn changed(envelope: &Envelope, user: &User) -> Envelope {
    let operation = Operation::fresh(fastrand::u64(..));
    envelope.changed_to(user, &operation, SystemTime::now()).0
}

fn record(envelope: &Envelope) -> Result<Response, Fault> {
    let response = describe(envelope).header(CONTENT_TYPE, "application/json");
    finish(response, envelope.record().to_owned())
}

/// A response with the validators of a record.
fn describe(envelope: &Envelope) -> http::response::Builder {
    Response::builder()
        .header(ETAG, entity_tag(envelope))
        .header(LAST_MODIFIED, httpdate::fmt_http_date(envelope.changed()))
        .header(CACHE_CONTROL, "private, no-cache")
}

fn entity_tag(envelope: &Envelope) -> String {
    format!("\"{}\"", envelope.revision())
}

fn finish(response: http::response::Builder, body: impl Into<Body>) -> Result<Response, Fault> {
    // All headers given here are plain ASCII.
    response.body(body.into()).map_err(|_| damaged())
}
