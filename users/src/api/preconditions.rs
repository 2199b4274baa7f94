//! Conditional requests (RFC 9110, section 13).

use super::Problem;
use crate::storage::envelope::Envelope;
use http::header::{
    AsHeaderName, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    IF_UNMODIFIED_SINCE,
};
use std::time::{Duration, SystemTime};

/// The preconditions of a request.
///
/// ```
/// use http::HeaderMap;
/// use users::api::Preconditions;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("if-match", "\"2-769907c433ce\"".parse().unwrap());
/// let preconditions = Preconditions::from_headers(&headers).unwrap();
/// // There is nothing yet that could match.
/// assert!(preconditions.check_creation().is_err());
///
/// headers.insert("if-match", "2-769907c433ce".parse().unwrap());
/// assert!(Preconditions::from_headers(&headers).is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_field_names,
    reason = "they have the names of the header fields"
)]
pub struct Preconditions {
    if_match: Option<EntityTags>,
    if_none_match: Option<EntityTags>,
    if_modified_since: Option<SystemTime>,
    if_unmodified_since: Option<SystemTime>,
}

impl Preconditions {
    /// Reads the preconditions of a request.
    ///
    /// An unparsable date is ignored, as the standard requires (sections 13.1.3 and 13.1.4).
    ///
    /// # Errors
    /// Returns a problem if a list of entity tags is malformed.
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, Problem> {
        Ok(Self {
            if_match: entity_tags(headers, IF_MATCH, "If-Match")?,
            if_none_match: entity_tags(headers, IF_NONE_MATCH, "If-None-Match")?,
            if_modified_since: date(headers, IF_MODIFIED_SINCE),
            if_unmodified_since: date(headers, IF_UNMODIFIED_SINCE),
        })
    }

    /// For a read: whether the client already has the current record, so that the answer is 304.
    ///
    /// # Errors
    /// Returns a problem if the record is not in the state that the client asks for.
    pub fn not_modified(&self, record: &Envelope) -> Result<bool, Problem> {
        self.check_state(record)?;
        Ok(match (&self.if_none_match, self.if_modified_since) {
            (Some(tags), _) => tags.match_weakly(&record.revision()),
            (None, Some(since)) => last_modified(record) <= since,
            (None, None) => false,
        })
    }

    /// Whether `If-None-Match` contains `revision`, so that a read of it is answered 304.
    pub(super) fn if_none_match_names(&self, revision: &str) -> bool {
        self.if_none_match
            .as_ref()
            .is_some_and(|tags| tags.match_weakly(revision))
    }

    /// For a write: checks that the record is in the state that the client asks for.
    ///
    /// # Errors
    /// Returns a problem if it is not.
    pub fn check(&self, record: &Envelope) -> Result<(), Problem> {
        self.check_state(record)?;
        match &self.if_none_match {
            Some(tags) if tags.match_weakly(&record.revision()) => Err(Problem::precondition_failed()),
            _ => Ok(()),
        }
    }

    /// For a creation: checks that the client does not ask for a state of a record that does not exist yet. `If-None-Match`
    /// always holds, and dates are ignored for a resource without one (sections 13.1.2 to 13.1.4).
    ///
    /// # Errors
    /// Returns a problem if there is an `If-Match`, even `*`.
    pub fn check_creation(&self) -> Result<(), Problem> {
        match self.if_match {
            Some(_) => Err(Problem::nothing_to_match()),
            None => Ok(()),
        }
    }

    /// Checks the preconditions that have the same effect on reads and writes, in the order of section 13.2.2.
    fn check_state(&self, record: &Envelope) -> Result<(), Problem> {
        let holds = match (&self.if_match, self.if_unmodified_since) {
            (Some(tags), _) => tags.match_strongly(&record.revision()),
            (None, Some(since)) => last_modified(record) <= since,
            (None, None) => true,
        };
        if holds {
            Ok(())
        } else {
            Err(Problem::precondition_failed())
        }
    }
}

