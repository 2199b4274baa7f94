//! The world around the clients: a store that is as weak as each of Spin's, the clock, crashes and failures.

use crate::client::{Ask, Fault, Next, Outcome, Point, Program, Reply, Text};
use stateright::{Checker, HasDiscoveries, Model, Property};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;
use users::operation::Operation;

/// What Spin can be configured to keep its keys and values in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `increment` is one transaction, which fails without effect where another process is faster. `swap` compares
    /// values; over a key that was absent it writes blindly.
    Sqlite,
    /// `swap` writes if nobody wrote since, and always answers that it failed. Any operation may fail done or undone.
    Redis,
    /// `increment` is several requests, and two may be told 1. `swap` is right, its failures done or undone.
    Azure,
    /// `increment` is a read and a conditional write, which fails without effect. `swap` is right, its failures done
    /// or undone.
    Dynamo,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Sqlite, Self::Redis, Self::Azure, Self::Dynamo];
}

/// What a key has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stored {
    Counter(i64),
    Value(Text),
}

pub(crate) type Contents = BTreeMap<Text, Stored>;

/// An operation that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// Azure: to be patched. After a conflict the answer is the delta, whatever the total.
    Patch { conflict: bool },
    /// Azure: to be created, as there was nothing to patch.
    Insert { conflict: bool },
    /// Azure: patched; the total is to be read.
    ReadTotal { conflict: bool },
    /// `DynamoDB`: read; to be written if it still is what was read.
    Write { read: Option<i64> },
    /// Redis, or any other after a swap that did not write: Spin begins another swap before it answers.
    Again,
}

/// What the store, or the connection to it, keeps of a client between two of its operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Session {
    swap: Option<Swap>,
    step: Option<Step>,
}

impl Swap {
    fn new(key: Text, store: &Contents) -> Self {
        Self {
            key,
            found: store.get(&key).copied(),
            is_overtaken: false,
        }
    }
}

/// A compare-and-swap that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Swap {
    key: Text,
    /// What the key had then.
    found: Option<Stored>,
    /// Whether anything was written to the key since. `SQLite` does not know.
    is_overtaken: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    Running(Point, Session),
    Crashed,
    Ended(Outcome),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) clients: Vec<Client>,
    pub(crate) store: Contents,
    /// The keys that are to be removed at some time.
    removals: BTreeSet<Text>,
    /// An index into [`Protocol::instants`].
    clock: usize,
    /// How many of the clients that are alike have made their first increment or swap.
    begun: usize,
    crashes: usize,
    failures: usize,
    /// Whether a record was written that had not grown out of the one before it.
    pub(crate) has_lost: bool,
}

impl World {
    pub(crate) fn new(clients: Vec<Client>, store: Contents) -> Self {
        Self {
            clients,
            store,
            removals: BTreeSet::new(),
            clock: 0,
            begun: 0,
            crashes: 0,
            failures: 0,
            has_lost: false,
        }
    }

    /// Gives a key a value, by the hand of a client, and lets the others know as far as the backend does.
    fn write(&mut self, kind: Kind, key: Text, value: Text) {
        let old = self.store.insert(key, Stored::Value(value));
        if let (Some(Stored::Value(old)), Some(new)) = (old, value.record()) {
            self.has_lost |= !old.record().is_some_and(|old| new.grows_from(old));
        }
        if kind == Kind::Sqlite {
            return;
        }
        for client in &mut self.clients {
            if let Client::Running(_, Session { swap: Some(swap), .. }) = client {
                swap.is_overtaken |= swap.key == key;
            }
        }
    }
}

/// How a step of a client goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum How {
    Well,
    FailsUndone,
    FailsDone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    Step(usize, How),
    Crash(usize),
    Remove(Text),
    Tick,
}

/// Clients that run the storage protocol at the same time.
#[derive(Clone)]
pub(crate) struct Protocol {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) clients: Vec<Program>,
    pub(crate) fault: Option<Fault>,
    /// What the store has at the start.
    pub(crate) contents: Contents,
    /// The times, in seconds since 1970, that the clock shows one after the other. What happens between two of them
    /// happens at one of them, so they are the ones between which the protocol tells a difference.
    pub(crate) instants: &'static [u64],
    /// The most seconds between the last look at the clock before a write and the effect of that write: the assumption
    /// of *create*. The clock stands still rather than break it.
    pub(crate) in_flight: u64,
    /// How many of the clients, the first ones, differ in nothing but their names. They make their first increment,
    /// or if they make none their first swap, in the order of their numbers: any other order is this one renamed.
    pub(crate) alike: usize,
    pub(crate) crashes: usize,
    pub(crate) failures: usize,
    pub(crate) always: fn() -> Vec<Property<Self>>,
}

impl Protocol {
    pub(crate) fn new(name: &'static str, kind: Kind, clients: Vec<Program>) -> Self {
        Self {
            name,
            kind,
            clients,
            fault: None,
            contents: Contents::new(),
            instants: &[0],
            in_flight: u64::MAX,
            alike: 0,
            crashes: 0,
            failures: 0,
            always: Vec::new,
        }
    }

