//! The sweep: publishes what was missed, and finishes erasures, for every name in the directory.

use crate::published;
use crate::publisher::Publisher;
use std::time::Duration;
use users::api::{Answer, Authorized, Problem};
use users::storage::{Cursor, Progress, StoreError};

/// The time limit for a delivery. Since there are few sweeps, a slow receiver gets more time here than right after a change.
const DELIVERY: Duration = Duration::from_millis(900);
/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// How many names to take from the directory at once.
const NAMES: usize = 10;

/// Answers one request of a sweep. A sweep is a series of requests that ends when an answer has no `next`.
pub(crate) async fn answer(request: &Authorized<'_>) -> Result<Answer, Problem> {
    let query = request.query();
    let mut after: Option<Cursor> = match query.get("after")? {
        Some(cursor) => Some(cursor.parse().map_err(|_| {
            Problem::malformed_query("after", "must be copied from the next of an earlier answer")
        })?),
        None => None,
    };
    let part: u32 = query.get("part")?.and_then(|part| part.parse().ok()).unwrap_or(0);
    let mut publisher = Publisher::new(request.store(), DELIVERY, PATIENCE).await?;
    // The first request of a sweep tries the receiver even during its pause, which may be longer than the time between
    // sweeps.
    let mut may_try = publisher.may_try(after.is_none());
    let mut total = Progress::default();
    let next = loop {
        let page = publisher.store().names(after.as_ref(), NAMES).await?;
        let mut is_cut_short = false;
        let mut pending = 0;
        for name in &page.users {
            match publisher.store().clean_up(name).await {
                // The next sweep continues a long clean-up.
                Ok(_) | Err(StoreError::PagesRemain) => {}
                Err(error @ StoreError::Corrupt { .. }) => {
                    publisher.note_fault(format!("{error}."));
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            may_try = may_try && !publisher.has_given_up();
            let progress = if may_try {
                publisher.publish(name).await
            } else {
                publisher.count(name).await
            };
            match progress {
                Ok(progress) => {
                    total.published += progress.published;
                    pending += progress.pending;
                    is_cut_short = may_try
                        && !publisher.has_given_up()
                        && total.published > 0
                        && progress.pending > 0
                        && publisher.is_out_of_time();
                }
                Err(error @ StoreError::Corrupt { .. }) => publisher.note_fault(format!("{error}.")),
                Err(error) => return Err(error.into()),
            }
            if is_cut_short {
                break;
            }
        }
        if is_cut_short {
            // The next request begins with the same names, and counts what is pending of them.
            break Some(link(after.as_ref(), part + 1));
        }
        total.pending += pending;
        after = page.next;
        if after.is_none() {
            break None;
        }
        if publisher.is_out_of_time() {
            break Some(link(after.as_ref(), 0));
        }
    };
    let fault = publisher.finish().await?;
    Ok(published(total, next, fault))
}

/// The path of the next request. `part` counts the requests for the same names, so that all links of a sweep differ.
fn link(after: Option<&Cursor>, part: u32) -> String {
    let after = after.map(|cursor| format!("after={cursor}"));
    let part = (part > 0).then(|| format!("part={part}"));
    let query: Vec<_> = after.into_iter().chain(part).collect();
    format!("/events/publish?{}", query.join("&"))
}
