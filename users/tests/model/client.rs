//! One client: the protocol as it runs, answered from a log of replies.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::pin::pin;
use std::rc::Rc;
use std::sync::{LazyLock, Mutex, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};
use users::backend::{Backend, Unavailable};
use users::envelope::Envelope;
use users::operation::Operation;
use users::points::{Change, Points};
use users::store::{Created, Store, StoreError, Updated};
use users::tier::Thresholds;
use users::user::User;

/// A key or a value. Equal ones are one and the same in memory, so states are compared and hashed by address.
#[derive(Clone, Copy)]
pub(crate) struct Text(&'static Interned);

struct Interned {
    bytes: Vec<u8>,
    record: OnceLock<Option<Record>>,
}

impl Text {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        static ALL: LazyLock<Mutex<HashMap<Vec<u8>, Text>>> = LazyLock::new(Mutex::default);
        let mut all = ALL.lock().unwrap();
        *all.entry(bytes.to_vec()).or_insert_with_key(|bytes| {
            Self(Box::leak(Box::new(Interned {
                bytes: bytes.clone(),
                record: OnceLock::new(),
            })))
        })
    }

    pub(crate) fn bytes(self) -> &'static [u8] {
        &self.0.bytes
    }

    /// The user's record that it is, if it is one.
    pub(crate) fn record(self) -> Option<&'static Record> {
        self.0
            .record
            .get_or_init(|| Record::from_bytes(&self.0.bytes))
            .as_ref()
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
    Begin(Text),
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
        let updated = match self {
            Self::Create(user, operation) => {
                return match store.create(user, operation).await {
                    Ok(Created::Created) => Outcome::Created,
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
            Ok(Updated::Done(_)) => Outcome::Done,
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
    /// A fingerprint is taken for the right one.
    NoFingerprint,
}

/// A program at the point where its log of replies ends. As with [`Text`], equal ones are one and the same in memory.
#[derive(Clone, Copy)]
pub(crate) struct Point(&'static Node);

struct Node {
    program: Program,
    fault: Option<Fault>,
    log: Vec<Reply>,
    next: Next,
    removals: Vec<Text>,
    is_poll: bool,
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
        Self::at(program, fault, Vec::new())
    }

    /// The same program one reply later.
    pub(crate) fn after(self, reply: Reply) -> Self {
        let mut after = self.0.after.lock().unwrap();
        *after.entry(reply).or_insert_with(|| {
            let mut log = self.0.log.clone();
            log.push(reply);
            Self::at(&self.0.program, self.0.fault, log)
        })
    }

    /// Runs `program` from its start to the end of `log`.
    fn at(program: &Program, fault: Option<Fault>, log: Vec<Reply>) -> Self {
        let run = Rc::new(Run {
            log,
            ..Run::default()
        });
        let recorder = Recorder {
            run: Rc::clone(&run),
            fault,
            operation: program.operation().clone(),
        };
        let store = Store::new(recorder);
        let polled = pin!(program.run(&store)).poll(&mut Context::from_waker(Waker::noop()));
        let next = match polled {
            Poll::Ready(outcome) => Next::End(outcome),
            Poll::Pending => Next::Ask(run.pending.take().expect("a program waits for the store alone")),
        };
        Self(Box::leak(Box::new(Node {
            program: program.clone(),
            fault,
            next,
            removals: run.removals.take(),
            is_poll: run.slept_after.get() == Some(run.log.len()),
            log: run.log.clone(),
            after: Mutex::default(),
        })))
    }

    pub(crate) fn next(self) -> &'static Next {
        &self.0.next
    }

    pub(crate) fn operation(self) -> &'static Operation {
        self.0.program.operation()
    }

    /// The keys to be removed later that the last reply gave rise to.
    pub(crate) fn removals(self) -> &'static [Text] {
        &self.0.removals
    }

    /// Whether the program has just paused.
    pub(crate) fn has_paused(self) -> bool {
        self.0.is_poll
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
    /// What the faults need to know: the first time told, the value that a swap began with, what was seen or put off.
    first_time: Cell<Option<u64>>,
    begun: RefCell<Option<Option<Vec<u8>>>>,
    swapped: Cell<bool>,
    read_back: Cell<bool>,
    seen: RefCell<BTreeMap<Vec<u8>, bool>>,
    put_off: RefCell<Vec<(Text, Text)>>,
}

