//! The requests that only read: the record of a user, its history, and the list of users.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::HeaderMap;
use users::api::Preconditions;
use users::api::query::{HistoryQuery, Query};
use users::domain::points::Points;
use users::domain::username::Username;
use users::storage::HistoryPage;
use users::storage::envelope::Envelope;

use crate::answer::{self, Fault, parse_username};
use crate::database::Database;
use crate::directory;
use crate::records::{Records, user_of};

/// `GET /user/{username}`
pub(crate) async fn record(
    State(database): State<Arc<Database>>,
    Path(username): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let username = parse_username(&username)?;
    let envelope = database.read(|records| records.user(&username))?;
    if is_known(&envelope, &headers)? {
        answer::not_modified(&envelope)
    } else {
        answer::record(&envelope)
    }
}

/// `GET /user/history/{username}`
pub(crate) async fn history(
    State(database): State<Arc<Database>>,
    Path(username): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let username = parse_username(&username)?;
    let query = Query::new(query.as_deref().unwrap_or_default())
        .of_history()
        .map_err(|_| Fault::Malformed)?;
    let page = database.read(|records| history_page(records, &username, query))?;
    if is_known(&page.envelope, &headers)? {
        return answer::not_modified(&page.envelope);
    }
    let user = user_of(&page.envelope)?;
    let points = user.points().unwrap_or(Points::ZERO);
    let name = user.username().as_str();
    let json = users::api::history::page(name, points, &page, query.limit.get());
    answer::described(&page.envelope, json)
}

/// `GET /users`
pub(crate) async fn list(
    State(database): State<Arc<Database>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Fault> {
    let query = Query::new(query.as_deref().unwrap_or_default());
    let query = query.of_users().map_err(|_| Fault::Malformed)?;
    let page = database.read(|records| directory::list(records, &query))?;
    answer::list(users::api::list::page(&page, &query))
}

/// Whether the client already has this state of the user.
fn is_known(envelope: &Envelope, headers: &HeaderMap) -> Result<bool, Fault> {
    Preconditions::from_headers(headers)
        .and_then(|preconditions| preconditions.not_modified(envelope))
        .map_err(|_| Fault::Precondition)
}

/// The entries that `query` asks for, newest first.
fn history_page(records: &Records, username: &Username, query: HistoryQuery) -> Result<HistoryPage, Fault> {
    let _snapshot = records.snapshot()?;
    let envelope = records.user(username)?;
    let first = envelope.first();
    let limit = query.limit.get();
    let mut end = query.before.unwrap_or(u64::MAX).min(envelope.sequence() + 1);
    let mut entries = Vec::new();
    while entries.len() < limit && end > first {
        let (start, together) = records.entries_with(end - 1, username, &envelope)?;
        let numbered: Vec<_> = (start..end).zip(together).collect();
        let wanted = limit - entries.len();
        entries.extend(numbered.into_iter().rev().take(wanted));
        end = start;
    }
    let last = entries.last().map(|(sequence, _)| *sequence);
    Ok(HistoryPage {
        envelope,
        entries,
        next: last.filter(|last| *last > first),
    })
}
