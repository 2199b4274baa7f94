//! `POST /events/publish` and `POST /events/publish/:username`: publishes changes as events.

mod event;
mod publisher;
mod receiver;
mod signature;
mod sweep;

use publisher::Publisher;
use serde::Serialize;
use std::time::Duration;
use users::api::{Answer, Authorized, Problem, StatusCode};
use users::storage::Progress;

users::function!(POST => answer);

/// The time limit for a delivery right after a change. Many of these may be in progress at once, and each occupies an
/// instance.
const DELIVERY: Duration = Duration::from_millis(250);
/// How long such a request keeps publishing changes of its user.
const PATIENCE: Duration = Duration::from_secs(1);

async fn answer(request: Authorized<'_>) -> Result<Answer, Problem> {
    if request.path() == "/events/publish" {
        return sweep::answer(&request).await;
    }
    let username = request.username()?;
    let mut publisher = Publisher::new(request.store(), DELIVERY, PATIENCE).await?;
    let progress = if publisher.may_try(false) {
        publisher.publish(&username).await?
    } else {
        publisher.count(&username).await?
    };
    let fault = publisher.finish().await?;
    Ok(published(progress, None, fault))
}

/// 200: how far a request got, and where to continue.
fn published(progress: Progress, next: Option<String>, fault: Option<String>) -> Answer {
    #[derive(Serialize)]
    struct Body {
        published: usize,
        pending: usize,
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    }

    let body = Body {
        published: progress.published,
        pending: progress.pending,
        next,
    };
    // Strings and numbers always serialize.
    let body = serde_json::to_vec(&body).unwrap_or_default();
    let answer = Answer::new(StatusCode::OK, "application/json", body);
    match fault {
        Some(detail) => answer.with_fault(detail),
        None => answer,
    }
}
