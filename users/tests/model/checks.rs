//! How a configuration is checked, and how a violation is told.

use crate::protocol::{Event, Protocol};
use crate::world::{Client, World};
use stateright::{Checker, HasDiscoveries, Model};
use std::time::Instant;

impl Protocol {
    /// Visits every state, until one violates a property. Returns which, and a short way there.
    pub(crate) fn violation(self) -> Option<String> {
        let start = Instant::now();
        let title = match self.mutation {
            Some(mutation) => format!("{:?}, {}, {mutation:?}", self.kind, self.name),
            None => format!("{:?}, {}", self.kind, self.name),
        };
        let checker = |model: Self| model.checker().threads(2).finish_when(HasDiscoveries::Any);
        // Depth first takes far less memory, breadth first finds shorter ways.
        let all = checker(self.clone()).spawn_dfs().join();
        println!(
            "{title}: {} unique states{} in {:.1} s",
            all.unique_state_count(),
            if all.discoveries().is_empty() {
                ""
            } else {
                " until a violation"
            },
            start.elapsed().as_secs_f32(),
        );
        if all.discoveries().is_empty() {
            return None;
        }
        let shortest = checker(self).spawn_bfs().join();
        let (property, path) = shortest.discoveries().into_iter().next()?;
        Some(format!("{title}: {property}\n{}", trace(shortest.model(), path)))
    }
}

/// A test for each backend of a `fn` of a [`Kind`].
macro_rules! on_every_backend {
    ($check:path) => {
        #[test]
        fn sqlite() {
            $check(Kind::Sqlite);
        }

        #[test]
        fn redis() {
            $check(Kind::Redis);
        }

        #[test]
        fn azure() {
            $check(Kind::Azure);
        }

        #[test]
        fn dynamo() {
            $check(Kind::Dynamo);
        }
    };
}
pub(crate) use on_every_backend;

/// Fails if some state violates a property.
pub(crate) fn holds(protocol: Protocol) {
    if let Some(violation) = protocol.violation() {
        panic!("{violation}");
    }
}

/// The way to a violation, one line a step.
fn trace(model: &Protocol, path: stateright::Path<World, Event>) -> String {
    let describe = |(world, event): (World, Option<Event>)| {
        let now = model.now(&world);
        let line = match event {
            Some(Event::Step(number, how)) => match &world.clients[number] {
                Client::Running(point, session) => {
                    format!("{now}s client {number} {how:?} {:?} {point:?}", session.step)
                }
                _ => String::new(),
            },
            Some(event) => format!("{now}s {event:?}"),
            None => format!(
                "at the end: {:?} {:?} {:?}",
                world.lost, world.clients, world.store
            ),
        };
        // Some values are long.
        let line: String = line.chars().take(800).collect();
        format!("  {line}\n")
    };
    path.into_vec().into_iter().map(describe).collect()
}
