//! An erasure leaves in the store, even of a long history that others change meanwhile, only names, sequence
//! numbers and ids of operations.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::linearizability::Action;
use crate::request::{MORTAL, Outcome, Request};
use crate::service::{Service, on_every_store, scaled};

const USERS: usize = 6;
const CLIENTS: usize = 12;

async fn only_names_and_numbers_remain(service: Arc<Service>) {
    let users: Arc<Vec<_>> = Arc::new((0..USERS).map(|number| format!("{MORTAL}{number}")).collect());
    service.create_users(&users, 0).await;
    // Far more entries than an envelope holds, so that there are pages.
    let changes = scaled(200, 1_000);
    let erased = Arc::new(AtomicU64::new(0));
    service
        .clients(CLIENTS, |service, client| {
            let (users, erased) = (Arc::clone(&users), Arc::clone(&erased));
            async move {
                let user = &users[client % USERS];
                for number in 0..changes {
                    let unique = i64::try_from(number).unwrap() * 100 + i64::try_from(client).unwrap() + 1;
                    let request = Request::new(user, Action::Award(unique));
                    let key = format!("{client}-{number}");
                    let request = if number % 3 == 0 {
                        request.under(&key)
                    } else {
                        request
                    };
                    service.perform(service.any_host(), request).await;
                    // Not at the end, so that the last users have pages, too.
                    if number % 50 == 49 && number + 50 <= changes && client < USERS {
                        let request = Request::new(user, Action::Erase);
                        let outcome = service.perform(service.any_host(), request).await;
                        erased.fetch_add(u64::from(outcome == Outcome::Erased), Relaxed);
                        let request = Request::new(user, Action::Create(unique));
                        while service.perform(service.any_host(), request).await == Outcome::TryAgain {}
                    }
                }
            }
        })
        .await;
    let mut pages = service.values();
    pages.retain(|key, _| key.starts_with("page:"));
    if pages.is_empty() {
        service.violation("there were no pages to delete".to_owned());
    }
    for user in users.iter() {
        let outcome = service
            .perform(service.any_host(), Request::new(user, Action::Erase))
            .await;
        if outcome != Outcome::Erased {
            service.violation(format!("{user} cannot be erased: {outcome:?}"));
        }
        service.read(user).await;
    }
    find_no_personal_data(&service, "after the erasures");
    // A page may be written as late as this by a request that began before the erasure.
    for (key, page) in &pages {
        service.set(key, page);
    }
    service.let_two_minutes_pass().await;
    service.sweep().await;
    find_no_personal_data(&service, "after the sweep");
    let values = service.values();
    if let Some((key, value)) = values
        .iter()
        .find(|(_, value)| value.windows(9).any(|part| part == b"\"remains\""))
    {
        let value = String::from_utf8_lossy(value);
        service.violation(format!("the sweep left something to do at {key}: {value}"));
    }
    service.finish(&format!(
        "{} erasures, {} pages deleted by the last ones and once more by the sweep, {} keys left",
        erased.load(Relaxed) + USERS as u64,
        pages.len(),
        values.len()
    ));
}

/// Reads every key and value of the store, which has erased users alone.
fn find_no_personal_data(service: &Service, when: &str) {
    for (key, value) in service.values() {
        let value = String::from_utf8_lossy(&value);
        let tells = ["\"record\"", "\"points\"", "\"balance\"", "\"reason\""];
        if key.starts_with("page:") || tells.iter().any(|member| value.contains(member)) {
            service.violation(format!("{when} there is still {key}: {value}"));
        }
    }
}

on_every_store!("erasures", only_names_and_numbers_remain);
