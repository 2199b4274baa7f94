//! The happy paths of the functions' HTTP contract as a native server, to measure the functions against.
//!
//! It uses the functions' own record, rule and stored form, and the same table of the same database, so that what is
//! compared is how they are run. It leaves out what only other paths need: access, problem details, idempotency keys.
//! It has no directory, since its database has an index.

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
use users::api::Preconditions;
use users::domain::points::Points;
use users::domain::points_request::{Amount, PointsRequest};
use users::domain::tier::Promotion;
use users::domain::user::User;
use users::domain::username::Username;
use users::storage::envelope::Envelope;
use users::storage::operation::Operation;
use users::storage::{Change, Draft, keys};

use crate::database::{Database, Records};

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
    let draft = Draft::creation(&user, &Promotion::STANDARD);
    let operation = Operation::fresh(fastrand::u64(..));
    let envelope = Envelope::new(&draft, &operation, None, SystemTime::now().into(), None);
    let key = keys::user(user.username());
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
    let envelope = parse(database.read(&keys::user(&parse_username(&username)?))?)?;
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
    let username = parse_username(&username)?;
    let promoted = |envelope: &Envelope| {
        let user = stored_user(envelope)?;
        let tier = Promotion::STANDARD.tier(user.points(), envelope.earned());
        let draft = (user.status() != Some(tier)).then(|| Draft {
            user: user.with_status(tier),
            change: Change::Promoted,
            status: Some(tier),
            earned: envelope.earned(),
        });
        Ok::<_, Fault>(draft)
    };
    let envelope = parse(database.read(&keys::user(&username))?)?;
    if promoted(&envelope)?.is_none() {
        return record(&envelope);
    }
    let envelope = database
        .write(move |records| {
            let envelope = parse(records.get(&keys::user(&username))?)?;
            match promoted(&envelope)? {
                Some(draft) => change(records, &username, &envelope, draft),
                None => Ok(envelope),
            }
        })
        .await?;
    record(&envelope)
}

async fn award(
    State(database): State<Arc<Database>>,
    Path(username): Path<String>,
    body: Bytes,
) -> Result<Response, Fault> {
    let username = parse_username(&username)?;
    let request = PointsRequest::from_client(&body).map_err(|_| Fault::Unprocessable)?;
    let Amount::Points(points) = request.amount else {
        return Err(Fault::Unprocessable);
    };
    let points = points.get();
    let envelope = database
        .write(move |records| {
            let envelope = parse(records.get(&keys::user(&username))?)?;
            let user = stored_user(&envelope)?;
            let plus = |sum: Points, points| sum.plus(points).map_err(|_| Fault::Conflict);
            let balance = plus(user.points().unwrap_or(Points::ZERO), points)?;
            let draft = Draft {
                user: user.with_points(balance),
                change: Change::Points {
                    points,
                    balance,
                    reason: None,
                    reverses: None,
                },
                status: None,
                earned: plus(envelope.earned(), points.max(0))?,
            };
            change(records, &username, &envelope, draft)
        })
        .await?;
    record(&envelope)
}

fn parse_username(text: &str) -> Result<Username, Fault> {
    text.parse().map_err(|_| Fault::NotFound)
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

/// Writes the envelope after one more operation, and to a page the entries that it has no more room for.
fn change(
    records: &Records,
    username: &Username,
    envelope: &Envelope,
    draft: Draft,
) -> Result<Envelope, Fault> {
    if envelope.is_full() {
        let (first, page) = envelope.page();
        records.insert(&keys::page(username, first), page.as_bytes())?;
    }
    let operation = Operation::fresh(fastrand::u64(..));
    let changed = envelope.changed_to(draft, &operation, None, SystemTime::now().into());
    records.update(&keys::user(username), &changed.to_bytes())?;
    Ok(changed)
}

fn record(envelope: &Envelope) -> Result<Response, Fault> {
    let response = describe(envelope).header(CONTENT_TYPE, "application/json");
    finish(response, envelope.record().to_owned())
}

/// A response with the validators of a record, without the date until its second is over (RFC 9110, 8.8.2.2).
fn describe(envelope: &Envelope) -> http::response::Builder {
    let changed = httpdate::fmt_http_date(envelope.changed());
    let response = Response::builder()
        .header(ETAG, entity_tag(envelope))
        .header(CACHE_CONTROL, "private, no-cache");
    if changed == httpdate::fmt_http_date(SystemTime::now()) {
        response
    } else {
        response.header(LAST_MODIFIED, changed)
    }
}

fn entity_tag(envelope: &Envelope) -> String {
    format!("\"{}\"", envelope.revision())
}

fn finish(response: http::response::Builder, body: impl Into<Body>) -> Result<Response, Fault> {
    // All headers given here are plain ASCII.
    response.body(body.into()).map_err(|_| damaged())
}
