//! The requests that begin and end the life of a user.

use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use users::domain::tier::Promotion;
use users::domain::user::User;
use users::storage::envelope::{Envelope, Stored};
use users::storage::{Draft, erased_binding, keys};

use crate::answer::{self, Fault, parse_username};
use crate::database::Database;
use crate::directory;
use crate::records::operation;

/// `POST /user`
pub(crate) async fn create(State(database): State<Arc<Database>>, body: Bytes) -> Result<Response, Fault> {
    let user = User::from_client(&body).map_err(|_| Fault::Unprocessable)?;
    let draft = Draft::creation(&user, &Promotion::STANDARD);
    let operation = operation();
    let envelope = Envelope::new(&draft, &operation, None, SystemTime::now().into(), None);
    let username = user.username().clone();
    let key = keys::user(&username);
    let envelope = database
        .write(move |records| {
            if records.insert(&key, &envelope.to_bytes())? {
                directory::add(records, &username)?;
                return Ok(envelope);
            }
            let Some(Stored::Erased(tombstone)) = records.stored(&username)? else {
                return Err(Fault::Conflict);
            };
            let envelope = Envelope::new(
                &draft,
                &operation,
                None,
                SystemTime::now().into(),
                Some(&tombstone),
            );
            records.update(&key, &envelope.to_bytes())?;
            Ok(envelope)
        })
        .await?;
    answer::created(&user, &envelope)
}

/// `DELETE /user/erase/{username}`
pub(crate) async fn erase(
    State(database): State<Arc<Database>>,
    Path(username): Path<String>,
) -> Result<Response, Fault> {
    let username = parse_username(&username)?;
    database
        .write(move |records| {
            let envelope = records.user(&username)?;
            // No retry of a creation that a function served may bring the user back.
            if let Some((key, marked)) = erased_binding(&envelope.creation().operation) {
                records.update(&key, &marked)?;
            }
            let tombstone = envelope.erased(&operation(), SystemTime::now().into());
            for first in tombstone.pages() {
                records.delete(&keys::page(&username, first))?;
            }
            let tombstone = tombstone.with_deleted(tombstone.sequence());
            records.update(&keys::user(&username), &tombstone.to_bytes())?;
            Ok::<_, Fault>(())
        })
        .await?;
    answer::erased()
}
