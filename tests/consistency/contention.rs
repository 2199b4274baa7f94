//! Nobody starves: 64 writers of one user all get answers, in time, and all have successes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::linearizability::Action;
use crate::load::{Request, Service, scaled};

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
                    let request = Request {
                        user: "user",
                        action: Action::Award(1),
                        key: None,
                    };
                    // One try: to be told to try again is an answer, but no success.
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
    let expected = service.sum_of_answers(&user);
    let found = service.read(&user).await.map(|seen| seen.points);
    if found != Some(expected) {
        service.violation(format!("{found:?} points, and the answers sum up to {expected}"));
    }
    service.finish(&format!("{fewest} to {most} successes per writer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite() {
    nobody_starves(Service::on_sqlite("64 writers", 1).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_by_two_hosts() {
    nobody_starves(Service::on_sqlite("64 writers", 2).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_redis() {
    if !harness::without("redis-server") {
        nobody_starves(Service::on_redis("64 writers", 1).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_redis_by_two_hosts() {
    if !harness::without("redis-server") {
        nobody_starves(Service::on_redis("64 writers", 2).await).await;
    }
}
