//! One client: the protocol as it runs, answered from a log of replies.

use crate::deliveries::Delivery;
use crate::mutation::Mutation;
use crate::program::{Outcome, Program, Request};
use crate::recorder::Recorder;
use crate::rule::Rule;
use crate::run::Run;
use crate::text::Text;
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::pin::pin;
use std::rc::Rc;
use std::sync::{LazyLock, Mutex};
use std::task::{Context, Poll, Waker};
use users::storage::UserStore;

/// What a client asks of the store or the clock. Chance and pauses are answered without asking: they change nothing
/// but the order of the steps, and every order is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Get(Text),
    Exists(Text),
    SetAll(Vec<(Text, Text)>),
    DeleteAll(Vec<Text>),
    Increment(Text),
    /// The first look at the key of a compare-and-swap.
    NewCas(Text),
    /// Another look at it.
    Current(Text),
    CompareAndSwap(Text, Text),
    /// An event for the receiver.
    Deliver(Delivery),
    Now,
}

/// The answer to an [`Ask`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reply {
    Value(Option<Text>),
    Flag(bool),
    Count(i64),
    Done,
    /// Seconds since 1970.
    Time(u64),
    Failed,
}

/// A program at the point where its log of replies ends. As with [`Text`], equal ones are one and the same in memory.
#[derive(Clone, Copy)]
pub(crate) struct Point(&'static Node);

struct Node {
    program: &'static Program,
    rule: Rule,
    mutation: Option<Mutation>,
    log: Vec<Reply>,
    next: Next,
    last_get: Option<(Text, Reply)>,
    has_paused: bool,
    swapping: Vec<Text>,
    after: Mutex<HashMap<Reply, Point>>,
}

/// What a program does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Ask(Ask),
    End(Outcome),
}

impl Point {
    /// The start of a program.
    pub(crate) fn start(program: &Program, rule: Rule, mutation: Option<Mutation>) -> Self {
        static ALL: LazyLock<Mutex<HashMap<String, Point>>> = LazyLock::new(Mutex::default);
        let mut all = ALL.lock().unwrap();
        *all.entry(format!("{program:?} {rule:?} {mutation:?}"))
            .or_insert_with(|| Self::at(Box::leak(Box::new(program.clone())), rule, mutation, Vec::new()))
    }

    /// The same program one reply later.
    pub(crate) fn after(self, reply: Reply) -> Self {
        let mut after = self.0.after.lock().unwrap();
        *after.entry(reply).or_insert_with(|| {
            let mut log = self.0.log.clone();
            log.push(reply);
            Self::at(self.0.program, self.0.rule, self.0.mutation, log)
        })
    }

    /// Runs `program` from its start to the end of `log`.
    fn at(program: &'static Program, rule: Rule, mutation: Option<Mutation>, log: Vec<Reply>) -> Self {
        let run = Rc::new(Run::new(log));
        let environment = || Recorder::new(&run, program, rule, mutation);
        let store = UserStore::new(environment());
        let receiver = environment();
        let mut running = pin!(program.run(&store, &receiver));
        let polled = running.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        // What the program still holds, it may still use.
        let swapping = run.swapping();
        let next = match polled {
            Poll::Ready(outcome) => Next::End(outcome),
            Poll::Pending => Next::Ask(run.pending().expect("a program waits for the store alone")),
        };
        let is_bound = matches!(&next, Next::Ask(Ask::NewCas(key)) if key.as_str().starts_with("directory:"));
        Self(Box::leak(Box::new(Node {
            program,
            rule,
            mutation,
            next: match program.request {
                Request::Bind { .. } if is_bound => Next::End(Outcome::Bound),
                _ => next,
            },
            last_get: run.last_get(),
            swapping,
            has_paused: run.has_just_paused(),
            log: run.log(),
            after: Mutex::default(),
        })))
    }

    pub(crate) fn next(self) -> &'static Next {
        &self.0.next
    }

    /// Whether the program has just paused.
    pub(crate) fn has_paused(self) -> bool {
        self.0.has_paused
    }

    /// The keys that the program holds compare-and-swaps of.
    pub(crate) fn swapping(self) -> &'static [Text] {
        &self.0.swapping
    }

    /// The last key that was read outside of a compare-and-swap, and what was found.
    pub(crate) fn last_get(self) -> Option<(Text, Reply)> {
        self.0.last_get
    }

    /// The time that the clock showed last.
    pub(crate) fn last_time(self) -> Option<u64> {
        self.0.log.iter().rev().find_map(|reply| {
            if let Reply::Time(time) = reply {
                Some(*time)
            } else {
                None
            }
        })
    }
}

impl PartialEq for Point {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Point {}

impl Hash for Point {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::from_ref(self.0).hash(state);
    }
}

impl fmt::Debug for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.next)
    }
}
