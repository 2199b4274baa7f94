//! One client: the protocol as it runs, answered from a log of replies.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::pin::pin;
use std::rc::Rc;
use std::sync::{LazyLock, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};
use users::backend::{Backend, Unavailable};
use users::congestion::Congestion;
use users::envelope::Envelope;
use users::operation::Operation;
use users::points::{Change, OutOfBounds, Points};
use users::store::{Created, Store, StoreError, Updated};
use users::tier::Thresholds;
use users::user::User;

/// A key or a value. Equal ones are one and the same in memory, so states are compared and hashed by address.
#[derive(Clone, Copy)]
pub(crate) struct Text(&'static Interned);

struct Interned {
    bytes: Vec<u8>,
    record: Option<Record>,
}

impl Text {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        static ALL: LazyLock<Mutex<HashMap<Vec<u8>, Text>>> = LazyLock::new(Mutex::default);
        let mut all = ALL.lock().unwrap();
        *all.entry(bytes.to_vec()).or_insert_with_key(|bytes| {
            Self(Box::leak(Box::new(Interned {
                bytes: bytes.clone(),
                record: Record::from_bytes(bytes),
            })))
        })
    }

    pub(crate) fn bytes(self) -> &'static [u8] {
        &self.0.bytes
    }

    /// The user's record that it is, if it is one.
    pub(crate) fn record(self) -> Option<&'static Record> {
        self.0.record.as_ref()
    }
}

/// What the properties are about in a stored record. It is read here without the help of the code under test.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) creation: String,
    /// The ids of the operations that it remembers.
    pub(crate) operations: Vec<String>,
    pub(crate) points: i64,
    pub(crate) status: Option<String>,
}

impl Record {
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let envelope: serde_json::Value = serde_json::from_slice(bytes).ok()?;
        let id = |operation: &str| operation.split(':').next().unwrap().to_owned();
        Some(Self {
            creation: id(envelope["creation"].as_str()?),
            operations: envelope["operations"]
                .as_str()?
                .split_whitespace()
                .map(id)
                .collect(),
            points: envelope["record"]["points"].as_i64().unwrap_or(0),
            status: envelope["record"]["status"].as_str().map(str::to_owned),
        })
    }

    /// Whether `self` is `old`, or what operations made of it.
    pub(crate) fn grows_from(&self, old: &Self) -> bool {
        self.creation == old.creation
            && old
                .operations
                .iter()
                .all(|operation| self.operations.contains(operation))
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        std::ptr::from_ref(self.0).cmp(&std::ptr::from_ref(other.0))
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::from_ref(self.0).hash(state);
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.bytes()))
    }
}

/// What a client asks of the store or the clock. Chance and pauses are answered without asking: they change nothing
/// but the order of the steps, and every order is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Get(Text),
    Exists(Text),
    SetAll(Vec<(Text, Text)>),
    Increment(Text),
    /// The first look at the key of a compare-and-swap.
    Begin(Text),
    /// Another look at it.
    Current(Text),
    Swap(Text, Text),
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

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    Created,
    Taken,
    Done,
    KeyReused,
    NoSuchUser,
    Refused,
    TryAgain,
    Unavailable,
    Corrupt,
}

/// What a client runs.
#[derive(Clone, Debug)]
pub(crate) enum Program {
    Create(User, Operation),
    /// Adds one point, as award-points does.
    Award(User, Operation),
    /// As promote-user does.
    Promote(User, Operation),
}

impl Program {
    pub(crate) fn operation(&self) -> &Operation {
        match self {
            Self::Create(_, operation) | Self::Award(_, operation) | Self::Promote(_, operation) => operation,
        }
    }