    /// Visits every state, until one violates a property. Returns which, and a short way there.
    pub(crate) fn violation(self) -> Option<String> {
        let start = Instant::now();
        let title = match self.fault {
            Some(fault) => format!("{:?}, {}, {fault:?}", self.kind, self.name),
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

    pub(crate) fn now(&self, world: &World) -> u64 {
        self.instants[world.clock]
    }

    /// Performs one step of the operation that a client waits for. Returns the reply once that is there.
    fn perform(&self, ask: &Ask, how: How, now: u64, world: &mut World, number: usize) -> Option<Reply> {
        let Client::Running(_, session) = &mut world.clients[number] else {
            return None;
        };
        let Session { swap, step } = *session;
        *session = Session { swap, step: None };
        if how == How::FailsUndone {
            return Some(Reply::Failed);
        }
        let store = &mut world.store;
        let value = |stored: Option<&Stored>| match stored {
            Some(Stored::Value(value)) => Reply::Value(Some(*value)),
            Some(Stored::Counter(_)) => unreachable!("a counter is not read as a value"),
            None => Reply::Value(None),
        };
        let reply = match ask {
            Ask::Now => Reply::Time(now),
            Ask::Get(key) => value(store.get(key)),
            Ask::Exists(key) => Reply::Flag(store.contains_key(key)),
            Ask::SetAll(values) => {
                for (key, value) in values {
                    world.write(self.kind, *key, *value);
                }
                Reply::Done
            }
            Ask::Begin(key) => {
                session.swap = Some(Swap::new(*key, store));
                value(store.get(key))
            }
            Ask::Current(key) => {
                // A second WATCH on Redis does not undo what the first has seen.
                if self.kind != Kind::Redis || session.swap.is_none() {
                    session.swap = Some(Swap::new(*key, store));
                }
                value(store.get(key))
            }
            Ask::Swap(key, _) if step == Some(Step::Again) => {
                session.swap = Some(Swap::new(*key, store));
                Reply::Flag(false)
            }
            Ask::Swap(key, value) => {
                session.swap = None;
                let writes = swap.is_some_and(|swap| match self.kind {
                    Kind::Sqlite => swap.found.is_none() || store.get(key) == swap.found.as_ref(),
                    Kind::Redis | Kind::Azure | Kind::Dynamo => !swap.is_overtaken,
                });
                let is_told = self.kind != Kind::Redis;
                if !(writes && is_told) && how == How::Well {
                    session.step = Some(Step::Again);
                }
                if writes {
                    world.write(self.kind, *key, *value);
                }
                if !(writes && is_told) && how == How::Well {
                    return None;
                }
                Reply::Flag(true)
            }
            Ask::Increment(key) => match self.increment(*key, step, store) {
                Ok(reply) => reply,
                Err(next) if how == How::Well => {
                    session.step = Some(next);
                    return None;
                }
                Err(_) => Reply::Failed,
            },
        };
        Some(if how == How::FailsDone {
            Reply::Failed
        } else {
            reply
        })
    }

    /// Performs one step of an increment. Returns the reply, or which step comes next.
    fn increment(&self, key: Text, step: Option<Step>, store: &mut Contents) -> Result<Reply, Step> {
        let count = store.get(&key).map(|stored| match stored {
            Stored::Counter(count) => *count,
            Stored::Value(_) => unreachable!("a value is not counted"),
        });
        match (self.kind, step) {
            (Kind::Azure, None) => self.increment(key, Some(Step::Patch { conflict: false }), store),
            (_, Some(Step::Patch { conflict })) => match count {
                None => Err(Step::Insert { conflict }),
                Some(count) => {
                    store.insert(key, Stored::Counter(count + 1));
                    Err(Step::ReadTotal { conflict })
                }
            },
            (_, Some(Step::Insert { .. })) if count.is_some() => Err(Step::Patch { conflict: true }),
            (_, Some(Step::ReadTotal { conflict })) => Ok(match count {
                Some(_) if conflict => Reply::Count(1),
                Some(count) => Reply::Count(count),
                None => Reply::Failed,
            }),
            (Kind::Dynamo, None) => Err(Step::Write { read: count }),
            (_, Some(Step::Write { read })) if read != count => Ok(Reply::Failed),
            (_, None | Some(Step::Insert { .. } | Step::Write { .. } | Step::Again)) => {
                let count = count.unwrap_or(0) + 1;
                store.insert(key, Stored::Counter(count));
                Ok(Reply::Count(count))
            }
        }
    }

    /// Runs a program to its end while all others stand still, without failures, from the time `now` on. What it wants
    /// to be removed later is removed at its end.
    pub(crate) fn run_alone(&self, program: &Program, world: &mut World, mut now: u64) -> Outcome {
        let number = world.clients.len();
        let mut point = Point::start(program, self.fault);
        let mut removals = BTreeSet::<Text>::new();
        world.clients.push(Client::Running(point, Session::default()));
        loop {
            match point.next() {
                Next::End(outcome) => {
                    world.clients.pop();
                    world.store.retain(|key, _| !removals.contains(key));
                    return *outcome;
                }
                Next::Ask(ask) => {
                    now += u64::from(point.has_paused());
                    if let Some(reply) = self.perform(ask, How::Well, now, world, number) {
                        point = point.after(reply);
                        removals.extend(point.removals());
                    }
                }
            }
        }
    }

    /// Whether anything but the clients themselves can be in the way of a client.
    pub(crate) fn is_disturbed(&self) -> bool {
        self.crashes > 0 || self.failures > 0 || self.instants.len() > 1
    }

    /// Whether several clients send the request of `operation`.
    pub(crate) fn is_shared(&self, operation: &Operation) -> bool {
        let programs = self.clients.iter();
        programs
            .filter(|program| program.operation() == operation)
            .count()
            > 1
    }

    /// Whether no client does anything any more, except waiting in vain.
    pub(crate) fn is_over(&self, world: &World) -> bool {
        let is_over =
            |client: &Client| !matches!(client, Client::Running(..)) || self.is_waiting(world, client);
        world.clients.iter().all(is_over)
    }

    /// Whether a client does nothing any more but look whether the record has come.
    pub(crate) fn is_waiting(&self, world: &World, client: &Client) -> bool {
        match client {
            Client::Running(point, _) => match point.next() {
                Next::Ask(Ask::Get(key)) => {
                    point.has_paused()
                        && !world.store.contains_key(key)
                        && point.last_time() >= Some(self.now(world))
                }
                _ => false,
            },
            _ => false,
        }
    }
}

impl Model for Protocol {
    type State = World;
    type Action = Event;

    fn init_states(&self) -> Vec<World> {
        let start = |program| Client::Running(Point::start(program, self.fault), Session::default());
        vec![World::new(
            self.clients.iter().map(start).collect(),
            self.contents.clone(),
        )]
    }

    fn actions(&self, world: &World, events: &mut Vec<Event>) {
        let next_instant = self.instants.get(world.clock + 1);
        let mut may_tick = next_instant.is_some();
        for (number, client) in world.clients.iter().enumerate() {
            let Client::Running(point, session) = client else {
                continue;
            };
            let Next::Ask(ask) = point.next() else { continue };
            if world.crashes < self.crashes {
                events.push(Event::Crash(number));
            }
            if let (Ask::Swap(..) | Ask::SetAll(_), None, Some(last), Some(next)) =
                (ask, session.step, point.last_time(), next_instant)
            {
                may_tick &= next - last <= self.in_flight;
            }
            if number > world.begun && number < self.alike && matches!(ask, Ask::Increment(_) | Ask::Swap(..))
            {
                continue;
            }
            // Looking again while nothing has changed would lead to where the client is already.
            if !self.is_waiting(world, client) {
                events.push(Event::Step(number, How::Well));
            }
            if world.failures < self.failures && *ask != Ask::Now {
                events.push(Event::Step(number, How::FailsUndone));
                let has_effect = !matches!(
                    ask,
                    Ask::Get(_) | Ask::Exists(_) | Ask::Begin(_) | Ask::Current(_)
                );
                if has_effect && self.kind != Kind::Sqlite {
                    events.push(Event::Step(number, How::FailsDone));
                }
            }
        }
        events.extend(world.removals.iter().copied().map(Event::Remove));
        if may_tick {
            events.push(Event::Tick);
        }
    }

    fn next_state(&self, world: &World, event: Event) -> Option<World> {
        let mut next = world.clone();
        match event {
            Event::Tick => next.clock += 1,
            Event::Crash(number) => {
                next.crashes += 1;
                next.clients[number] = Client::Crashed;
            }
            Event::Remove(key) => {
                next.removals.remove(&key);
                next.store.remove(&key);
            }
            Event::Step(number, how) => {
                let Client::Running(point, _) = world.clients[number] else {
                    return None;
                };
                let Next::Ask(ask) = point.next() else { return None };
                next.failures += usize::from(how != How::Well);
                if number == world.begun && matches!(ask, Ask::Increment(_) | Ask::Swap(..)) {
                    next.begun += 1;
                }
                if let Some(reply) = self.perform(ask, how, self.now(world), &mut next, number)
                    && let Client::Running(point, session) = &mut next.clients[number]
                {
                    *point = point.after(reply);
                    if !point.is_swapping() {
                        session.swap = None;
                    }
                    next.removals.extend(point.removals());
                    if let Next::End(outcome) = point.next() {
                        next.clients[number] = Client::Ended(*outcome);
                    }
                }
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        (self.always)()
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
    let describe = |(world, event): (World, Option<Event>)| match event {
        Some(Event::Step(number, how)) => match &world.clients[number] {
            Client::Running(point, session) => {
                format!(
                    "  {}s client {number} {how:?} {point:?} {:?}\n",
                    model.now(&world),
                    session.step
                )
            }
            _ => String::new(),
        },
        Some(event) => format!("  {}s {event:?}\n", model.now(&world)),
        None => format!("  at the end: {:?} {:?}\n", world.clients, world.store),
    };
    path.into_vec().into_iter().map(describe).collect()
}
