//! `POST /user/points/:username`: adds, redeems or reverses points, exactly once.

use users::api::{Answer, Authorized, Problem};
use users::domain::points_request::PointsRequest;
use users::platform::settings;
use users::storage::operation::Identity;

users::function!(POST => answer);

async fn answer(request: Authorized<'_>) -> Result<Answer, Problem> {
    let store = request.store();
    let username = request.username()?;
    let preconditions = request.preconditions()?;
    let key = request.idempotency_key()?;
    let body = request.json_body().await?;
    let points = PointsRequest::from_client(&body).map_err(Problem::invalid_points)?;
    let promotion = settings::automatic_promotion().await?;
    let events = settings::events().await?;
    let identity = match key {
        Some(key) => Identity::Keyed {
            key,
            request: points.to_canonical_json(),
        },
        None => Identity::Fresh(store.operation().await),
    };
    let check = |record: &_| preconditions.check(record);
    let changed = store
        .change_points(&username, &identity, &points, &promotion, check)
        .await?;
    Ok(Answer::points_changed(&username, &points, changed)?.announced(&username, events))
}
