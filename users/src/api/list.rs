//! Lists of users: filters, and JSON.

use super::query::UsersQuery;
use crate::domain::json::{self, Members};
use crate::domain::tier::Tier;
use crate::storage::ListPage;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

impl UsersQuery<'_> {
    /// Whether the user with this record matches the filters.
    #[must_use]
    pub fn chooses(&self, record: &str) -> bool {
        if self.status.is_none() && self.email.is_none() {
            return true;
        }
        let Ok(members) = Members::read(record) else {
            return false;
        };
        let has = |name, wanted: Option<&str>| {
            let text = members.get(name).and_then(json::string_from);
            wanted.is_none_or(|wanted| text.as_deref() == Some(wanted))
        };
        has("status", self.status.map(Tier::name)) && has("email", self.email.as_deref())
    }
}

/// Writes a page of records. The link to the next page repeats `query`.
#[must_use]
pub fn page(page: &ListPage<String>, query: &UsersQuery<'_>) -> Vec<u8> {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');

    let mut body = format!(r#"{{"users":[{}]"#, page.users.join(","));
    if let Some(next) = &page.next {
        let mut link = format!("/users?limit={}&after={next}", query.limit.get());
        if let Some(status) = query.status {
            link.push_str("&status=");
            link.push_str(status.name());
        }
        if let Some(email) = &query.email {
            link.push_str("&email=");
            link.extend(utf8_percent_encode(email, KEPT));
        }
        body.push_str(",\"next\":");
        body.push_str(&json::string(&link));
    }
    body.push('}');
    body.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::query::Query;

    fn parsed(query: &str) -> UsersQuery<'_> {
        Query::new(query).of_users().unwrap()
    }

    #[test]
    fn filters_match_exactly() {
        let jane = r#"{"username":"jane","email":"j+1@example.org","status":"Gold"}"#;
        let joe = r#"{"username":"joe"}"#;
        for (query, chosen) in [
            ("", [true, true]),
            ("status=Gold", [true, false]),
            ("status=Silver", [false, false]),
            ("email=j%2B1%40example.org", [true, false]),
            ("email=J%2B1%40example.org", [false, false]),
            ("email=j%2B1%40example.org&status=Bronze", [false, false]),
        ] {
            assert_eq!(
                [jane, joe].map(|record| parsed(query).chooses(record)),
                chosen,
                "{query}"
            );
        }
    }

    #[test]
    fn the_link_to_the_next_page_repeats_the_filters() {
        let cursor = "0123456789abcdef0123456789abcdef";
        let list = ListPage {
            users: vec![r#"{"username":"a"}"#.to_owned(), r#"{"username":"b"}"#.to_owned()],
            next: cursor.parse().ok(),
        };
        let body =
            String::from_utf8(page(&list, &parsed("limit=2&email=a%20b%26c%40d&status=Gold"))).unwrap();
        let expected = format!(
            r#"{{"users":[{{"username":"a"}},{{"username":"b"}}],"next":"/users?limit=2&after={cursor}&status=Gold&email=a%20b%26c%40d"}}"#
        );
        assert_eq!(body, expected);
        let empty = ListPage {
            users: Vec::new(),
            next: None,
        };
        assert_eq!(page(&empty, &parsed("")), br#"{"users":[]}"#);
    }
}
