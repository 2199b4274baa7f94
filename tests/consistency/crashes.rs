//! Hosts are killed at any moment, and nothing that was acknowledged is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::linearizability::Action;
use crate::request::{MORTAL, Outcome, Request};
use crate::service::{Service, on_every_store, scaled};

const CLIENTS: u64 = 16;
/// The number of users who are never erased, and of those who are erased again and again.
const USERS: usize = 16;
const MORTALS: usize = 8;

/// The load, and whether it is over.
struct Load {
    users: Vec<String>,
    mortals: Vec<String>,
    numbers: AtomicU64,
    over: AtomicBool,
}

/// Clients create, award, reverse, promote, update, erase, read and list, half of them with idempotency keys, while
/// hosts are killed.
async fn nothing_is_lost(service: Arc<Service>) {
    let kills = scaled(25, 60);
    let names = |prefix: &str, count| (0..count).map(|number| format!("{prefix}{number}")).collect();
    let load = Arc::new(Load {
        users: names("user", USERS),
        mortals: names(MORTAL, MORTALS),
        numbers: AtomicU64::new(0),
        over: AtomicBool::new(false),
    });
    service.create_users(&load.users, 100).await;
    let killer = {
        let (service, load) = (Arc::clone(&service), Arc::clone(&load));
        tokio::spawn(async move {
            for _ in 0..kills {
                tokio::time::sleep(Duration::from_millis(fastrand::u64(100..400))).await;
                service.kill(service.any_host()).await;
            }
            load.over.store(true, Relaxed);
        })
    };
    let walker = {
        let (service, load) = (Arc::clone(&service), Arc::clone(&load));
        tokio::spawn(async move { walk_again_and_again(&service, &load).await })
    };
    service
        .clients(usize::try_from(CLIENTS).unwrap(), |service, _| {
            let load = Arc::clone(&load);
            async move {
                while !load.over.load(Relaxed) {
                    request(&service, &load).await;
                }
            }
        })
        .await;
    killer.await.unwrap();
    let walks = walker.await.unwrap();

    let claimed = every_username_can_be_used(&service).await;
    let names = service.users();
    for name in &names {
        if name.starts_with(MORTAL) {
            service.read(name).await;
        } else {
            service.check_history(name).await;
        }
    }
    for user in load.users.iter().step_by(2) {
        service.check_sum(user).await;
    }
    match service.walk().await {
        Some(shown) => {
            for name in shown.iter().filter(|name| !names.contains(name)) {
                service.violation(format!("a walk shows {name}, whom nobody created"));
            }
            service.check_walk(shown, &names);
        }
        None => service.violation("the users cannot be listed".to_owned()),
    }
    nothing_of_the_erased_remains(&service, &load.mortals).await;
    service.finish(&format!(
        "{walks} walks, {} usernames, {claimed} of them claimed by the dead",
        names.len()
    ));
}