    async fn run(&self, store: &Store<Recorder>) -> Outcome {
        let updated: Result<Updated<OutOfBounds>, _> = match self {
            Self::Create(user, operation) => {
                return match store.create(user, operation).await {
                    Ok(Created::Created | Created::Repeated) => Outcome::Created,
                    Ok(Created::Taken) => Outcome::Taken,
                    Ok(Created::KeyReused) => Outcome::KeyReused,
                    Err(error) => failed(&error),
                };
            }
            Self::Award(user, operation) => {
                let one = Change::from_json_number("1").unwrap();
                let award = |_: &Envelope, user: User| {
                    let points = user.points().unwrap_or(Points::ZERO).changed_by(one)?;
                    Ok(Some(user.with_points(points)))
                };
                store.update(user.username(), operation, award).await
            }
            Self::Promote(user, operation) => {
                let promote = |_: &Envelope, user: User| {
                    let tier = Thresholds::STANDARD.tier(user.points());
                    Ok((user.status() != Some(tier)).then(|| user.with_status(tier)))
                };
                store.update(user.username(), operation, promote).await
            }
        };
        match updated {
            Ok(Updated::Done(_) | Updated::Unchanged(_)) => Outcome::Done,
            Ok(Updated::NoSuchUser) => Outcome::NoSuchUser,
            Ok(Updated::KeyReused) => Outcome::KeyReused,
            Ok(Updated::Refused(_)) => Outcome::Refused,
            Err(error) => failed(&error),
        }
    }
}

fn failed(error: &StoreError) -> Outcome {
    match error {
        StoreError::Unavailable => Outcome::Unavailable,
        StoreError::TryAgain => Outcome::TryAgain,
        StoreError::Corrupt { .. } => Outcome::Corrupt,
    }
}

/// A step of the protocol that is taken away, by lies about what the store or the clock answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// *create* does not look for the record first.
    NoFirstRead,
    /// A claim is won whatever the count.
    NoClaim,
    /// A claim is won if the increment failed.
    FailedClaimWins,
    /// The claim of the period before is not looked for.
    NoLookBefore,
    /// The claim of the period after is not looked for.
    NoLookAfter,
    /// The neighbouring claims are looked for before the own one is made.
    LookFirst,
    /// The record is not looked for again once the claim is won.
    NoSecondRead,
    /// A claim never gets too old.
    NoAgeCheck,
    /// The loser of a claim removes it.
    LoserRemovesClaim,
    /// Nobody removes a claim.
    NoRemoval,
    /// The loser of a claim does not wait for the record.
    NoPatience,
    /// The record is written whatever it has become.
    SetForSwap,
    /// A swap that reports failure is taken for one that wrote.
    EverySwapBelieved,
    /// A swap that reports success is taken for one that failed.
    NoSwapBelieved,
    /// What stands after a swap is not looked at: the next read finds what stood before it.
    NoReadBack,
    /// Neither it nor any later read of the record is.
    NoReadAfterSwap,
    /// *update* does not look whether its operation was applied already.
    NoLookForOwn,
    /// Forgotten operations, or the bound key of a creation, are not noted.
    NoNotes,
    /// Notes are not looked for.
    NoLookForNotes,
    /// Notes are written after the record that forgets.
    LateNotes,
    /// It goes unnoticed that the operation may have been forgotten.
    NoLookAtSequence,
    /// Whatever fingerprint is found is taken for the own one.
    NoFingerprint,
}

