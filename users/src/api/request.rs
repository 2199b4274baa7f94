//! Authorized requests, and what functions read from them.

use super::header_fields::SPIN_PATH_MATCH_USERNAME;
use super::media_type::{self, MediaType};
use super::preconditions::Preconditions;
use super::query::Query;
use super::{Problem, access, idempotency_key};
use crate::domain::username::Username;
use crate::platform::http::{Head, Incomplete};
use crate::platform::{Body, Spin};
use crate::storage::UserStore;
use crate::storage::operation::IdempotencyKey;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName};
use percent_encoding::percent_decode_str;
use std::cell::Cell;

/// The maximum size of a body in bytes: 16 KiB.
const BODY_LIMIT: usize = 16 * 1024;

/// A request whose sender has access.
pub struct Authorized<'a> {
    headers: &'a HeaderMap,
    path: &'a str,
    query: &'a str,
    body: Option<&'a mut Body>,
    retries: &'a Cell<u32>,
}

impl<'a> Authorized<'a> {
    /// Checks that the sender of a request has access.
    ///
    /// # Errors
    /// Returns a problem if not.
    pub(super) async fn new(
        head: &'a Head,
        body: Option<&'a mut Body>,
        retries: &'a Cell<u32>,
    ) -> Result<Self, Problem> {
        access::check(&head.method, &head.headers).await?;
        Ok(Self {
            headers: &head.headers,
            path: &head.path,
            query: head.query.as_deref().unwrap_or_default(),
            body,
            retries,
        })
    }

    /// The store of users.
    #[must_use]
    pub fn store(&self) -> UserStore<Spin<'a>> {
        UserStore::new(Spin::new(self.retries))
    }

    /// The path as the client sent it.
    #[must_use]
    pub fn path(&self) -> &'a str {
        self.path
    }

    /// The username at the end of the path.
    ///
    /// # Errors
    /// Returns a problem if it is not a valid username, so that there is no such user.
    pub fn username(&self) -> Result<Username, Problem> {
        let last = || self.path.rsplit('/').next().unwrap_or_default();
        // Spin does not add this field if another function sends the request.
        let segment = from_spin(self.headers, &SPIN_PATH_MATCH_USERNAME).unwrap_or_else(last);
        // A client may escape any character in a segment (RFC 3986, section 2.3).
        let name = percent_decode_str(segment).decode_utf8_lossy();
        name.parse().map_err(|_| Problem::no_username())
    }

    /// The query of the request.
    #[must_use]
    pub fn query(&self) -> Query<'a> {
        Query::new(self.query)
    }

    /// The idempotency key, if the request has one.
    ///
    /// # Errors
    /// Returns a problem if the header field is malformed.
    pub fn idempotency_key(&self) -> Result<Option<IdempotencyKey>, Problem> {
        idempotency_key::from_headers(self.headers)
    }

    /// The preconditions of the request.
    ///
    /// # Errors
    /// Returns a problem if a header field is malformed.
    pub fn preconditions(&self) -> Result<Preconditions, Problem> {
        Preconditions::from_headers(self.headers)
    }

    /// Reads the body, which is declared as JSON but not parsed.
    ///
    /// # Errors
    /// Returns a problem if the body is declared as another type, is larger than 16 KiB (then the rest is not read), or was
    /// cut off.
    pub async fn json_body(self) -> Result<Vec<u8>, Problem> {
        self.body(MediaType::Json).await
    }

    /// Reads the body, which is declared as a merge patch (RFC 7396) or as JSON but not parsed.
    ///
    /// # Errors
    /// Returns the same problems as [`Self::json_body`].
    pub async fn merge_patch_body(self) -> Result<Vec<u8>, Problem> {
        self.body(MediaType::MergePatch).await
    }

    async fn body(self, media_type: MediaType) -> Result<Vec<u8>, Problem> {
        let Self { headers, body, .. } = self;
        if !media_type.is_declared(headers) {
            return Err(Problem::unsupported_media_type(media_type));
        }
        if !media_type::is_not_encoded(headers) {
            return Err(Problem::unsupported_content_coding());
        }
        let declared = headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|length| length > BODY_LIMIT as u64) {
            return Err(Problem::body_too_large(BODY_LIMIT));
        }
        let Some(body) = body else {
            return Ok(Vec::new());
        };
        let mut bytes = Vec::new();
        while body
            .read(&mut bytes)
            .await
            .map_err(|Incomplete| Problem::incomplete_body())?
        {
            if bytes.len() > BODY_LIMIT {
                return Err(Problem::body_too_large(BODY_LIMIT));
            }
        }
        Ok(bytes)
    }
}

/// The value of a header field that Spin adds to a request. Spin keeps fields of the same name that a client sent, and adds
/// its own after them, so only the last value can be trusted.
pub(super) fn from_spin<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get_all(name).iter().next_back()?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_a_client_sends_in_spins_name_does_not_count() {
        let mut headers = HeaderMap::new();
        headers.append(SPIN_PATH_MATCH_USERNAME, "jane".parse().unwrap());
        headers.append(SPIN_PATH_MATCH_USERNAME, "john".parse().unwrap());
        assert_eq!(from_spin(&headers, &SPIN_PATH_MATCH_USERNAME), Some("john"));
        assert_eq!(from_spin(&headers, &CONTENT_LENGTH), None);
    }
}
