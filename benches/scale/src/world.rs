//! The discrete-event simulation: a clock, what is going to happen, and tasks that wait for it.
//!
//! A task is a future that runs the code of a request. Whenever it waits, for a processor, a pause or an answer of the
//! store, it says so to the [`World`], which polls it again when that time has come.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Nanoseconds since some time before the simulation began.
pub(crate) type Nanos = u64;

/// The server of a store.
pub(crate) trait Server: Sized {
    /// A request to the server.
    type Trip;
    /// Its answer.
    type Reply;

    /// How long `trip` takes to the server.
    fn way_there(&self, trip: &Self::Trip) -> Nanos;

    /// Takes the trip of a task, which arrives `now`.
    fn arrive(&mut self, now: Nanos, task: usize, trip: Self::Trip, agenda: &mut Agenda<Self>);

    /// Goes on with what it put on the agenda for `now`.
    fn go_on(&mut self, now: Nanos, agenda: &mut Agenda<Self>);
}

/// What a task waited for.
enum Awaited<R> {
    /// A time, which has come.
    Time,
    /// The answer of the server.
    Reply(R),
}

enum Event<S: Server> {
    Arrive(usize, S::Trip),
    GoOn,
    Wake(usize, Awaited<S::Reply>),
}

/// What is going to happen, each at its time.
pub(crate) struct Agenda<S: Server> {
    heap: BinaryHeap<Reverse<(Nanos, u64, usize)>>,
    events: Vec<Option<Event<S>>>,
    free: Vec<usize>,
    sequence: u64,
}

impl<S: Server> Agenda<S> {
    fn push(&mut self, at: Nanos, event: Event<S>) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.events.push(None);
            self.events.len() - 1
        });
        self.events[slot] = Some(event);
        self.sequence += 1;
        self.heap.push(Reverse((at, self.sequence, slot)));
    }

    fn pop(&mut self, until: Nanos) -> Option<(Nanos, Event<S>)> {
        if self.heap.peek()?.0.0 > until {
            return None;
        }
        let Reverse((at, _, slot)) = self.heap.pop()?;
        self.free.push(slot);
        Some((at, self.events[slot].take()?))
    }

    /// Has the server go on at a later time.
    pub(crate) fn go_on(&mut self, at: Nanos) {
        self.push(at, Event::GoOn);
    }

    /// Answers a task.
    pub(crate) fn answer(&mut self, at: Nanos, task: usize, reply: S::Reply) {
        self.push(at, Event::Wake(task, Awaited::Reply(reply)));
    }
}

/// The two processors of one host; work is done in the order in which it comes.
#[derive(Clone)]
struct Host([Nanos; 2]);

impl Host {
    /// Reserves the processor that is free first. Returns when the work is done.
    fn work(&mut self, now: Nanos, amount: Nanos) -> Nanos {
        self.0.sort_unstable();
        self.0[0] = now.max(self.0[0]) + amount;
        self.0[0]
    }
}

/// A simulation with one store.
pub(crate) struct World<S: Server>(RefCell<State<S>>);

struct State<S: Server> {
    now: Nanos,
    agenda: Agenda<S>,
    /// For each task what it waited for, once that has happened.
    replies: Vec<Option<Awaited<S::Reply>>>,
    hosts: Vec<Host>,
    server: S,
    random: StdRng,
}

impl<S: Server> World<S> {
    /// A world that begins at `start`, with `tasks` tasks on `hosts` hosts of two processors each.
    pub(crate) fn new(server: S, tasks: usize, hosts: usize, start: Nanos, seed: u64) -> Rc<Self> {
        Rc::new(Self(RefCell::new(State {
            now: start,
            agenda: Agenda {
                heap: BinaryHeap::new(),
                events: Vec::new(),
                free: Vec::new(),
                sequence: 0,
            },
            replies: (0..tasks).map(|_| None).collect(),
            hosts: vec![Host([0; 2]); hosts],
            server,
            random: StdRng::seed_from_u64(seed),
        })))
    }

    pub(crate) fn now(&self) -> Nanos {
        self.0.borrow().now
    }

    pub(crate) fn random(&self) -> u64 {
        self.0.borrow_mut().random.random()
    }

    /// Looks at the server, or changes it.
    pub(crate) fn with_server<R>(&self, look: impl FnOnce(&mut S) -> R) -> R {
        look(&mut self.0.borrow_mut().server)
    }

    /// Waits.
    pub(crate) async fn sleep(&self, task: usize, duration: Duration) {
        let wake = |state: &mut State<S>| {
            state
                .agenda
                .push(state.now + nanos(duration), Event::Wake(task, Awaited::Time));
        };
        self.wait(task, wake).await;
    }