/// The backend of a program that is run from a log.
struct Recorder {
    run: Rc<Run>,
    fault: Option<Fault>,
    operation: Operation,
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
        let other = format!("{:f<24}{}", "", &own[24..]);
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
    type Swap = Text;

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Unavailable> {
        let value = self.ask_for_value(Ask::Get(Text::new(key.as_bytes()))).await?;
        let is_record = key.starts_with("user");
        let begun = self.run.begun.borrow().clone();
        let swapped = self.run.swapped.get();
        let is_lie = match self.fault {
            Some(Fault::NoFirstRead) => is_record && begun.is_none(),
            Some(Fault::NoPatience) => is_record && self.run.slept_after.get().is_some(),
            Some(Fault::NoReadBack) => is_record && swapped && !self.run.read_back.replace(true),
            Some(Fault::NoReadAfterSwap) => is_record && swapped,
            Some(Fault::NoLookForNotes) if !is_record => return Ok(None),
            _ => false,
        };
        if is_lie {
            return Ok(begun.flatten());
        }
        if self.has(Fault::NoLookAtSequence)
            && is_record
            && let Some(value) = &value
        {
            let text = String::from_utf8(value.clone()).unwrap();
            let (before, after) = text.split_once(r#""sequence":"#).unwrap();
            let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
            return Ok(Some(format!(r#"{before}"sequence":1{rest}"#).into_bytes()));
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

    async fn begin(&self, key: &str) -> Result<(Text, Option<Vec<u8>>), Unavailable> {
        let key = Text::new(key.as_bytes());
        let mut value = self.ask_for_value(Ask::Begin(key)).await?;
        match self.fault {
            Some(Fault::NoSecondRead) => value = None,
            Some(Fault::NoLookForOwn) => value = value.map(|value| self.disguised(&value, false)),
            _ => {}
        }
        *self.run.begun.borrow_mut() = Some(value.clone());
        Ok((key, value))
    }

    async fn swap(&self, key: Text, value: Vec<u8>) -> Result<bool, Unavailable> {
        let value = if self.has(Fault::NoLookForOwn) {
            self.disguised(&value, true)
        } else {
            value
        };
        let value = Text::new(&value);
        let swapped = if self.has(Fault::SetForSwap) {
            self.ask_to_set(vec![(key, value)]).await.map(|()| true)
        } else {
            self.ask_whether(Ask::Swap(key, value)).await
        };
        self.run.swapped.set(true);
        self.run.read_back.set(false);
        let put_off = self.run.put_off.take();
        if !put_off.is_empty() {
            self.ask_to_set(put_off).await?;
        }
        match self.fault {
            Some(Fault::EverySwapBelieved) => Ok(true),
            Some(Fault::NoSwapBelieved) => Ok(false),
            _ => swapped,
        }
    }

    async fn now(&self) -> SystemTime {
        let Reply::Time(mut now) = self.ask(Ask::Now).await else {
            unreachable!()
        };
        let first = self.run.first_time.get().unwrap_or(now);
        self.run.first_time.set(Some(first));
        if self.has(Fault::NoAgeCheck) && self.run.begun.borrow().is_some() {
            now = first;
        }
        if self.has(Fault::NoPatience) && self.run.slept_after.get().is_some() {
            now += 3600;
        }
        SystemTime::UNIX_EPOCH + Duration::from_secs(now)
    }

    async fn random(&self) -> u64 {
        0
    }

    async fn sleep(&self, _: Duration) {
        self.run.slept_after.set(Some(self.run.answered.get()));
    }
}
