//! Keys and values, and what the properties are about in them. Values are read here without the help of the code under
//! test.

use serde_json::Value;
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{LazyLock, Mutex};

/// A key or a value. Equal ones are one and the same in memory, so states are compared and hashed by address.
#[derive(Clone, Copy)]
pub(crate) struct Text(&'static Interned);

struct Interned {
    bytes: Vec<u8>,
    form: Form,
}

/// What a value is.
#[derive(Debug, PartialEq)]
pub(crate) enum Form {
    /// A user.
    Live(Record),
    /// An erased user.
    Erased(Head),
    /// A leaf of the directory, with its names.
    Leaf(Vec<String>),
    /// What took the place of a leaf that was split: the nonce of its children.
    Split(String),
    /// Archived entries.
    Page(Vec<Entry>),
    /// A key, a note or the binding of an idempotency key.
    Other,
}

/// What the envelope of a user and its tombstone have in common.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Head {
    pub(crate) sequence: u64,
    pub(crate) first: u64,
    pub(crate) creation: Entry,
    pub(crate) erasure: Option<Entry>,
    pub(crate) remains: Value,
}

/// The envelope of a user.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) head: Head,
    pub(crate) archived: u64,
    pub(crate) earned: i64,
    pub(crate) entries: Vec<Entry>,
    pub(crate) points: i64,
    pub(crate) status: Option<String>,
    /// The members of the client's own.
    pub(crate) others: Value,
}

/// One change of a user.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// The id of the operation and, if it has a key, the fingerprint of the request.
    pub(crate) operation: String,
    pub(crate) points: Option<i64>,
    pub(crate) balance: Option<i64>,
    pub(crate) reverses: Option<u64>,
    pub(crate) status: Option<String>,
    /// Whether it changed members of the client's own.
    pub(crate) is_update: bool,
}

impl Text {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        static ALL: LazyLock<Mutex<HashMap<Vec<u8>, Text>>> = LazyLock::new(Mutex::default);
        let mut all = ALL.lock().unwrap();
        *all.entry(bytes.to_vec()).or_insert_with_key(|bytes| {
            Self(Box::leak(Box::new(Interned {
                bytes: bytes.clone(),
                form: Form::from_bytes(bytes).unwrap_or(Form::Other),
            })))
        })
    }

    pub(crate) fn bytes(self) -> &'static [u8] {
        &self.0.bytes
    }

    pub(crate) fn as_str(self) -> &'static str {
        std::str::from_utf8(&self.0.bytes).unwrap()
    }

    pub(crate) fn form(self) -> &'static Form {
        &self.0.form
    }
}

impl Form {
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        if let Some(entries) = value.as_array() {
            return Some(Self::Page(Entry::all(entries)?));
        }
        if let Some(names) = value["names"].as_array() {
            let names = names.iter().map(|name| name.as_str().map(str::to_owned));
            return Some(Self::Leaf(names.collect::<Option<_>>()?));
        }
        if let Some(nonce) = value["split"].as_str() {
            return Some(Self::Split(nonce.to_owned()));
        }
        let head = Head {
            sequence: value["sequence"].as_u64()?,
            first: value["first"].as_u64()?,
            creation: Entry::from_json(&value["creation"])?,
            erasure: Entry::from_json(&value["erasure"]),
            remains: value["remains"].clone(),
        };
        if value.get("deleted").is_some() {
            return Some(Self::Erased(head));
        }
        let mut others = value["record"].clone();
        for name in ["points", "status"] {
            others.as_object_mut()?.remove(name);
        }
        Some(Self::Live(Record {
            head,
            others,
            archived: value["archived"].as_u64()?,
            earned: value["earned"].as_i64()?,
            entries: Entry::all(value["entries"].as_array()?)?,
            points: value["record"]["points"].as_i64().unwrap_or(0),
            status: value["record"]["status"].as_str().map(str::to_owned),
        }))
    }
}

impl Entry {
    fn all(values: &[Value]) -> Option<Vec<Self>> {
        values.iter().map(Self::from_json).collect()
    }

    fn from_json(value: &Value) -> Option<Self> {
        Some(Self {
            operation: value["operation"].as_str()?.to_owned(),
            points: value["points"].as_i64(),
            balance: value["balance"].as_i64(),
            reverses: value["reverses"].as_u64(),
            status: value["status"].as_str().map(str::to_owned),
            is_update: value.get("members").is_some(),
        })
    }
}

/// The id in the stored form of an operation.
pub(crate) fn id(operation: &str) -> &str {
    operation.split(':').next().unwrap_or(operation)
}

/// The stored record or page `value` without the times that decide nothing, as they would make many states out of one:
/// all but that of an erasure.
pub(crate) fn timeless(value: &[u8]) -> Vec<u8> {
    const TIME: &str = r#"{"time":"#;
    let text = std::str::from_utf8(value).unwrap();
    let mut parts = text.split(TIME);
    let mut timeless = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let decides = timeless.ends_with(r#""erasure":"#);
        timeless.push_str(TIME);
        if decides {
            timeless.push_str(part);
        } else {
            timeless.push('0');
            timeless.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
        }
    }
    timeless.into_bytes()
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