    /// Works on a processor of a host.
    pub(crate) async fn work(&self, task: usize, host: usize, amount: Nanos) {
        let wake = |state: &mut State<S>| {
            let done = state.hosts[host].work(state.now, amount);
            state.agenda.push(done, Event::Wake(task, Awaited::Time));
        };
        self.wait(task, wake).await;
    }

    /// Sends a request to the store, which takes `amount` of a processor first. Returns the answer.
    pub(crate) async fn trip(
        &self,
        task: usize,
        host: usize,
        amount: Nanos,
        trip: S::Trip,
    ) -> Option<S::Reply> {
        let send = |state: &mut State<S>| {
            let sent = state.hosts[host].work(state.now, amount);
            let arrival = sent + state.server.way_there(&trip);
            state.agenda.push(arrival, Event::Arrive(task, trip));
        };
        match self.wait(task, send).await {
            Awaited::Reply(reply) => Some(reply),
            Awaited::Time => None,
        }
    }

    fn wait(
        &self,
        task: usize,
        begin: impl FnOnce(&mut State<S>),
    ) -> impl Future<Output = Awaited<S::Reply>> {
        begin(&mut self.0.borrow_mut());
        std::future::poll_fn(move |_| match self.0.borrow_mut().replies[task].take() {
            Some(awaited) => Poll::Ready(awaited),
            None => Poll::Pending,
        })
    }

    /// Runs all tasks until they have ended, or until the given time.
    pub(crate) fn run(&self, mut tasks: Vec<Pin<Box<dyn Future<Output = ()> + '_>>>, until: Nanos) {
        let mut context = Context::from_waker(Waker::noop());
        let mut has_ended = vec![false; tasks.len()];
        for (task, ended) in tasks.iter_mut().zip(&mut has_ended) {
            *ended = task.as_mut().poll(&mut context).is_ready();
        }
        loop {
            let task = {
                let mut state = self.0.borrow_mut();
                let State {
                    now,
                    agenda,
                    replies,
                    server,
                    ..
                } = &mut *state;
                let Some((at, event)) = agenda.pop(until) else {
                    return;
                };
                *now = at;
                match event {
                    Event::Arrive(task, trip) => {
                        server.arrive(at, task, trip, agenda);
                        continue;
                    }
                    Event::GoOn => {
                        server.go_on(at, agenda);
                        continue;
                    }
                    Event::Wake(task, awaited) => {
                        replies[task] = Some(awaited);
                        task
                    }
                }
            };
            if !has_ended[task] {
                has_ended[task] = tasks[task].as_mut().poll(&mut context).is_ready();
            }
        }
    }
}

/// A duration as nanoseconds.
pub(crate) fn nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Serves one trip at a time, each in 10 ns, 100 ns away. A trip is a number, and its answer the number before it.
    #[derive(Default)]
    struct Queue {
        last: u32,
        free: Nanos,
    }

    impl Server for Queue {
        type Trip = u32;
        type Reply = u32;

        fn way_there(&self, _: &u32) -> Nanos {
            50
        }

        fn arrive(&mut self, now: Nanos, task: usize, trip: u32, agenda: &mut Agenda<Self>) {
            self.free = self.free.max(now) + 10;
            agenda.answer(self.free + 50, task, std::mem::replace(&mut self.last, trip));
        }

        fn go_on(&mut self, _: Nanos, _: &mut Agenda<Self>) {}
    }

    #[test]
    fn trips_queue_at_the_server_and_work_at_the_host() {
        let world = World::new(Queue::default(), 5, 2, 0, 0);
        let log = RefCell::new(Vec::new());
        let task = async |task: usize, host: usize| {
            let reply = world.trip(task, host, 1, u32::try_from(task).unwrap() + 7).await;
            log.borrow_mut().push((world.now(), task, reply));
            world.sleep(task, Duration::from_micros(1)).await;
            log.borrow_mut().push((world.now(), task, None));
        };
        world.run(
            vec![
                Box::pin(task(0, 0)),
                Box::pin(task(1, 0)),
                Box::pin(task(2, 0)),
                Box::pin(task(3, 1)),
            ],
            1_200,
        );
        // Two have a processor at once; the third of the host waits for one, and the server serves one after the other.
        let expected = [
            (111, 0, Some(0)),
            (121, 1, Some(7)),
            (131, 3, Some(8)),
            (141, 2, Some(10)),
            (1_111, 0, None),
            (1_121, 1, None),
            (1_131, 3, None),
            (1_141, 2, None),
        ];
        assert_eq!(*log.borrow(), expected);
    }

    #[test]
    fn nothing_happens_after_the_end() {
        let world = World::new(Queue::default(), 1, 1, 0, 0);
        let has_ended = RefCell::new(false);
        let task = async || {
            world.sleep(0, Duration::from_nanos(11)).await;
            *has_ended.borrow_mut() = true;
        };
        world.run(vec![Box::pin(task())], 10);
        assert!(!*has_ended.borrow());
    }
}
