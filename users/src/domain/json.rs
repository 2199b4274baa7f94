//! Strict reading of JSON objects from clients, which finds every violation and points to it.

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

/// One thing that is wrong with a JSON document, and where.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Violation {
    /// The place as a JSON pointer (RFC 6901); the empty pointer is the whole document.
    pub pointer: String,
    /// What is wrong there, as a predicate: "must be a string".
    pub detail: String,
}

impl Violation {
    /// A violation in the top-level member `name`.
    pub(crate) fn of_member(name: &str, detail: impl fmt::Display) -> Self {
        let mut pointer = String::new();
        push_reference_token(&mut pointer, name);
        Self {
            pointer,
            detail: detail.to_string(),
        }
    }
}

/// Why a text is not the expected JSON document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidDocument {
    /// It is not JSON. The text tells why, with line and column.
    Malformed(String),
    /// It is JSON, but breaks the rules for the document. Lists at least one and at most [`VIOLATION_LIMIT`] violations.
    Invalid(Vec<Violation>),
}

impl std::fmt::Display for InvalidDocument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "it is not JSON: {why}"),
            Self::Invalid(violations) => write!(f, "it violates {} of the rules for it", violations.len()),
        }
    }
}

impl std::error::Error for InvalidDocument {}

/// The members of a JSON object in their order, borrowed from its text: each name, and each value as it was written.
pub(crate) struct Members<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Members<'a> {
    /// Reads a text.
    ///
    /// # Errors
    /// Returns an error if the text is not a JSON object.
    pub(crate) fn read(text: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    /// The number of members.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The value of the member `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.0.iter().find(|(member, _)| member == name)?;
        Some(value)
    }
}

/// A JSON object: its members in their order, each value as it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Object(Vec<(String, String)>);

impl Object {
    /// Reads `bytes` as an I-JSON object (RFC 7493): UTF-8 without a byte-order mark, no unpaired surrogates, no member
    /// name twice in one object; and, as RFC 8259 (section 9) allows, with a limit on nesting. `interpret` turns the object
    /// into a value, and adds the violations that it finds.
    ///
    /// # Errors
    /// Returns [`InvalidDocument::Malformed`] with the place where the text stops being JSON, or
    /// [`InvalidDocument::Invalid`] with all violations.
    pub(crate) fn read_strictly<T>(
        bytes: &[u8],
        interpret: impl FnOnce(Self, &mut Vec<Violation>) -> Option<T>,
    ) -> Result<T, InvalidDocument> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let lines = bytes[..error.valid_up_to()].split(|byte| *byte == b'\n');
            let (line, column) = lines.fold((0, 0), |(line, _), text| (line + 1, text.len() + 1));
            InvalidDocument::Malformed(format!("invalid UTF-8 at line {line} column {column}"))
        })?;
        let document: &RawValue =
            serde_json::from_str(text).map_err(|error| InvalidDocument::Malformed(error.to_string()))?;
        let mut violations = Vec::new();
        check(document.get(), &mut String::new(), DEPTH_LIMIT, &mut violations);
        let value = match Self::read(document.get()) {
            Ok(object) => interpret(object, &mut violations),
            Err(_) if violations.is_empty() => {
                violations.push(violation("", "must be a JSON object"));
                None
            }
            Err(_) => None,
        };
        value.filter(|_| violations.is_empty()).ok_or_else(|| {
            violations.truncate(VIOLATION_LIMIT);
            InvalidDocument::Invalid(violations)
        })
    }

    /// Reads a text that has passed [`Object::read_strictly`] before.
    ///
    /// # Errors
    /// Returns an error if the text is not a JSON object.
    pub(crate) fn read(text: &str) -> serde_json::Result<Self> {
        let Members(members) = Members::read(text)?;
        let owned = |(name, value): (Cow<'_, str>, &str)| (name.into_owned(), value.to_owned());
        Ok(Self(members.into_iter().map(owned).collect()))
    }

    /// The names of the members, in their order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The members, in their order: each name, and each value as it was written.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of the member `name`, as it was written.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(member, _)| member == name)
            .map(|(_, value)| value.as_str())
    }

    /// Sets the member `name` to the JSON `value`, in its place if it exists, or else at the end.
    pub(crate) fn set(&mut self, name: &str, value: String) {
        match self.0.iter_mut().find(|(member, _)| member == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Removes the member `name`, if there is one.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(member, _)| member != name);
    }

    /// Writes the object as JSON, without white space between its members.
    pub(crate) fn to_json(&self) -> String {
        let mut json = String::from("{");
        for (name, value) in &self.0 {
            if json.len() > 1 {
                json.push(',');
            }
            json.push_str(&string(name));
            json.push(':');
            json.push_str(value);
        }
        json.push('}');
        json
    }
}