/// The date of a record: the first whole second after its last change.
///
/// A date is a validator only once its second is over (section 8.8.2.2). Rounded down, it would also be the date of an
/// earlier state in the same second. A client that saw that state could not tell the two apart, whether it compares
/// `Last-Modified`, `Date` or its own clock. Rounded up, it is later than any time at which an earlier state was shown.
#[must_use]
pub fn last_modified(record: &Envelope) -> SystemTime {
    let since_1970 = record
        .changed()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(since_1970.as_secs() + 1)
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
            if !opaque[..end]
                .iter()
                .all(|byte| matches!(byte, b'!'..=b'~' | 0x80..))
            {
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
    let lines: Vec<_> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    if lines.is_empty() {
        return Ok(None);
    }
    // Several header fields are one list (section 5.3).
    EntityTags::parse(&lines.join(&b','))
        .map(Some)
        .ok_or_else(|| Problem::malformed_header(title, "must be * or a list of entity tags such as \"abc\""))
}

/// Returns the date in a header field. A field that is not one date is ignored (sections 13.1.3 and 13.1.4).
fn date(headers: &HeaderMap, name: impl AsHeaderName) -> Option<SystemTime> {
    let mut lines = headers.get_all(name).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return None;
    };
    httpdate::parse_http_date(line.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::problem::Kind;
    use crate::domain::tier::Promotion;
    use crate::domain::user::User;
    use crate::storage::Draft;
    use crate::storage::operation::Operation;
    use proptest::prelude::*;

    /// A record of revision `1-000000000001`, changed at 1994-11-15 12:45:26.789 GMT.
    fn record() -> Envelope {
        let user = User::from_client(br#"{"username":"john"}"#).unwrap();
        let changed = SystemTime::UNIX_EPOCH + Duration::from_millis(784_903_526_789);
        let draft = Draft::creation(&user, &Promotion::STANDARD);
        Envelope::new(&draft, &Operation::fresh(1), None, changed.into(), None)
    }

    fn preconditions(fields: &[(HeaderName, &str)]) -> Result<Preconditions, Problem> {
        let headers = fields
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect();
        Preconditions::from_headers(&headers)
    }

    fn read(fields: &[(HeaderName, &str)]) -> Result<bool, Kind> {
        preconditions(fields)
            .and_then(|p| p.not_modified(&record()))
            .map_err(|problem| problem.kind())
    }

    fn write(fields: &[(HeaderName, &str)]) -> Result<(), Kind> {
        preconditions(fields)
            .and_then(|p| p.check(&record()))
            .map_err(|problem| problem.kind())
    }

    #[test]
    fn a_field_that_is_not_one_date_is_ignored() {
        const EARLIER: &str = "Tue, 15 Nov 1994 12:45:20 GMT";
        const LATER: &str = "Tue, 15 Nov 1994 12:45:30 GMT";
        assert_eq!(read(&[(IF_MODIFIED_SINCE, LATER)]), Ok(true));
        assert_eq!(
            read(&[(IF_MODIFIED_SINCE, LATER), (IF_MODIFIED_SINCE, LATER)]),
            Ok(false)
        );
        let refused = write(&[(IF_UNMODIFIED_SINCE, EARLIER)]);
        assert_eq!(refused, Err(Kind::PreconditionFailed));
        assert_eq!(
            write(&[(IF_UNMODIFIED_SINCE, EARLIER), (IF_UNMODIFIED_SINCE, EARLIER)]),
            Ok(())
        );
    }

    const CURRENT: &str = "\"1-000000000001\"";
    const WEAK: &str = "W/\"1-000000000001\"";
    /// The first whole second after the change, and the one in which it was made.
    const AT: &str = "Tue, 15 Nov 1994 12:45:27 GMT";
    const BEFORE: &str = "Tue, 15 Nov 1994 12:45:26 GMT";

    #[test]
    fn a_read_without_preconditions_is_answered_in_full() {
        assert_eq!(read(&[]), Ok(false));
    }

    #[test]
    fn if_none_match_compares_weakly() {
        for (value, not_modified) in [
            (CURRENT, true),
            (WEAK, true),
            ("*", true),
            ("\"a\" ,, W/\"b\",\"1-000000000001\"", true),
            ("\"\", \"a,b\"", false),
            ("w\u{e9}ird", false),
        ] {
            match read(&[(IF_NONE_MATCH, value)]) {
                Ok(answer) => assert_eq!(answer, not_modified, "{value}"),
                Err(kind) => assert_eq!((value, kind), ("w\u{e9}ird", Kind::MalformedHeader)),
            }
        }
        assert_eq!(write(&[(IF_NONE_MATCH, "*")]), Err(Kind::PreconditionFailed));
        assert_eq!(write(&[(IF_NONE_MATCH, "\"a\"")]), Ok(()));
    }

    #[test]
    fn if_match_compares_strongly() {
        for (value, outcome) in [
            (CURRENT, Ok(())),
            ("*", Ok(())),
            (WEAK, Err(Kind::PreconditionFailed)),
            ("\"a\"", Err(Kind::PreconditionFailed)),
            ("\"a\", \"1-000000000001\"", Ok(())),
        ] {
            assert_eq!(write(&[(IF_MATCH, value)]), outcome, "{value}");
            assert_eq!(read(&[(IF_MATCH, value)]).map(|_| ()), outcome, "{value}");
        }
    }

    #[test]
    fn dates_count_in_whole_seconds_and_behind_tags() {
        assert_eq!(read(&[(IF_MODIFIED_SINCE, AT)]), Ok(true));
        assert_eq!(read(&[(IF_MODIFIED_SINCE, BEFORE)]), Ok(false));
        assert_eq!(read(&[(IF_MODIFIED_SINCE, "yesterday")]), Ok(false));
        assert_eq!(
            read(&[(IF_NONE_MATCH, "\"a\""), (IF_MODIFIED_SINCE, AT)]),
            Ok(false)
        );
        assert_eq!(write(&[(IF_UNMODIFIED_SINCE, AT)]), Ok(()));
        assert_eq!(
            write(&[(IF_UNMODIFIED_SINCE, BEFORE)]),
            Err(Kind::PreconditionFailed)
        );
        assert_eq!(
            write(&[(IF_MATCH, CURRENT), (IF_UNMODIFIED_SINCE, BEFORE)]),
            Ok(())
        );
    }

    #[test]
    fn a_creation_has_nothing_to_match() {
        let check = |fields: &[(HeaderName, &str)]| {
            preconditions(fields)
                .and_then(|p| p.check_creation())
                .map_err(|problem| problem.kind())
        };
        for value in ["*", "\"a\"", WEAK] {
            assert_eq!(
                check(&[(IF_MATCH, value)]),
                Err(Kind::PreconditionFailed),
                "{value}"
            );
        }
        assert_eq!(check(&[(IF_MATCH, "a")]), Err(Kind::MalformedHeader));
        for field in [
            (IF_NONE_MATCH, "*"),
            (IF_NONE_MATCH, "\"a\""),
            (IF_UNMODIFIED_SINCE, BEFORE),
            (IF_MODIFIED_SINCE, AT),
        ] {
            assert_eq!(check(&[field]), Ok(()));
        }
    }

    #[test]
    fn malformed_lists_are_refused() {
        for value in [
            "",
            ",",
            "abc",
            "\"a",
            "a\"",
            "\"a\" \"b\"",
            "*, \"a\"",
            "W/a",
            "\"a b\"",
            "w/\"a\"",
        ] {
            assert_eq!(
                read(&[(IF_NONE_MATCH, value)]),
                Err(Kind::MalformedHeader),
                "{value}"
            );
            assert_eq!(write(&[(IF_MATCH, value)]), Err(Kind::MalformedHeader), "{value}");
        }
    }

    #[test]
    fn several_lines_are_one_list() {
        let mut headers = HeaderMap::new();
        headers.append(IF_NONE_MATCH, "\"a\"".parse().unwrap());
        headers.append(IF_NONE_MATCH, CURRENT.parse().unwrap());
        assert!(
            Preconditions::from_headers(&headers)
                .unwrap()
                .not_modified(&record())
                .unwrap()
        );
    }

    proptest! {
        #[test]
        fn never_panics(value in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = EntityTags::parse(&value);
        }

        #[test]
        fn lists_of_tags_are_read(tags in proptest::collection::vec("[!#-~]{0,8}", 1..5)) {
            let value = tags.iter().map(|tag| format!("\"{tag}\"")).collect::<Vec<_>>().join(" , ");
            let list = tags.iter().map(|tag| (false, tag.as_bytes().to_vec())).collect();
            prop_assert_eq!(EntityTags::parse(value.as_bytes()), Some(EntityTags::List(list)));
        }
    }
}