/// Lists all users during the load. Each walk must show all users who were acknowledged before it began.
async fn walk_again_and_again(service: &Service, load: &Load) -> usize {
    let mut walks = 0;
    while !load.over.load(Relaxed) {
        let mut known = service.users();
        known.retain(|user| !user.starts_with(MORTAL) && !service.winners(user).is_empty());
        if let Some(names) = service.walk().await {
            service.check_walk(names, &known);
            walks += 1;
        } else {
            // A host was killed.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    walks
}

/// One request of the load. The changes of every other user all have a key, so that they can be summed up exactly.
async fn request(service: &Service, load: &Load) {
    let number = load.numbers.fetch_add(1, Relaxed);
    let host = service.any_host();
    let key = format!("key-{number}");
    let unique = i64::try_from(number).unwrap() + 1;
    match fastrand::u8(..20) {
        0..4 => {
            // About three clients try each of these names.
            let name = number / 15;
            let user = format!("new{name}");
            let request = Request::new(&user, Action::Create(unique));
            if name.is_multiple_of(2) {
                let until = || load.over.load(Relaxed);
                service.insist(host, request.under(&key), until).await;
            } else {
                service.perform(host, request).await;
            }
        }
        4..9 => {
            let user = &load.mortals[fastrand::usize(..MORTALS)];
            let action = match fastrand::u8(..10) {
                0..3 => Action::Create(unique),
                3..6 => Action::Award(unique),
                6 => Action::Promote,
                7 => Action::Update(unique),
                8 => Action::Erase,
                _ => Action::Read,
            };
            let request = Request::new(user, action);
            if matches!(action, Action::Create(_)) && number.is_multiple_of(2) {
                let until = || load.over.load(Relaxed);
                service.insist(host, request.under(&key), until).await;
            } else {
                service.perform(host, request).await;
            }
        }
        _ => {
            let which = fastrand::usize(..USERS);
            let user = &load.users[which];
            let action = match fastrand::u8(..12) {
                0..5 => Action::Award(unique),
                5 | 6 => Action::Award(-unique),
                7 => Action::Promote,
                8 => Action::Update(unique),
                9 => match reversible(service, host, user).await {
                    Some((sequence, points)) => Action::Reverse(sequence, -points),
                    None => Action::Read,
                },
                _ => Action::Read,
            };
            let request = Request::new(user, action);
            if which.is_multiple_of(2) && matches!(action, Action::Award(_) | Action::Reverse(..)) {
                service.insist(host, request.under(&key), || false).await;
            } else {
                service.perform(host, request).await;
            }
        }
    }
}

/// Some award or redemption in the user's history, reversed already or not: its sequence number, and its points.
async fn reversible(service: &Service, host: usize, user: &str) -> Option<(u64, i64)> {
    let before = fastrand::u64(2..200);
    let path = format!("/user/history/{user}?limit=20&before={before}");
    let page = service.get(host, &path).await?;
    let entries = page["entries"].as_array()?.iter();
    let entries: Vec<_> = entries
        .filter(|entry| entry["change"] == "points" && entry.get("reverses").is_none())
        .filter_map(|entry| Some((entry["sequence"].as_u64()?, entry["points"].as_i64()?)))
        .collect();
    fastrand::choice(entries)
}

/// Creates every username that the load has tried. Returns how many of them a host had claimed when it was killed.
async fn every_username_can_be_used(service: &Arc<Service>) -> usize {
    let claimed = uncreated(service, service.users()).await;
    service.let_two_minutes_pass().await;
    let names = uncreated(service, claimed.clone()).await;
    if !names.is_empty() {
        service.violation(format!("cannot be created after two minutes: {names:?}"));
    }
    claimed.len()
}

/// Creates users, and returns the names of which neither this request nor an earlier one has created a user.
async fn uncreated(service: &Service, mut names: Vec<String>) -> Vec<String> {
    let mut left = Vec::new();
    for (number, user) in names.drain(..).enumerate() {
        // Not included in the numbers of the load.
        let action = Action::Create((1 << 40) + i64::try_from(number).unwrap());
        let outcome = service
            .perform(service.any_host(), Request::new(&user, action))
            .await;
        if !matches!(outcome, Outcome::Done(_) | Outcome::Refused) {
            left.push(user);
        }
    }
    left
}

/// Erases users who were erased and created again before, and reads every key and value of the store.
async fn nothing_of_the_erased_remains(service: &Service, users: &[String]) {
    for user in users {
        let request = Request::new(user, Action::Erase);
        let erased = service.perform(service.any_host(), request).await;
        if erased != Outcome::Erased {
            service.violation(format!("{user} cannot be erased: {erased:?}"));
        }
    }
    for (key, value) in service.values() {
        let value = String::from_utf8_lossy(&value).into_owned();
        let is_theirs = key.split(':').any(|part| part.starts_with(MORTAL));
        let tells = ["\"record\"", "\"points\"", "\"balance\"", "\"note\""];
        if is_theirs && (key.starts_with("page:") || tells.iter().any(|member| value.contains(member))) {
            service.violation(format!("of the erased there is still {key}: {value}"));
        }
    }
}

on_every_store!("crashes", nothing_is_lost);
