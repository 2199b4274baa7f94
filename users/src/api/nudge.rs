//! Asks `publish-events` to publish a change.

use crate::platform::outgoing::Post;
use crate::platform::{self, settings};
use std::time::Duration;

/// The address of `publish-events`, by local service chaining.
const PUBLISHER: &str = "publish-events.spin.internal";
/// How long the function waits for `publish-events` to take the name. It occupies an instance until then.
const HAND_OVER: Duration = Duration::from_millis(50);

/// Asks `publish-events` to publish what was not published yet of the user `name`. A failure is ignored, since the next sweep
/// publishes what was missed.
pub(super) async fn publisher(name: String) {
    let token = settings::tokens()
        .await
        .ok()
        .and_then(|tokens| tokens.write.first());
    let authorization = token.map(|token| {
        let value = format!("Bearer {token}");
        ("authorization".to_owned(), value.into_bytes())
    });
    let post = Post {
        is_encrypted: false,
        authority: PUBLISHER,
        path: &format!("/events/publish/{name}"),
        fields: authorization.into_iter().collect(),
        body: &[],
    };
    let _ = platform::post(&post, HAND_OVER).await;
}
