//! However promotions race with awards: one more promotion afterwards sets the status that the points earn.

use std::sync::Arc;

use crate::linearizability::{Action, earned};
use crate::request::{Outcome, Request};
use crate::service::{Service, on_every_store};

const USERS: usize = 8;
const CLIENTS: usize = 16;
const ROUNDS: usize = 60;

async fn the_last_promotion_is_right(service: Arc<Service>) {
    let users: Arc<Vec<_>> = Arc::new((0..USERS).map(|number| format!("user{number}")).collect());
    service.create_users(&users, 0).await;
    service
        .clients(CLIENTS, |service, client| {
            let users = Arc::clone(&users);
            async move {
                for round in 0..ROUNDS {
                    let user = &users[(client + round) % USERS];
                    // Small steps across both thresholds and back.
                    let award = Action::Award(if fastrand::u8(..5) < 2 { -20 } else { 15 });
                    for action in [award, Action::Promote, Action::Read] {
                        let request = Request::new(user, action);
                        let result = service.perform(service.any_host(), request).await;
                        assert!(result.is_final(), "{result:?}");
                    }
                }
            }
        })
        .await;
    for user in users.iter() {
        let request = Request::new(user, Action::Promote);
        let result = service.perform(service.any_host(), request).await;
        let points = service.sum_of_answers(user);
        let promoted = match result {
            Outcome::Done(seen) => seen.points == points && seen.status == Some(earned(points)),
            _ => false,
        };
        if !promoted {
            service.violation(format!("{user} with {points} points: {result:?}"));
        }
    }
    service.finish("");
}

on_every_store!("promotions", the_last_promotion_is_right);
