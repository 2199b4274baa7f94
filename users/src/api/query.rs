//! The query of a request.

use super::Problem;
use crate::domain::tier::Tier;
use crate::storage::Cursor;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// The parameters of a query, encoded like HTML forms: `name=value`, separated by `&`, with `+` for a space. Unknown
/// parameters are ignored.
///
/// ```
/// use users::api::query::Query;
///
/// let history = Query::new("limit=2&before=7").of_history().unwrap();
/// assert_eq!((history.limit.get(), history.before), (2, Some(7)));
/// assert!(Query::new("limit=0").of_history().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query<'a>(&'a str);

/// The highest sequence number that a client can send: what JSON numbers represent exactly (RFC 8259, section 6).
const MAX_SEQUENCE: u64 = (1 << 53) - 1;

/// The maximum number of entries or users in one answer: 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(u8);

/// The query of `GET /user/history/:username`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryQuery {
    /// The maximum number of entries to list.
    pub limit: Limit,
    /// Only entries with a lower sequence number; `None` for the newest.
    pub before: Option<u64>,
}

/// The query of `GET /users`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsersQuery<'a> {
    /// The maximum number of users to list.
    pub limit: Limit,
    /// Where the page begins: where an earlier page ended.
    pub after: Option<Cursor>,
    /// Only users of this tier.
    pub status: Option<Tier>,
    /// Only users with exactly this email address.
    pub email: Option<Cow<'a, str>>,
}

impl Limit {
    const MAX: u8 = 100;
    /// The default for histories.
    const OF_HISTORY: Self = Self(20);
    /// The default for lists of users.
    const OF_USERS: Self = Self(50);

    /// The number.
    #[must_use]
    pub fn get(self) -> usize {
        self.0.into()
    }
}

impl<'a> Query<'a> {
    /// Wraps the `text` of a query, without its question mark.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// Returns the decoded value of the parameter `name`, if it is given.
    ///
    /// # Errors
    /// Returns a problem if it is given twice, or is not UTF-8.
    pub fn get(&self, name: &'static str) -> Result<Option<Cow<'a, str>>, Problem> {
        let mut found = None;
        for pair in self.0.split('&') {
            let (encoded, value) = pair.split_once('=').unwrap_or((pair, ""));
            if decoded(encoded).as_deref() != Some(name) {
                continue;
            }
            let value = decoded(value)
                .ok_or_else(|| Problem::malformed_query(name, "must be percent-encoded UTF-8"))?;
            if found.replace(value).is_some() {
                return Err(Problem::malformed_query(name, "must be given once"));
            }
        }
        Ok(found)
    }

    /// Reads the query of `GET /user/history/:username`.
    ///
    /// # Errors
    /// Returns a problem that names the first invalid parameter.
    pub fn of_history(&self) -> Result<HistoryQuery, Problem> {
        let before = self.get("before")?.map(|value| {
            let sequence = integer(&value).filter(|before| (1..=MAX_SEQUENCE).contains(before));
            sequence.ok_or_else(|| {
                let detail = "must be a sequence number, an integer from 1 to 9007199254740991";
                Problem::malformed_query("before", detail)
            })
        });
        Ok(HistoryQuery {
            limit: self.limit(Limit::OF_HISTORY)?,
            before: before.transpose()?,
        })
    }

    /// Reads the query of `GET /users`.
    ///
    /// # Errors
    /// Returns a problem that names the first invalid parameter.
    pub fn of_users(&self) -> Result<UsersQuery<'a>, Problem> {
        let status = self.get("status")?.map(|name| {
            Tier::from_name(&name)
                .ok_or_else(|| Problem::malformed_query("status", "must be Bronze, Silver or Gold"))
        });
        let after = self.get("after")?.map(|cursor| {
            cursor.parse().map_err(|_| {
                Problem::malformed_query("after", "must be copied from the next of an earlier answer")
            })
        });
        Ok(UsersQuery {
            limit: self.limit(Limit::OF_USERS)?,
            after: after.transpose()?,
            status: status.transpose()?,
            email: self.get("email")?,
        })
    }

    fn limit(&self, default: Limit) -> Result<Limit, Problem> {
        let Some(value) = self.get("limit")? else {
            return Ok(default);
        };
        integer(&value)
            .and_then(|limit| u8::try_from(limit).ok())
            .filter(|limit| (1..=Limit::MAX).contains(limit))
            .map(Limit)
            .ok_or_else(|| Problem::malformed_query("limit", "must be an integer from 1 to 100"))
    }
}

