//! Of all concurrent creations of one username exactly one is answered 201, and its record is the stored one.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::Barrier;

use crate::linearizability::Action;
use crate::request::{Outcome, Request};
use crate::service::{Service, on_every_store, scaled};

const CLIENTS: usize = 32;

/// All clients create the same username at the same moment, each with different points.
async fn each_username_is_created_once(service: Arc<Service>) {
    let usernames = usize::try_from(scaled(200, 200)).unwrap();
    let together = Arc::new(Barrier::new(CLIENTS));
    service
        .clients(CLIENTS, |service, client| {
            let together = Arc::clone(&together);
            async move {
                let points = i64::try_from(client).unwrap();
                for number in 0..usernames {
                    together.wait().await;
                    let user = format!("user{number}");
                    let request = Request::new(&user, Action::Create(points));
                    while service.perform(client % service.host_count(), request).await == Outcome::TryAgain {
                        service.tally.retries.fetch_add(1, Relaxed);
                    }
                }
            }
        })
        .await;
    let mut created = 0;
    for user in service.users() {
        let winners = service.winners(&user);
        let stands = service.read(&user).await.map(|seen| seen.points);
        if let [winner] = winners[..]
            && stands == Some(winner)
        {
            created += 1;
        } else {
            service.violation(format!("{user}: 201 to {winners:?}, and {stands:?} stands"));
        }
    }
    if created != usernames {
        service.violation(format!("{created} users were created once"));
    }
    let all = u64::try_from(CLIENTS * usernames).unwrap();
    if service.tally.conflicts.load(Relaxed) != all - u64::try_from(usernames).unwrap() {
        service.violation("not all others were told 409".to_owned());
    }
    service.finish("");
}

on_every_store!("creates", each_username_is_created_once);
