//! No change is lost and none is applied twice: the stored points are the sum of the changes that were answered 200.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::linearizability::Action;
use crate::request::{Outcome, Request};
use crate::service::{Service, on_every_store, scaled};

const CLIENTS: usize = 32;
const USERS: usize = 50;

/// Awards and redemptions, as far as the points allow; every tenth is sent twice at once with one idempotency key.
async fn sums_match(service: Arc<Service>) {
    let users: Arc<Vec<_>> = Arc::new((0..USERS).map(|number| format!("user{number}")).collect());
    service.create_users(&users, 0).await;
    let total = scaled(4_000, 20_000);
    let next = Arc::new(AtomicU64::new(0));
    service
        .clients(CLIENTS, |service, _| {
            let (next, users) = (Arc::clone(&next), Arc::clone(&users));
            async move {
                loop {
                    let number = next.fetch_add(1, Relaxed);
                    if number >= total {
                        break;
                    }
                    let user = &users[fastrand::usize(..USERS)];
                    // Somewhat more is awarded than redeemed, and never 0.
                    let action =
                        Action::Award(fastrand::i64(1..=60) * if fastrand::u8(..9) < 4 { -1 } else { 1 });
                    if number.is_multiple_of(10) {
                        let key = format!("key-{number}");
                        twice(&service, Request::new(user, action).under(&key)).await;
                    } else {
                        let request = Request::new(user, action);
                        let result = service.perform(service.any_host(), request).await;
                        assert!(result.is_final(), "{result:?}");
                    }
                }
            }
        })
        .await;
    let mut points = 0;
    for user in users.iter() {
        points += service.check_sum(user).await;
        service.check_history(user).await;
    }
    service.finish(&format!("{total} changes, {points} points"));
}

/// Sends the same request twice at once, which must take effect once.
async fn twice(service: &Service, request: Request<'_>) {
    let once = async || {
        let first = service.send(service.any_host(), request).await;
        let (mut reply, called) = (first.clone(), first.called);
        while reply.result == Outcome::TryAgain {
            service.tally.retries.fetch_add(1, Relaxed);
            reply = service.send(service.any_host(), request).await;
        }
        assert!(reply.result.is_final(), "{:?}", reply.result);
        (called, reply)
    };
    let ((called, reply), (called_too, repeated)) = tokio::join!(once(), once());
    service.record_series(&request, called.min(called_too), &[reply, repeated]);
}

on_every_store!("awards", sums_match);