/// Reads digits, without the sign that the standard library would accept.
fn integer(text: &str) -> Option<u64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

/// Decodes `+` and percent-encoding; `None` if the result is not UTF-8.
fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        let decoded = percent_decode_str(&spaced).decode_utf8().ok()?;
        return Some(Cow::Owned(decoded.into_owned()));
    }
    percent_decode_str(text).decode_utf8().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::problem::Kind;
    use proptest::prelude::*;

    /// What the problem says, which has to be of the right kind.
    fn detail<T>(result: Result<T, Problem>) -> String {
        let Err(problem) = result else {
            panic!("accepted");
        };
        assert_eq!(problem.kind(), Kind::MalformedQuery);
        problem.detail().to_owned()
    }

    #[test]
    fn a_limit_is_1_to_100_and_has_a_default() {
        for (query, history, users) in [
            ("", 20, 50),
            ("limit=1", 1, 1),
            ("limit=100", 100, 100),
            ("limit=007", 7, 7),
        ] {
            assert_eq!(Query::new(query).of_history().unwrap().limit.get(), history);
            assert_eq!(Query::new(query).of_users().unwrap().limit.get(), users);
        }
        for query in [
            "limit=0",
            "limit=101",
            "limit=256",
            "limit=-1",
            "limit=%2B1",
            "limit=1.0",
            "limit=1e1",
            "limit=",
            "limit",
            "limit=ten",
            "limit=99999999999999999999",
        ] {
            for detail in [
                detail(Query::new(query).of_history()),
                detail(Query::new(query).of_users()),
            ] {
                assert_eq!(
                    detail, "The query parameter limit must be an integer from 1 to 100.",
                    "{query}"
                );
            }
        }
    }

    #[test]
    fn before_is_a_sequence_number() {
        let before = |query| Query::new(query).of_history().map(|query| query.before);
        assert_eq!(before("limit=5").unwrap(), None);
        assert_eq!(before("before=7").unwrap(), Some(7));
        assert_eq!(before("before=9007199254740991").unwrap(), Some(MAX_SEQUENCE));
        for query in [
            "before=0",
            "before=-1",
            "before=",
            "before=x",
            "before=9007199254740992",
            "before=18446744073709551616",
        ] {
            assert!(detail(before(query)).contains("before"), "{query}");
        }
    }

    #[test]
    fn filters_are_decoded() {
        let cursor = "0123456789abcdef0123456789abcdef";
        let text = format!("status=Gold&email=j%C3%B6rg%2Bx@example.com&after={cursor}");
        let query = Query::new(&text);
        let query = query.of_users().unwrap();
        assert_eq!(query.status, Some(Tier::Gold));
        assert_eq!(query.email.as_deref(), Some("jörg+x@example.com"));
        assert_eq!(query.after, cursor.parse().ok());
        assert!(detail(Query::new("after=abc").of_users()).contains("earlier answer"));
        let spaced = Query::new("email=%22a+b%22@example.com").of_users().unwrap();
        assert_eq!(spaced.email.as_deref(), Some("\"a b\"@example.com"));
        for query in ["status=gold", "status=", "status=Iron", "status=Gold%20"] {
            assert!(detail(Query::new(query).of_users()).contains("Bronze, Silver or Gold"));
        }
    }

    #[test]
    fn a_parameter_is_given_once_and_in_utf_8() {
        assert!(detail(Query::new("limit=1&limit=1").of_users()).contains("once"));
        assert!(detail(Query::new("limit=1&l%69mit=1").of_users()).contains("once"));
        assert!(detail(Query::new("email=%ff").of_users()).contains("UTF-8"));
    }

    #[test]
    fn unknown_parameters_are_ignored() {
        let query = Query::new("&utm_source=%ff&utm_source=2&Limit=7&=&limit=3&");
        assert_eq!(query.of_history().unwrap().limit.get(), 3);
    }

    proptest! {
        #[test]
        fn never_panics(query in "([a-z%=&+ö0-9]|limit=|before=|email=){0,12}") {
            let _ = (Query::new(&query).of_history(), Query::new(&query).of_users());
        }
    }
}
