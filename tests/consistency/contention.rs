//! No writer starves: all of 64 writers of one user get answers in time, and all succeed sometimes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::linearizability::Action;
use crate::request::Request;
use crate::service::{Service, on_every_store, scaled};

const WRITERS: usize = 64;
const IN_TIME: Duration = Duration::from_secs(5);

async fn nobody_starves(service: Arc<Service>) {
    let user = "user".to_owned();
    service.create_users(std::slice::from_ref(&user), 0).await;
    let end = Instant::now() + Duration::from_secs(scaled(5, 20));
    let successes: Arc<Vec<_>> = Arc::new((0..WRITERS).map(|_| AtomicU64::new(0)).collect());
    service
        .clients(WRITERS, |service, writer| {
            let successes = Arc::clone(&successes);
            async move {
                while Instant::now() < end {
                    let request = Request::new("user", Action::Award(1));
                    // A single attempt: 503 `try-again` is an answer, but not a success.
                    if service
                        .once(writer % service.host_count(), request)
                        .await
                        .is_final()
                    {
                        successes[writer].fetch_add(1, Relaxed);
                    }
                }
            }
        })
        .await;
    let fewest = successes
        .iter()
        .map(|successes| successes.load(Relaxed))
        .min()
        .unwrap();
    let most = successes
        .iter()
        .map(|successes| successes.load(Relaxed))
        .max()
        .unwrap();
    if fewest == 0 {
        service.violation("a writer had no success".to_owned());
    }
    if service.slowest() > IN_TIME {
        service.violation(format!("an answer took {:?}", service.slowest()));
    }
    service.check_sum(&user).await;
    service.finish(&format!("{fewest} to {most} successes per writer"));
}

on_every_store!("64 writers", nobody_starves);
