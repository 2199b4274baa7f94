//! Reading JSON objects from outside: strictly, with every fault found and a pointer to each.

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

/// One thing that is wrong with a JSON document, and where.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// The place as a JSON pointer (RFC 6901); the empty pointer is the whole document.
    pub pointer: String,
    /// What is wrong there, as the predicate of a sentence: "must be a string".
    pub detail: String,
}

impl Fault {
    /// A fault of the member `name` of the document's object.
    pub(crate) fn of_member(name: &str, detail: impl fmt::Display) -> Self {
        let mut pointer = String::new();
        push_reference_token(&mut pointer, name);
        Self {
            pointer,
            detail: detail.to_string(),
        }
    }
}

/// Why a text is not the JSON document that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidDocument {
    /// It is not JSON; the text says why, and at which line and column.
    Malformed(String),
    /// It is JSON, but not of the right form. There is at least one fault.
    Invalid(Vec<Fault>),
}

/// The members of a JSON object in their order, where they stand in its text: each name, and each value as it was
/// written.
pub(crate) struct Members<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Members<'a> {
    /// Reads a text.
    ///
    /// # Errors
    /// It is not a JSON object.
    pub(crate) fn read(text: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    /// How many there are.
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object(Vec<(String, String)>);

impl Object {
    /// Reads `bytes` as an I-JSON object (RFC 7493): UTF-8 without a byte-order mark, strings of whole characters,
    /// no member name twice in one object; and, as RFC 8259 (section 9) allows, not nested without end. What the
    /// object means is up to `interpret`, which adds the faults that it finds.
    ///
    /// # Errors
    /// Where the text stops being JSON, or else every fault.
    pub(crate) fn read_strictly<T>(
        bytes: &[u8],
        interpret: impl FnOnce(Self, &mut Vec<Fault>) -> Option<T>,
    ) -> Result<T, InvalidDocument> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let lines = bytes[..error.valid_up_to()].split(|byte| *byte == b'\n');
            let (line, column) = lines.fold((0, 0), |(line, _), text| (line + 1, text.len() + 1));
            InvalidDocument::Malformed(format!("invalid UTF-8 at line {line} column {column}"))
        })?;
        let document: &RawValue =
            serde_json::from_str(text).map_err(|error| InvalidDocument::Malformed(error.to_string()))?;
        let mut faults = Vec::new();
        check(document.get(), &mut String::new(), DEPTH_LIMIT, &mut faults);
        let value = match Self::read(document.get()) {
            Ok(object) => interpret(object, &mut faults),
            Err(_) if faults.is_empty() => {
                faults.push(fault("", "must be a JSON object"));
                None
            }
            Err(_) => None,
        };
        value
            .filter(|_| faults.is_empty())
            .ok_or(InvalidDocument::Invalid(faults))
    }

    /// Reads a text that once passed [`Object::read_strictly`].
    ///
    /// # Errors
    /// The text is not a JSON object.
    pub(crate) fn read(text: &str) -> serde_json::Result<Self> {
        let Members(members) = Members::read(text)?;
        let owned = |(name, value): (Cow<'_, str>, &str)| (name.into_owned(), value.to_owned());
        Ok(Self(members.into_iter().map(owned).collect()))
    }

    /// The names of the members, in their order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The value of the member `name`, as it was written.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(member, _)| member == name)
            .map(|(_, value)| value.as_str())
    }

    /// Gives the member `name` the value `value`, which is JSON: in its place, or else at the end.
    pub(crate) fn set(&mut self, name: &str, value: String) {
        match self.0.iter_mut().find(|(member, _)| member == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// The object as JSON, without white space between its members.
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

/// The text of the JSON `value`, if it is a string without escapes.
pub(crate) fn plain_string_from(value: &str) -> Option<&str> {
    let text = value.strip_prefix('"')?.strip_suffix('"')?;
    (!text.contains('\\')).then_some(text)
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

/// The name of a member, borrowed from the text unless there are escapes in it.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// How many levels of arrays and objects a document may have.
const DEPTH_LIMIT: usize = 64;

/// The most faults of form that are listed, and the most bytes of pointers to them.
const MOST_FAULTS: usize = 100;
const LONGEST_POINTERS: usize = 64 * 1024;

/// Notes what I-JSON forbids in `value`, which is JSON and stands at `pointer`.
fn check(value: &str, pointer: &mut String, depth_left: usize, faults: &mut Vec<Fault>) {
    let detail = match value.as_bytes().first() {
        Some(b'"') if string_from(value).is_none() => "must have no half of a surrogate pair",
        Some(b'{' | b'[') if depth_left == 0 => "must not be nested so deeply",
        Some(b'{') => match Members::read(value) {
            Ok(Members(members)) => {
                let mut names = BTreeSet::new();
                for (name, value) in &members {
                    check_part(name, value, pointer, depth_left, faults);
                    if !names.insert(name) {
                        let length = push_reference_token(pointer, name);
                        note(faults, pointer, "must not be given twice");
                        pointer.truncate(length);
                    }
                }
                return;
            }
            Err(_) => "must have no half of a surrogate pair in a member name",
        },
        Some(b'[') => {
            let elements: Vec<&RawValue> = serde_json::from_str(value).unwrap_or_default();
            for (index, value) in elements.into_iter().enumerate() {
                check_part(&index.to_string(), value.get(), pointer, depth_left, faults);
            }
            return;
        }
        _ => return,
    };
    note(faults, pointer, detail);
}

fn check_part(token: &str, value: &str, pointer: &mut String, depth_left: usize, faults: &mut Vec<Fault>) {
    let length = push_reference_token(pointer, token);
    check(value, pointer, depth_left - 1, faults);
    pointer.truncate(length);
}

/// Adds a fault of form, as long as the list is not out of all proportion to the document: a pointer repeats every
/// name above it, so a small document could ask for many megabytes of them.
fn note(faults: &mut Vec<Fault>, pointer: &str, detail: &str) {
    let listed: usize = faults.iter().map(|fault| fault.pointer.len()).sum();
    if faults.is_empty() || (faults.len() < MOST_FAULTS && listed + pointer.len() <= LONGEST_POINTERS) {
        faults.push(fault(pointer, detail));
    }
}

fn fault(pointer: &str, detail: &str) -> Fault {
    Fault {
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<Object, InvalidDocument> {
        Object::read_strictly(bytes, |object, _| Some(object))
    }

    fn refusal(json: &str) -> InvalidDocument {
        match read(json.as_bytes()) {
            Ok(_) => panic!("accepted: {json}"),
            Err(refusal) => refusal,
        }
    }

    #[test]
    fn members_keep_their_order_and_their_text() {
        let json = r#"{"b": 1.50e3, "a" : { "x":[ 1 ,2]} ,"\u0063":"\u00e9"}"#;
        let mut object = read(json.as_bytes()).unwrap();
        object.set("d", "4".to_owned());
        assert_eq!(
            object.to_json(),
            r#"{"b":1.50e3,"a":{ "x":[ 1 ,2]},"c":"\u00e9","d":4}"#
        );
        object.set("a", "0".to_owned());
        assert_eq!(object.to_json(), r#"{"b":1.50e3,"a":0,"c":"\u00e9","d":4}"#);
        assert_eq!(read(b"{}").unwrap().to_json(), "{}");
    }

    #[test]
    fn what_is_not_json_is_placed() {
        for (text, place) in [
            (&b"{\"a\":\n 1,}"[..], "line 2 column 4"),
            (b"", "line 1 column 0"),
            (b"{\"a\":1} x", "line 1 column 9"),
            (b"{\"a\":01}", "line 1 column 7"),
            (b"\xef\xbb\xbf{}", "line 1 column 1"),
            (b"{\n\"a\":\"\xff\"}", "line 2 column 6"),
            (b"{\"a\":\"\n\"}", "line 1 column 6"),
        ] {
            match read(text) {
                Err(InvalidDocument::Malformed(detail)) => {
                    assert!(detail.ends_with(place), "{detail}, not {place}");
                }
                _ => panic!("not refused as malformed: {}", text.escape_ascii()),
            }
        }
    }

    fn pointers(refusal: InvalidDocument) -> Vec<String> {
        match refusal {
            InvalidDocument::Invalid(faults) => faults.into_iter().map(|fault| fault.pointer).collect(),
            InvalidDocument::Malformed(detail) => panic!("{detail}"),
        }
    }

    #[test]
    fn depth_has_a_limit() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(nested(63).as_bytes()).is_ok());
        assert_eq!(pointers(refusal(&nested(64))), [format!("/a{}", "/0".repeat(63))]);
        assert_eq!(
            pointers(refusal(&nested(8000))),
            [format!("/a{}", "/0".repeat(63))]
        );
    }

    #[test]
    fn half_characters_are_found() {
        assert_eq!(
            pointers(refusal(r#"{"a":["\ud83d\ude00","\ud800"],"b":"\udc00x"}"#)),
            ["/a/1", "/b"]
        );
        assert_eq!(pointers(refusal(r#"{"a":{"\ud800":1}}"#)), ["/a"]);
    }

    #[test]
    fn every_name_that_stands_twice_is_found() {
        let refusal = refusal(r#"{"a":1,"b":[{"x/y":1,"x\/y":2}],"a":3,"~":{},"~":0}"#);
        assert_eq!(pointers(refusal), ["/b/0/x~1y", "/a", "/~0"]);
    }

    #[test]
    fn only_an_object_will_do() {
        for json in ["[]", "null", "\"{}\"", "1"] {
            let detail = "must be a JSON object".to_owned();
            assert_eq!(
                refusal(json),
                InvalidDocument::Invalid(vec![Fault {
                    pointer: String::new(),
                    detail
                }])
            );
        }
    }

    #[test]
    fn the_list_of_faults_stays_in_proportion() {
        let name = "~".repeat(8000);
        let json = format!(
            "{{\"{name}\":{}{}{}}}",
            "[".repeat(63),
            "[],".repeat(2000) + "[]",
            "]".repeat(63)
        );
        let length: usize = pointers(refusal(&json)).iter().map(String::len).sum();
        assert!((1..=LONGEST_POINTERS).contains(&length), "{length}");
        let twice = "\"a\":1,".repeat(1000) + "\"a\":1";
        assert_eq!(pointers(refusal(&format!("{{{twice}}}"))).len(), MOST_FAULTS);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }

        #[test]
        fn what_was_read_reads_again(json in r#"\{("[a-z\\\\n]{0,3}":[0-9]{1,3}(,"[a-z]{4}": ?\[[0-9]?\])?)?\}"#) {
            if let Ok(object) = read(json.as_bytes()) {
                prop_assert_eq!(read(object.to_json().as_bytes()), Ok(object));
            }
        }
    }
}
