//! What stateright explores: clients on one store, the clock, crashes and failures.

use crate::backends::{Contents, How, Kind, Session};
use crate::client::{Ask, Next, Point, Reply};
use crate::mutation::Mutation;
use crate::program::{Outcome, Program, Request};
use crate::rule::Rule;
use crate::text::Text;
use crate::world::{Applied, Client, World};
use stateright::{Model, Property};
use std::collections::BTreeSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    Step(usize, How),
    Crash(usize),
    Tick,
}

/// Clients that run the storage protocol at the same time.
#[derive(Clone)]
pub(crate) struct Protocol {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) clients: Vec<Program>,
    pub(crate) mutation: Option<Mutation>,
    /// What the store has at the start, and which changes led there.
    pub(crate) contents: Contents,
    pub(crate) applied: Vec<Applied>,
    /// What the receiver of events knows of at the start.
    pub(crate) delivered: BTreeSet<(Text, u64)>,
    /// By which the functions promote.
    pub(crate) rule: Rule,
    /// The times, in seconds since 1970, that the clock shows one after the other. What happens between two of them
    /// happens at one of them, so they are the ones between which the protocol tells a difference.
    pub(crate) instants: &'static [u64],
    /// The most seconds between the last look at the clock before a write and the effect of that write, which the
    /// protocol assumes. The clock stands still rather than break it.
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
            mutation: None,
            contents: Contents::new(),
            applied: Vec::new(),
            delivered: BTreeSet::new(),
            rule: Rule::Explicit,
            instants: &[0],
            in_flight: u64::MAX,
            alike: 0,
            crashes: 0,
            failures: 0,
            always: crate::properties::all,
        }
    }

    /// This protocol on the store that these programs leave, one after the other, from the time `now` on.
    pub(crate) fn prepared(mut self, programs: impl IntoIterator<Item = Program>, now: u64) -> Self {
        let mutation = self.mutation.take();
        let mut world = self.start(Vec::new());
        for program in programs {
            let outcome = self.run_alone(&program, &mut world, now);
            let is_done = matches!(
                outcome,
                Outcome::Created | Outcome::Done | Outcome::Erased | Outcome::Published(false)
            );
            assert!(is_done, "{program:?}: {outcome:?}");
        }
        Self {
            mutation,
            contents: world.store,
            applied: world.applied,
            delivered: world.delivered,
            ..self
        }
    }

    fn start(&self, clients: Vec<Client>) -> World {
        World {
            clients,
            store: self.contents.clone(),
            clock: 0,
            begun: 0,
            crashes: 0,
            failures: 0,
            applied: self.applied.clone(),
            delivered: self.delivered.clone(),
            is_repeated: false,
            rule: self.rule,
            lost: None,
        }
    }

    pub(crate) fn now(&self, world: &World) -> u64 {
        self.instants[world.clock]
    }

    /// Runs a program to its end while all others stand still, without failures, from the time `now` on.
    pub(crate) fn run_alone(&self, program: &Program, world: &mut World, mut now: u64) -> Outcome {
        let number = world.clients.len();
        let mut point = Point::start(program, self.rule, self.mutation);
        world.clients.push(Client::Running(point, Session::default()));
        loop {
            match point.next() {
                Next::End(outcome) => {
                    world.clients.pop();
                    return *outcome;
                }
                Next::Ask(ask) => {
                    now += u64::from(point.has_paused());
                    if let Some(reply) = world.perform(self.kind, ask, How::Well, now, number) {
                        point = point.after(reply);
                        if let Client::Running(_, session) = &mut world.clients[number] {
                            session.retain(|key| point.swapping().contains(&key));
                        }
                    }
                }
            }
        }
    }

    /// Whether anything but the clients themselves can be in the way of a client, or an erasure take away what it waits
    /// for.
    pub(crate) fn is_disturbed(&self) -> bool {
        let is_erasure = |program: &Program| matches!(program.request, Request::Erase);
        self.crashes > 0
            || self.failures > 0
            || self.instants.len() > 1
            || self.clients.iter().any(is_erasure)
    }

    /// Whether changes are published.
    pub(crate) fn publishes(&self) -> bool {
        let is_publisher =
            |program: &Program| matches!(program.request, Request::Publish { .. } | Request::Sweep);
        self.clients.iter().any(is_publisher)
    }

    /// Whether no client does anything any more, except waiting in vain.
    pub(crate) fn is_over(&self, world: &World) -> bool {
        let is_over =
            |client: &Client| !matches!(client, Client::Running(..)) || self.is_waiting(world, client);
        // Who waits for the acknowledgement of somebody who has crashed never begins.
        let mut clients = world.clients.iter().enumerate();
        clients.all(|(number, client)| is_over(client) || self.is_kept_back(world, number))
    }

    /// Whether a client does nothing any more but look at a value that has not changed.
    pub(crate) fn is_waiting(&self, world: &World, client: &Client) -> bool {
        match client {
            Client::Running(point, _) => match point.next() {
                Next::Ask(Ask::Get(key)) => {
                    point.has_paused()
                        && point.last_get() == Some((*key, Reply::Value(world.value(*key))))
                        && point.last_time() >= Some(self.now(world))
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// Whether a client may not begin yet.
    pub(crate) fn is_kept_back(&self, world: &World, number: usize) -> bool {
        match self.clients[number].request {
            Request::Walk {
                after: Some(creation),
            } => !matches!(
                world.clients[creation],
                Client::Ended(Outcome::Created | Outcome::Replayed)
            ),
            Request::Publish { after: Some(change) } => !matches!(
                world.clients[change],
                Client::Ended(Outcome::Created | Outcome::Done | Outcome::Replayed | Outcome::Erased)
            ),
            _ => false,
        }
    }

    /// Whether something is due that the clock has to wait for.
    fn is_in_flight(&self, world: &World, next_instant: u64) -> bool {
        world.clients.iter().any(|client| match client {
            Client::Running(point, session) => {
                let is_write = matches!(point.next(), Next::Ask(Ask::CompareAndSwap(..) | Ask::SetAll(_)));
                let last = point.last_time();
                is_write
                    && session.step.is_none()
                    && last.is_some_and(|last| next_instant - last > self.in_flight)
            }
            _ => false,
        })
    }
}

impl Model for Protocol {
    type State = World;
    type Action = Event;

    fn init_states(&self) -> Vec<World> {
        let running = |program| {
            let point = Point::start(program, self.rule, self.mutation);
            Client::Running(point, Session::default())
        };
        vec![self.start(self.clients.iter().map(running).collect())]
    }

    fn actions(&self, world: &World, events: &mut Vec<Event>) {
        for (number, client) in world.clients.iter().enumerate() {
            let Client::Running(point, _) = client else {
                continue;
            };
            let Next::Ask(ask) = point.next() else { continue };
            if self.is_kept_back(world, number) {
                continue;
            }
            if world.crashes < self.crashes {
                events.push(Event::Crash(number));
            }
            if number > world.begun
                && number < self.alike
                && matches!(ask, Ask::Increment(_) | Ask::CompareAndSwap(..))
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
                    Ask::Get(_) | Ask::Exists(_) | Ask::NewCas(_) | Ask::Current(_)
                );
                if has_effect && (self.kind != Kind::Sqlite || matches!(ask, Ask::Deliver(_))) {
                    events.push(Event::Step(number, How::FailsDone));
                }
            }
        }
        if let Some(next_instant) = self.instants.get(world.clock + 1)
            && !self.is_in_flight(world, *next_instant)
        {
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
            Event::Step(number, how) => {
                let Client::Running(point, _) = world.clients[number] else {
                    return None;
                };
                let Next::Ask(ask) = point.next() else { return None };
                next.failures += usize::from(how != How::Well);
                if number == world.begun && matches!(ask, Ask::Increment(_) | Ask::CompareAndSwap(..)) {
                    next.begun += 1;
                }
                let now = self.now(world);
                if let Some(reply) = next.perform(self.kind, ask, how, now, number)
                    && let Client::Running(point, session) = &mut next.clients[number]
                {
                    *point = point.after(reply);
                    // Where the clock stands, it makes no difference when it is looked at.
                    while self.instants.len() == 1 && *point.next() == Next::Ask(Ask::Now) {
                        *point = point.after(Reply::Time(now));
                    }
                    session.retain(|key| point.swapping().contains(&key));
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
