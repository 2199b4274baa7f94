//! Conditional requests (RFC 9110, section 13).

use super::Problem;
use crate::envelope::Envelope;
use http::header::{
    AsHeaderName, HeaderMap, HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE,
};
use std::time::{Duration, SystemTime};

/// The preconditions of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preconditions {
    if_match: Option<EntityTags>,
    if_none_match: Option<EntityTags>,
    if_modified_since: Option<SystemTime>,
    if_unmodified_since: Option<SystemTime>,
}

impl Preconditions {
    /// Reads the preconditions of a request.
    ///
    /// A date that is none is passed over, as the standard demands (sections 13.1.3 and 13.1.4).
    ///
    /// # Errors
    /// A list of entity tags is not of its grammar.
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, Problem> {
        Ok(Self {
            if_match: entity_tags(headers, IF_MATCH, "If-Match")?,
            if_none_match: entity_tags(headers, IF_NONE_MATCH, "If-None-Match")?,
            if_modified_since: date(headers, IF_MODIFIED_SINCE),
            if_unmodified_since: date(headers, IF_UNMODIFIED_SINCE),
        })
    }

    /// For a read: whether the client has the record as it is, so that 304 is the answer.
    ///
    /// # Errors
    /// The client asked for a record in another state.
    pub fn not_modified(&self, record: &Envelope) -> Result<bool, Problem> {
        self.check_state(record)?;
        Ok(match (&self.if_none_match, self.if_modified_since) {
            (Some(tags), _) => tags.match_weakly(record.newest().id()),
            (None, Some(since)) => last_modified(record) <= since,
            (None, None) => false,
        })
    }

    /// For a write: checks that the record is in the state that the client asked for.
    ///
    /// # Errors
    /// It is not.
    pub fn check(&self, record: &Envelope) -> Result<(), Problem> {
        self.check_state(record)?;
        match &self.if_none_match {
            Some(tags) if tags.match_weakly(record.newest().id()) => Err(Problem::precondition_failed()),
            _ => Ok(()),
        }
    }

    /// The preconditions that mean the same for reads and writes, in the order of section 13.2.2.
    fn check_state(&self, record: &Envelope) -> Result<(), Problem> {
        let holds = match (&self.if_match, self.if_unmodified_since) {
            (Some(tags), _) => tags.match_strongly(record.newest().id()),
            (None, Some(since)) => last_modified(record) <= since,
            (None, None) => true,
        };
        if holds { Ok(()) } else { Err(Problem::precondition_failed()) }
    }
}

/// When a record changed, as `Last-Modified` has it: in whole seconds.
fn last_modified(record: &Envelope) -> SystemTime {
    let since_1970 = record.changed().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(since_1970.as_secs())
}

/// The value of `If-Match` and `If-None-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum EntityTags {
    /// `*`: any state of a record that exists.
    Any,
    /// The tags, each with whether it is weak.
    List(Vec<(bool, Vec<u8>)>),
}

impl EntityTags {
    /// Reads `*` or a list of entity tags (section 8.8.3); a list may have empty elements (section 5.6.1).
    fn parse(value: &[u8]) -> Option<Self> {
        if value.trim_ascii() == b"*" {
            return Some(Self::Any);
        }
        let mut tags = Vec::new();
        let mut rest = value.trim_ascii_start();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix(b",") {
                rest = after.trim_ascii_start();
                continue;
            }
            let (weak, opaque) = match rest.strip_prefix(b"W/") {
                Some(after) => (true, after),
                None => (false, rest),
            };
            let opaque = opaque.strip_prefix(b"\"")?;
            let end = opaque.iter().position(|byte| *byte == b'"')?;
            if !opaque[..end].iter().all(|byte| matches!(byte, b'!'..=b'~' | 0x80..)) {
                return None;
            }
            tags.push((weak, opaque[..end].to_vec()));
            rest = opaque[end + 1..].trim_ascii_start();
            if !rest.is_empty() && !rest.starts_with(b",") {
                return None;
            }
        }
        (!tags.is_empty()).then_some(Self::List(tags))
    }

    /// The comparison of `If-None-Match` (section 8.8.3.2).
    fn match_weakly(&self, revision: &str) -> bool {
        match self {
            Self::Any => true,
            Self::List(tags) => tags.iter().any(|(_, tag)| tag == revision.as_bytes()),
        }
    }

    /// The comparison of `If-Match`: a weak tag equals nothing.
    fn match_strongly(&self, revision: &str) -> bool {
        match self {
            Self::Any => true,
            Self::List(tags) => tags.iter().any(|(weak, tag)| !weak && tag == revision.as_bytes()),
        }
    }
}

fn entity_tags(headers: &HeaderMap, name: HeaderName, title: &str) -> Result<Option<EntityTags>, Problem> {
    let lines: Vec<_> = headers.get_all(name).iter().map(|value| value.as_bytes()).collect();
    if lines.is_empty() {
        return Ok(None);
    }
    // Several lines are one list (section 5.3).
    EntityTags::parse(&lines.join(&b','))
        .map(Some)
        .ok_or_else(|| Problem::malformed_header(title, "must be * or a list of entity tags such as \"abc\""))
}

fn date(headers: &HeaderMap, name: impl AsHeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}
