//! Hosts are killed in the middle of everything, and nothing that was acknowledged is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::linearizability::Action;
use crate::load::{Outcome, Request, Service, in_full, on_every_store, scaled};

const CLIENTS: u64 = 16;
const USERS: u64 = 16;
/// A crash keeps a username from being created for two minutes at most.
const UNUSABLE: Duration = Duration::from_mins(2);

/// Clients create, award, promote and read, half of them under idempotency keys, while hosts are killed.
async fn nothing_is_lost(service: Arc<Service>) {
    let kills = scaled(25, 60);
    let users: Arc<Vec<_>> = Arc::new((0..USERS).map(|number| format!("user{number}")).collect());
    service.create_users(&users, 100).await;
    let over = Arc::new(AtomicBool::new(false));
    let numbers = Arc::new(AtomicU64::new(0));
    let killer = {
        let (service, over) = (Arc::clone(&service), Arc::clone(&over));
        tokio::spawn(async move {
            for _ in 0..kills {
                tokio::time::sleep(Duration::from_millis(fastrand::u64(100..400))).await;
                service.kill(service.any_host()).await;
            }
            over.store(true, Relaxed);
        })
    };
    service
        .clients(usize::try_from(CLIENTS).unwrap(), |service, _| {
            let (users, over, numbers) = (Arc::clone(&users), Arc::clone(&over), Arc::clone(&numbers));
            async move {
                while !over.load(Relaxed) {
                    request(&service, &users, numbers.fetch_add(1, Relaxed), &over).await;
                }
            }
        })
        .await;
    killer.await.unwrap();

    let claimed = every_username_can_be_used(&service).await;
    for user in service.users() {
        service.read(&user).await;
    }
    for user in users.iter().step_by(2) {
        service.check_sum(user).await;
    }
    let names = service.users().len();
    service.finish(&format!(
        "{names} usernames, {claimed} of them claimed by the dead"
    ));
}

/// One request of the load. The changes of every other user all have a key, so that they can be summed up exactly.
async fn request(service: &Service, users: &[String], number: u64, over: &AtomicBool) {
    let host = service.any_host();
    let key = format!("key-{number}");
    let unique = i64::try_from(number).unwrap() + 1;
    if fastrand::u8(..10) < 3 {
        // About three clients try each of these names.
        let name = number / 10;
        let user = format!("new{name}");
        let request = Request::new(&user, Action::Create(unique));
        if name.is_multiple_of(2) {
            let until = || over.load(Relaxed);
            service.insist(host, request.under(&key), until).await;
        } else {
            service.perform(host, request).await;
        }
        return;
    }
    let which = fastrand::usize(..users.len());
    let action = match fastrand::u8(..10) {
        0..5 => Action::Award(unique),
        5 | 6 => Action::Award(-unique),
        7 => Action::Promote,
        _ => Action::Read,
    };
    let request = Request::new(&users[which], action);
    if which.is_multiple_of(2) && matches!(action, Action::Award(_)) {
        service.insist(host, request.under(&key), || false).await;
    } else {
        service.perform(host, request).await;
    }
}

/// Creates every username that the load has tried. Returns how many of them a host had claimed when it was killed.
async fn every_username_can_be_used(service: &Arc<Service>) -> usize {
    let since = Instant::now();
    let mut names = service.users();
    // The first round finds them, and only for them is time set forward.
    let mut claimed = None;
    while !names.is_empty() && since.elapsed() < UNUSABLE {
        let mut left = Vec::new();
        for (number, user) in names.iter().enumerate() {
            // Apart from the numbers of the load.
            let action = Action::Create((1 << 40) + i64::try_from(number).unwrap());
            let request = Request::new(user, action);
            match service.perform(service.any_host(), request).await {
                Outcome::Done(_) | Outcome::Refused => {}
                _ => left.push(user.clone()),
            }
        }
        names = left;
        if claimed.is_none() {
            claimed = Some(names.len());
            if !in_full() {
                service.let_two_minutes_pass();
            }
        }
    }
    if !names.is_empty() {
        service.violation(format!(
            "cannot be created after {:?}: {names:?}",
            since.elapsed()
        ));
    }
    claimed.unwrap_or_default()
}

on_every_store!("crashes", nothing_is_lost);