/// A program at the point where its log of replies ends. As with [`Text`], equal ones are one and the same in memory.
#[derive(Clone, Copy)]
pub(crate) struct Point(&'static Node);

struct Node {
    program: &'static Program,
    fault: Option<Fault>,
    log: Vec<Reply>,
    next: Next,
    removals: Vec<Text>,
    has_paused: bool,
    is_swapping: bool,
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
    pub(crate) fn start(program: &Program, fault: Option<Fault>) -> Self {
        static ALL: LazyLock<Mutex<HashMap<String, Point>>> = LazyLock::new(Mutex::default);
        let mut all = ALL.lock().unwrap();
        *all.entry(format!("{program:?} {fault:?}"))
            .or_insert_with(|| Self::at(Box::leak(Box::new(program.clone())), fault, Vec::new()))
    }

    /// The same program one reply later.
    pub(crate) fn after(self, reply: Reply) -> Self {
        let mut after = self.0.after.lock().unwrap();
        *after.entry(reply).or_insert_with(|| {
            let mut log = self.0.log.clone();
            log.push(reply);
            Self::at(self.0.program, self.0.fault, log)
        })
    }

    /// Runs `program` from its start to the end of `log`.
    fn at(program: &'static Program, fault: Option<Fault>, log: Vec<Reply>) -> Self {
        let run = Rc::new(Run {
            log,
            ..Run::default()
        });
        let recorder = Recorder {
            run: Rc::clone(&run),
            fault,
            operation: program.operation().clone(),
            congestion: Congestion::new(),
        };
        if let Program::Promote(..) = program {
            // It comes into a crowd, and pauses before it begins.
            recorder.congestion.rise();
        }
        let store = Store::new(recorder);
        let mut running = pin!(program.run(&store));
        let polled = running.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        // What the program still holds, it may still use.
        let is_swapping = run.handles.get() > 0;
        let next = match polled {
            Poll::Ready(outcome) => Next::End(outcome),
            Poll::Pending => Next::Ask(run.pending.take().expect("a program waits for the store alone")),
        };
        Self(Box::leak(Box::new(Node {
            program,
            fault,
            next,
            removals: run.removals.take(),
            is_swapping,
            has_paused: run.slept_after.get() == Some(run.log.len()),
            log: run.log.clone(),
            after: Mutex::default(),
        })))
    }

    pub(crate) fn next(self) -> &'static Next {
        &self.0.next
    }

    /// The keys to be removed later that the last reply gave rise to.
    pub(crate) fn removals(self) -> &'static [Text] {
        &self.0.removals
    }

    /// Whether the program has just paused.
    pub(crate) fn has_paused(self) -> bool {
        self.0.has_paused
    }

    /// Whether the program holds a compare-and-swap.
    pub(crate) fn is_swapping(self) -> bool {
        self.0.is_swapping
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

/// What happens in one run of a program up to the end of its log.
#[derive(Default)]
struct Run {
    log: Vec<Reply>,
    answered: Cell<usize>,
    pending: Cell<Option<Ask>>,
    removals: RefCell<Vec<Text>>,
    slept_after: Cell<Option<usize>>,
    sleeps: Cell<u64>,
    /// How many compare-and-swaps there are.
    handles: Cell<usize>,
    /// What the faults need to know: the first time told, the value that a swap began with, what was seen or put off.
    first_time: Cell<Option<u64>>,
    current: RefCell<Option<Vec<u8>>>,
    has_read: Cell<bool>,
    has_begun: Cell<bool>,
    has_swapped: Cell<bool>,
    is_read_back: Cell<bool>,
    seen: RefCell<BTreeMap<Vec<u8>, bool>>,
    put_off: RefCell<Vec<(Text, Text)>>,
}

/// A compare-and-swap.
struct Handle {
    key: Text,
    has_current: Cell<bool>,
    run: Rc<Run>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.run.handles.update(|handles| handles - 1);
    }
}

/// A stored record without its times: they decide nothing, and would make many states out of one.
fn timeless(record: &[u8]) -> Vec<u8> {
    let mut text = String::from_utf8(record.to_vec()).unwrap();
    for member in [r#""created":"#, r#""changed":"#] {
        let (before, after) = text.split_once(member).unwrap();
        text = format!(
            "{before}{member}0{}",
            after.trim_start_matches(|c: char| c.is_ascii_digit())
        );
    }
    text.into_bytes()
}

/// The stored record `new`, saying that it is no newer than `old` if it has forgotten what came in between.
fn as_new_as(new: &[u8], old: Option<Vec<u8>>) -> Vec<u8> {
    let mut envelope: serde_json::Value = serde_json::from_slice(new).unwrap();
    let old: serde_json::Value = serde_json::from_slice(&old.unwrap()).unwrap();
    let since = envelope["sequence"].as_u64().unwrap() - old["sequence"].as_u64().unwrap();
    let remembered = envelope["operations"]
        .as_str()
        .unwrap()
        .split_whitespace()
        .count();
    if since > remembered as u64 {
        for member in ["sequence", "operations"] {
            envelope[member] = old[member].clone();
        }
    }
    envelope.to_string().into_bytes()
}

/// The backend of a program that is run from a log.
struct Recorder {
    run: Rc<Run>,
    fault: Option<Fault>,
    operation: Operation,
    congestion: Congestion,
}

