//! The directory under load: leaves are split while clients create users and hosts are killed, and a walk of `/users`
//! shows each acknowledged user once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::linearizability::Action;
use crate::request::{Outcome, Request};
use crate::service::{Service, on_every_store, scaled};

const CLIENTS: usize = 16;

/// Names of 64 characters that all belong to the child `000` of one root, so that both are split: about 120 fill a leaf.
fn names_of_one_leaf() -> Vec<String> {
    let names = (0_u32..).map(|number| format!("name{number:060}"));
    let is_there = |name: &String| matches!(Sha256::digest(name)[..2], [0, low] if low < 16);
    let count = usize::try_from(scaled(300, 1_000)).unwrap();
    names.filter(is_there).take(count).collect()
}

async fn a_walk_shows_everybody_once(service: Arc<Service>) {
    let names = Arc::new(names_of_one_leaf());
    let (next, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let killer = {
        let (service, over) = (Arc::clone(&service), Arc::clone(&over));
        tokio::spawn(async move {
            for _ in 0..scaled(6, 20) {
                tokio::time::sleep(Duration::from_millis(fastrand::u64(100..300))).await;
                service.kill(service.any_host()).await;
            }
            over.store(true, Relaxed);
        })
    };
    service
        .clients(CLIENTS, |service, _| {
            let (names, next, over) = (Arc::clone(&names), Arc::clone(&next), Arc::clone(&over));
            async move {
                while let Some(name) = names.get(next.fetch_add(1, Relaxed)) {
                    // Every second name is created with a key, repeatedly until it is answered or only the reservations of
                    // the dead stand in the way.
                    let request = Request::new(name, Action::Create(1));
                    if fastrand::bool() {
                        let until = || over.load(Relaxed);
                        service
                            .insist(service.any_host(), request.under(name), until)
                            .await;
                    } else {
                        service.perform(service.any_host(), request).await;
                    }
                    if let Some(shown) = service.walk().await {
                        // Users who are created during the walk may be shown.
                        service.check_walk(
                            shown,
                            std::slice::from_ref(name)
                                .iter()
                                .filter(|name| !service.winners(name).is_empty()),
                        );
                    }
                }
            }
        })
        .await;
    killer.await.unwrap();
    let mut created = Vec::new();
    for name in names.iter() {
        if service.read(name).await.is_some() {
            created.push(name.clone());
        } else if !service.winners(name).is_empty() {
            service.violation(format!("{name} is lost"));
        }
    }
    let shown = service.walk().await.unwrap_or_default();
    if shown.len() != created.len() {
        service.violation(format!("{} users are shown of {}", shown.len(), created.len()));
    }
    service.check_walk(shown, &created);
    // Users whose creation died with a host can still be created, and are then found.
    service.let_two_minutes_pass().await;
    for name in names.iter().filter(|name| !created.contains(name)) {
        let request = Request::new(name, Action::Create(2));
        let result = service.perform(service.any_host(), request).await;
        if !matches!(result, Outcome::Done(_)) {
            service.violation(format!("{name} cannot be created: {result:?}"));
        }
    }
    let shown = service.walk().await.unwrap_or_default();
    service.check_walk(shown, names.iter());
    let values = service.values();
    let splits = values
        .iter()
        .filter(|(key, value)| {
            key.starts_with("directory:") && value.windows(8).any(|part| part == b"\"split\":")
        })
        .count();
    if splits < 2 {
        service.violation(format!("{splits} leaves were split"));
    }
    service.finish(&format!("{} names, {splits} leaves split", names.len()));
}

on_every_store!("directory", a_walk_shows_everybody_once);
