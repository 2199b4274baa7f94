//! A user's history as JSON, for `get-history` and for events.

use crate::domain::points::Points;
use crate::domain::tier::Tier;
use crate::storage::{Change, Entry, HistoryPage};
use serde::Serialize;

/// One entry of a history, in the JSON form that clients get.
#[derive(Serialize)]
pub struct EntryView<'a> {
    sequence: u64,
    time: String,
    change: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    points: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    balance: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reverses: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
}

impl<'a> EntryView<'a> {
    /// Shows the entry with the sequence number `sequence`.
    #[must_use]
    pub fn new(sequence: u64, entry: &'a Entry) -> Self {
        let mut view = Self {
            sequence,
            time: entry.time.to_string(),
            change: entry.change.name(),
            points: None,
            balance: None,
            reason: None,
            reverses: None,
            members: None,
            status: entry.status.map(Tier::name),
        };
        match &entry.change {
            Change::Created { points } => {
                let points = points.unwrap_or(Points::ZERO).get();
                view.points = Some(points);
                view.balance = Some(points);
            }
            Change::Points {
                points,
                balance,
                reason,
                reverses,
            } => {
                view.points = Some(*points);
                view.balance = Some(balance.get());
                view.reason = reason.as_deref();
                view.reverses = *reverses;
            }
            Change::Updated { members } => view.members = Some(members),
            Change::Promoted | Change::Erased => {}
        }
        view
    }
}

/// Writes a page of the history of a user with this `username` and these points. The link to the next page repeats `limit`.
#[must_use]
pub fn page(username: &str, points: Points, page: &HistoryPage, limit: usize) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        username: &'a str,
        points: i64,
        earned: i64,
        entries: Vec<EntryView<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    }

    let entries = page.entries.iter();
    let body = Body {
        username,
        points: points.get(),
        earned: page.envelope.earned().get(),
        entries: entries
            .map(|(sequence, entry)| EntryView::new(*sequence, entry))
            .collect(),
        next: page
            .next
            .map(|before| format!("/user/history/{username}?limit={limit}&before={before}")),
    };
    // Strings and numbers always serialize.
    serde_json::to_vec(&body).unwrap_or_default()
}
