//! The requests that change a user: of its points, its status or its other members.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use users::domain::merge_patch::{Patched, UserPatch};
use users::domain::points::Points;
use users::domain::points_request::{Amount, PointsRequest, Reason};
use users::domain::tier::Promotion;
use users::domain::username::Username;
use users::storage::envelope::Envelope;
use users::storage::{Change, Draft, Entry, keys};

use crate::answer::{self, Fault, parse_username};
use crate::database::Database;
use crate::records::{Records, user_of};

/// `PUT /user/promote/{username}`
pub(crate) async fn promote(
    State(database): State<Arc<Database>>,
    Path(username): Path<String>,
) -> Result<Response, Fault> {
    let username = parse_username(&username)?;
    let envelope = database.read(|records| records.user(&username))?;
    if promotion(&envelope)?.is_none() {
        return answer::record(&envelope);
    }
    let envelope = database
        .write(move |records| {
            let envelope = records.user(&username)?;
            match promotion(&envelope)? {
                Some(draft) => records.change(&username, &envelope, draft),
                None => Ok(envelope),
            }
        })
        .await?;
    answer::record(&envelope)
}

/// The promotion that the points of a user earn; `None` if the user has that status.
fn promotion(envelope: &Envelope) -> Result<Option<Draft>, Fault> {
    let user = user_of(envelope)?;
    let tier = Promotion::STANDARD.tier(user.points(), envelope.earned());
    Ok((user.status() != Some(tier)).then(|| Draft {
        user: user.with_status(tier),
        change: Change::Promoted,
        status: Some(tier),
        earned: envelope.earned(),
    }))
}

/// `POST /user/points/{username}`
pub(crate) async fn points(
    State(database): State<Arc<Database>>,
    Path(username): Path<String>,
    body: Bytes,
) -> Result<Response, Fault> {
    let username = parse_username(&username)?;
    let request = PointsRequest::from_client(&body).map_err(|_| Fault::Unprocessable)?;
    let envelope = database
        .write(move |records| {
            let envelope = records.user(&username)?;
            let draft = change_of_points(records, &username, &envelope, &request)?;
            records.change(&username, &envelope, draft)
        })
        .await?;
    answer::record(&envelope)
}

fn change_of_points(
    records: &Records,
    username: &Username,
    envelope: &Envelope,
    request: &PointsRequest,
) -> Result<Draft, Fault> {
    let (points, reverses) = match request.amount {
        Amount::Points(change) => (change.get(), None),
        Amount::Reverses(sequence) => (
            -reversible(records, username, envelope, sequence)?,
            Some(sequence),
        ),
    };
    let plus = |sum: Points, points| sum.plus(points).map_err(|_| Fault::Conflict);
    let user = user_of(envelope)?;
    let balance = plus(user.points().unwrap_or(Points::ZERO), points)?;
    // A reversal that takes points away is that of an award.
    let is_of_an_award = reverses.is_some() == (points < 0);
    Ok(Draft {
        user: user.with_points(balance),
        change: Change::Points {
            points,
            balance,
            reason: request.reason.as_ref().map(Reason::as_str).map(str::to_owned),
            reverses,
        },
        status: None,
        earned: plus(envelope.earned(), if is_of_an_award { points } else { 0 })?,
    })
}

/// The amount by which the entry `sequence` changed the points, if it can be reversed and has not been.
fn reversible(
    records: &Records,
    username: &Username,
    envelope: &Envelope,
    sequence: u64,
) -> Result<i64, Fault> {
    if !(envelope.first()..=envelope.sequence()).contains(&sequence) {
        return Err(Fault::Unprocessable);
    }
    let (start, entries) = records.entries_with(sequence, username, envelope)?;
    let found = (start..).zip(entries).find(|(number, _)| *number == sequence);
    let Some(Change::Points {
        points,
        reverses: None,
        ..
    }) = found.map(|(_, entry)| entry.change)
    else {
        return Err(Fault::Unprocessable);
    };
    let is_reversal = |entry: &Entry| matches!(entry.change, Change::Points { reverses: Some(reversed), .. } if reversed == sequence);
    let is_reversed = envelope.entries()?.iter().any(is_reversal)
        || envelope.archived() > envelope.first()
            && records.get(&keys::reversal(username, sequence))?.is_some();
    if is_reversed {
        return Err(Fault::Conflict);
    }
    Ok(points)
}

/// `PATCH /user/update/{username}`
pub(crate) async fn update(
    State(database): State<Arc<Database>>,
    Path(username): Path<String>,
    body: Bytes,
) -> Result<Response, Fault> {
    let username = parse_username(&username)?;
    let patch = UserPatch::from_client(&body).map_err(|_| Fault::Unprocessable)?;
    let envelope = database
        .write(move |records| {
            let envelope = records.user(&username)?;
            let patched = patch.apply(user_of(&envelope)?);
            let Some(Patched { user, members }) = patched.map_err(|_| Fault::Unprocessable)? else {
                return Ok(envelope);
            };
            let draft = Draft {
                user,
                change: Change::Updated {
                    members: Entry::limited_names(members.iter().map(String::as_str)),
                },
                status: None,
                earned: envelope.earned(),
            };
            records.change(&username, &envelope, draft)
        })
        .await?;
    answer::record(&envelope)
}