impl Recorder {
    async fn ask(&self, ask: Ask) -> Reply {
        let answered = self.run.answered.get();
        if let Some(reply) = self.run.log.get(answered) {
            self.run.answered.set(answered + 1);
            *reply
        } else {
            self.run.pending.set(Some(ask));
            std::future::pending().await
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    async fn ask_for_value(&self, ask: Ask) -> Result<Option<Vec<u8>>, Unavailable> {
        match self.ask(ask).await {
            Reply::Value(value) => Ok(value.map(|value| value.bytes().to_vec())),
            Reply::Failed => Err(Unavailable),
            other => unreachable!("{other:?}"),
        }
    }

    async fn ask_to_set(&self, values: Vec<(Text, Text)>) -> Result<(), Unavailable> {
        match self.ask(Ask::SetAll(values)).await {
            Reply::Done => Ok(()),
            Reply::Failed => Err(Unavailable),
            other => unreachable!("{other:?}"),
        }
    }

    async fn ask_whether(&self, ask: Ask) -> Result<bool, Unavailable> {
        match self.ask(ask).await {
            Reply::Flag(flag) => Ok(flag),
            Reply::Failed => Err(Unavailable),
            other => unreachable!("{other:?}"),
        }
    }

    /// `value` with the own operation under another name, so that the program does not recognize it; or back again.
    fn disguised(&self, value: &[u8], back: bool) -> Vec<u8> {
        let own = self.operation.to_string();
        let other = format!(
            "{}{}",
            "f".repeat(self.operation.id().len()),
            &own[self.operation.id().len()..]
        );
        let text = String::from_utf8(value.to_vec()).unwrap();
        if back {
            text.replacen(&other, &own, 1)
        } else {
            text.replace(&own, &other)
        }
        .into_bytes()
    }
}

impl Backend for Recorder {
    type Swap = Handle;

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Unavailable> {
        let value = self.ask_for_value(Ask::Get(Text::new(key.as_bytes()))).await?;
        let is_record = key.starts_with("user");
        let is_lie = match self.fault {
            Some(Fault::NoFirstRead) => is_record && !self.run.has_read.replace(true),
            Some(Fault::NoPatience) => is_record && self.run.slept_after.get().is_some(),
            Some(Fault::NoReadAfterSwap) => is_record && self.run.has_swapped.get(),
            Some(Fault::NoLookForNotes) => !is_record,
            _ => false,
        };
        if is_lie {
            return Ok(None);
        }
        if self.has(Fault::NoFingerprint) && !is_record && value.is_some() {
            return Ok(self
                .operation
                .fingerprint()
                .map(|fingerprint| fingerprint.as_bytes().to_vec()));
        }
        Ok(value)
    }

    async fn exists(&self, key: &str) -> Result<bool, Unavailable> {
        if let Some(seen) = self.run.seen.borrow().get(key.as_bytes()) {
            return Ok(*seen);
        }
        let exists = self.ask_whether(Ask::Exists(Text::new(key.as_bytes()))).await?;
        let is_first = self.run.seen.borrow_mut().is_empty();
        if self.has(Fault::NoLookBefore) || self.has(Fault::NoLookAfter) {
            self.run.seen.borrow_mut().insert(Vec::new(), true);
        }
        Ok(exists
            && !(is_first && self.has(Fault::NoLookBefore) || !is_first && self.has(Fault::NoLookAfter)))
    }

    async fn set_all(&self, values: Vec<(String, Vec<u8>)>) -> Result<(), Unavailable> {
        let values = values
            .iter()
            .map(|(key, value)| (Text::new(key.as_bytes()), Text::new(value)))
            .collect();
        match self.fault {
            Some(Fault::NoNotes) => Ok(()),
            Some(Fault::LateNotes) => {
                *self.run.put_off.borrow_mut() = values;
                Ok(())
            }
            _ => self.ask_to_set(values).await,
        }
    }

    async fn increment(&self, key: &str) -> Result<i64, Unavailable> {
        if self.has(Fault::LookFirst) {
            let digits = key.len() - key.rfind(|c: char| !c.is_ascii_digit()).unwrap() - 1;
            let (name, period) = key.split_at(key.len() - digits);
            let period: u64 = period.parse().unwrap();
            for neighbour in [period - 1, period + 1] {
                let neighbour = format!("{name}{neighbour}").into_bytes();
                let exists = self.ask_whether(Ask::Exists(Text::new(&neighbour))).await?;
                self.run.seen.borrow_mut().insert(neighbour, exists);
            }
        }
        let count = match self.ask(Ask::Increment(Text::new(key.as_bytes()))).await {
            Reply::Count(count) => Ok(count),
            Reply::Failed => Err(Unavailable),
            other => unreachable!("{other:?}"),
        };
        match self.fault {
            Some(Fault::NoClaim) => count.map(|_| 1),
            Some(Fault::FailedClaimWins) => Ok(count.unwrap_or(1)),
            Some(Fault::LoserRemovesClaim) => {
                if count.is_ok_and(|count| count != 1) {
                    self.remove_later(key.to_owned());
                }
                count
            }
            _ => count,
        }
    }

    fn remove_later(&self, key: String) {
        // What an earlier reply gave rise to has been noted before.
        if self.run.answered.get() == self.run.log.len() && !self.has(Fault::NoRemoval) {
            self.run.removals.borrow_mut().push(Text::new(key.as_bytes()));
        }
    }

    async fn begin(&self, key: &str) -> Result<Handle, Unavailable> {
        // It changes nothing, and if it fails that is as if the first look at the key did.
        self.run.handles.update(|handles| handles + 1);
        Ok(Handle {
            key: Text::new(key.as_bytes()),
            has_current: Cell::new(false),
            run: Rc::clone(&self.run),
        })
    }

    async fn current(&self, swap: &Handle) -> Result<Option<Vec<u8>>, Unavailable> {
        let value = if swap.has_current.replace(true) {
            self.ask_for_value(Ask::Current(swap.key)).await?
        } else {
            self.ask_for_value(Ask::Begin(swap.key)).await?
        };
        let before = self.run.current.replace(value.clone());
        let has_swapped = self.run.has_swapped.get();
        let is_read_back = self.run.is_read_back.replace(false);
        self.run.has_begun.set(true);
        Ok(match self.fault {
            Some(Fault::NoSecondRead) if !is_read_back => None,
            Some(Fault::NoReadBack) if is_read_back => self.run.current.replace(before.clone()).and(before),
            Some(Fault::NoReadAfterSwap) if has_swapped => {
                self.run.current.replace(before.clone()).and(before)
            }
            Some(Fault::NoLookForOwn) if !is_read_back => value.map(|value| self.disguised(&value, false)),
            Some(Fault::NoLookAtSequence) if is_read_back => value.map(|value| as_new_as(&value, before)),
            _ => value,
        })
    }

    async fn swap(&self, swap: Handle, value: Vec<u8>) -> Result<Option<Handle>, Unavailable> {
        let value = if self.has(Fault::NoLookForOwn) {
            self.disguised(&value, true)
        } else {
            value
        };
        let value = Text::new(&timeless(&value));
        let swapped = if self.has(Fault::SetForSwap) {
            self.ask_to_set(vec![(swap.key, value)]).await.map(|()| true)
        } else {
            self.ask_whether(Ask::Swap(swap.key, value)).await
        };
        self.run.has_swapped.set(true);
        self.run.is_read_back.set(true);
        let put_off = self.run.put_off.take();
        if !put_off.is_empty() {
            self.ask_to_set(put_off).await?;
        }
        let is_written = match self.fault {
            Some(Fault::EverySwapBelieved) => true,
            Some(Fault::NoSwapBelieved) => false,
            _ => swapped?,
        };
        Ok(if is_written { None } else { Some(swap) })
    }

    fn congestion(&self) -> &Congestion {
        &self.congestion
    }

    async fn now(&self) -> SystemTime {
        let Reply::Time(mut now) = self.ask(Ask::Now).await else {
            unreachable!()
        };
        let first = self.run.first_time.get().unwrap_or(now);
        self.run.first_time.set(Some(first));
        if self.has(Fault::NoAgeCheck) && self.run.has_begun.get() {
            now = first;
        }
        let is_blind =
            self.has(Fault::NoPatience) || self.has(Fault::NoReadAfterSwap) && self.run.has_swapped.get();
        if is_blind {
            // Who never finds anything would look for ever while the clock stands.
            now += 3600 * self.run.sleeps.get();
        }
        SystemTime::UNIX_EPOCH + Duration::from_secs(now)
    }

    async fn random(&self) -> u64 {
        0
    }

    async fn sleep(&self, _: Duration) {
        self.run.sleeps.update(|sleeps| sleeps + 1);
        self.run.slept_after.set(Some(self.run.answered.get()));
    }
}