/// `text` as a JSON string.
pub(crate) fn string(text: &str) -> String {
    // A string always serializes.
    serde_json::to_string(text).unwrap_or_default()
}

/// The text of the JSON `value`, if it is a string.
pub(crate) fn string_from(value: &str) -> Option<String> {
    serde_json::from_str(value).ok()
}

/// Whether two JSON texts have the same value, regardless of white space, escapes in strings and the order of members.
/// Numbers are equal only if they are spelled alike.
pub(crate) fn is_same_value(one: &str, other: &str) -> bool {
    match (one.as_bytes().first(), other.as_bytes().first()) {
        (Some(b'"'), Some(b'"')) => one == other || string_from(one) == string_from(other),
        (Some(b'{'), Some(b'{')) => match (Members::read(one), Members::read(other)) {
            (Ok(one), Ok(other)) => {
                one.len() == other.len()
                    && one
                        .0
                        .iter()
                        .all(|(name, value)| other.get(name).is_some_and(|other| is_same_value(value, other)))
            }
            _ => false,
        },
        (Some(b'['), Some(b'[')) => {
            let (one, other) = (elements(one), elements(other));
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| is_same_value(one.get(), other.get()))
        }
        _ => one == other,
    }
}

/// The elements of a JSON array, each as it was written.
fn elements(array: &str) -> Vec<&RawValue> {
    serde_json::from_str(array).unwrap_or_default()
}

/// Whether the JSON `value` is a number.
pub(crate) fn is_number(value: &str) -> bool {
    value.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some((Name(name), value)) = map.next_entry::<_, &RawValue>()? {
                    members.push((name, value.get()));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// The name of a member, borrowed from the text unless it has escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The maximum number of levels of arrays and objects.
const DEPTH_LIMIT: usize = 64;

/// The maximum number of violations that are listed for one document.
pub const VIOLATION_LIMIT: usize = 20;
/// The maximum total length in bytes of pointers to violations of I-JSON. A pointer repeats every name above it, so a small
/// document could otherwise cause many megabytes of pointers.
const POINTER_LIMIT: usize = 16 * 1024;

/// Adds a violation for everything that I-JSON forbids in `value`, which is JSON at `pointer`.
fn check(value: &str, pointer: &mut String, depth_left: usize, violations: &mut Vec<Violation>) {
    let detail = match value.as_bytes().first() {
        Some(b'"') if string_from(value).is_none() => "must not contain an unpaired surrogate",
        Some(b'{' | b'[') if depth_left == 0 => "must not be nested deeper than 64 levels",
        Some(b'{') => match Members::read(value) {
            Ok(Members(members)) => {
                let mut names = BTreeSet::new();
                for (name, value) in &members {
                    check_part(name, value, pointer, depth_left, violations);
                    if !names.insert(name) {
                        let length = push_reference_token(pointer, name);
                        note(violations, pointer, "must not be given twice");
                        pointer.truncate(length);
                    }
                }
                return;
            }
            Err(_) => "must not have an unpaired surrogate in a member name",
        },
        Some(b'[') => {
            for (index, value) in elements(value).into_iter().enumerate() {
                check_part(&index.to_string(), value.get(), pointer, depth_left, violations);
            }
            return;
        }
        _ => return,
    };
    note(violations, pointer, detail);
}

fn check_part(
    token: &str,
    value: &str,
    pointer: &mut String,
    depth_left: usize,
    violations: &mut Vec<Violation>,
) {
    let length = push_reference_token(pointer, token);
    check(value, pointer, depth_left - 1, violations);
    pointer.truncate(length);
}

/// Adds a violation of I-JSON, unless the limits are reached. The first one is always added.
fn note(violations: &mut Vec<Violation>, pointer: &str, detail: &str) {
    let listed: usize = violations.iter().map(|violation| violation.pointer.len()).sum();
    if violations.is_empty()
        || (violations.len() < VIOLATION_LIMIT && listed + pointer.len() <= POINTER_LIMIT)
    {
        violations.push(violation(pointer, detail));
    }
}

fn violation(pointer: &str, detail: &str) -> Violation {
    Violation {
        pointer: pointer.to_owned(),
        detail: detail.to_owned(),
    }
}

/// Appends `/` and `token` with its special characters escaped (RFC 6901, section 3). Returns the length before.
fn push_reference_token(pointer: &mut String, token: &str) -> usize {
    let length = pointer.len();
    pointer.push('/');
    pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
    length
}

#[cfg(test)]
mod tests;
