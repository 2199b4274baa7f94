//! Answers to requests that were not refused.

use super::header_fields::IDEMPOTENT_REPLAYED;
use super::query::{HistoryQuery, UsersQuery};
use super::{Problem, history, list, nudge, preconditions};
use crate::domain::points::Points;
use crate::domain::points_request::{Amount, PointsRequest};
use crate::domain::user::User;
use crate::domain::username::Username;
use crate::platform;
use crate::platform::http::{AfterAnswer, Response};
use crate::storage::envelope::Envelope;
use crate::storage::{CreateOutcome, EraseOutcome, HistoryPage, ListPage, PointsRefusal, UpdateOutcome};
use http::StatusCode;
use http::header::{CACHE_CONTROL, ETAG, HeaderName, LAST_MODIFIED, LOCATION};
use std::borrow::Cow;

/// The answer to a request that was not refused.
pub struct Answer {
    pub(super) response: Response,
    /// Whether the request changed something.
    pub(super) is_change: bool,
    /// Work to do after the answer.
    pub(super) after: Option<AfterAnswer>,
    /// A fault that the operator must know of, although the request was answered.
    pub(super) fault: Option<String>,
}

impl Answer {
    /// Creates an answer of `status` with a body.
    #[must_use]
    pub fn new(status: StatusCode, media_type: &str, body: impl Into<Cow<'static, [u8]>>) -> Self {
        Self::unchanged(Response::with_body(status, media_type, body))
    }

    /// Creates an answer of a `status` that has no body, such as 204 and 304.
    #[must_use]
    pub fn empty(status: StatusCode) -> Self {
        Self::unchanged(Response::empty(status))
    }

    /// Adds a header field.
    #[must_use]
    pub fn with_header(mut self, name: &HeaderName, value: &str) -> Self {
        self.response.insert_header(name, value);
        self
    }

    /// Does `work` after the answer.
    ///
    /// Use this only for work that may be lost, since it is lost if the host stops, and left out if the host is busy. It must
    /// take no longer than some tens of milliseconds: it occupies an instance, while the client already sends the next
    /// request.
    #[must_use]
    pub fn then(mut self, work: impl Future<Output = ()> + 'static) -> Self {
        self.after = Some(Box::pin(work));
        self
    }

    /// Logs `detail` as a fault for the operator.
    #[must_use]
    pub fn with_fault(mut self, detail: String) -> Self {
        self.fault = Some(detail);
        self
    }

    /// Lets `publish-events` publish the change of a user after the answer, if there was a change and `events` are on.
    #[must_use]
    pub fn announced(self, username: &Username, events: bool) -> Self {
        if events && self.is_change {
            self.then(nudge::publisher(username.case_folded()))
        } else {
            self
        }
    }

    pub(super) fn unchanged(response: Response) -> Self {
        Self {
            response,
            is_change: false,
            after: None,
            fault: None,
        }
    }

    fn changed(response: Response) -> Self {
        Self {
            is_change: true,
            ..Self::unchanged(response)
        }
    }

    /// An answer to a repeated request.
    fn replayed(mut response: Response) -> Self {
        response.insert_header(&IDEMPOTENT_REPLAYED, "true");
        Self::unchanged(response)
    }

    /// 201 with the user that this request created, or the earlier request that it repeats.
    ///
    /// # Errors
    /// Returns a problem if the username is taken, the idempotency key belongs to another request, or its user has been
    /// erased.
    pub fn created(username: &Username, outcome: CreateOutcome) -> Result<Self, Problem> {
        let (user, revision, is_replay) = match outcome {
            CreateOutcome::Created {
                user,
                revision,
                is_replay,
            } => (user, revision, is_replay),
            CreateOutcome::Taken => return Err(Problem::username_taken(username)),
            CreateOutcome::KeyReused => return Err(Problem::idempotency_key_reused()),
            CreateOutcome::Erased => return Err(Problem::user_erased(username)),
        };
        let mut response = json(user.to_json().into_bytes());
        response.status = StatusCode::CREATED;
        response.insert_header(&LOCATION, &format!("/user/{username}"));
        response.insert_header(&ETAG, &entity_tag(&revision));
        Ok(if is_replay {
            Self::replayed(response)
        } else {
            Self::changed(response)
        })
    }

    /// 200 with the current record.
    #[must_use]
    pub fn record(envelope: &Envelope) -> Self {
        Self::unchanged(record(envelope))
    }

    /// 200 with the record after a change.
    ///
    /// # Errors
    /// Returns a problem if there is no such user, the idempotency key belongs to another request, or the change was refused.
    pub fn updated(username: &Username, outcome: UpdateOutcome<Problem>) -> Result<Self, Problem> {
        match outcome {
            UpdateOutcome::Done(envelope) => Ok(Self::changed(record(&envelope))),
            UpdateOutcome::Unchanged(envelope) => Ok(Self::record(&envelope)),
            UpdateOutcome::Replayed(envelope) => Ok(Self::replayed(record(&envelope))),
            UpdateOutcome::NoSuchUser => Err(Problem::user_not_found(username)),
            UpdateOutcome::KeyReused => Err(Problem::idempotency_key_reused()),
            UpdateOutcome::Refused(problem) => Err(problem),
        }
    }

    /// 200 with the record after the change of points in `request`.
    ///
    /// # Errors
    /// Returns a problem if there is no such user, the idempotency key belongs to another request, or the change was refused.
    pub fn points_changed(
        username: &Username,
        request: &PointsRequest,
        outcome: UpdateOutcome<PointsRefusal<Problem>>,
    ) -> Result<Self, Problem> {
        let refused = |refusal| match refusal {
            PointsRefusal::Refused(problem) => problem,
            PointsRefusal::Insufficient => Problem::insufficient_points(),
            PointsRefusal::TooMany => Problem::too_many_points(match request.amount {
                Amount::Points(_) => "points",
                Amount::Reverses(_) => "reverses",
            }),
            PointsRefusal::NotReversible => Problem::not_reversible(),
            PointsRefusal::AlreadyReversed(sequence) => Problem::already_reversed(sequence),
        };
        Self::updated(username, outcome.map_refusal(refused))
    }

    /// 204: the user is erased.
    ///
    /// # Errors
    /// Returns a problem if there is no such user, or the erasure was refused.
    pub fn erased(username: &Username, outcome: EraseOutcome<Problem>) -> Result<Self, Problem> {
        match outcome {
            EraseOutcome::Erased => Ok(Self::changed(Response::empty(StatusCode::NO_CONTENT))),
            EraseOutcome::NoSuchUser => Err(Problem::user_not_found(username)),
            EraseOutcome::Refused(problem) => Err(problem),
        }
    }

    /// 200 with the page of a user's history that `query` asks for.
    ///
    /// # Errors
    /// Returns a problem if the record cannot be read.
    pub fn history(username: &Username, page: &HistoryPage, query: HistoryQuery) -> Result<Self, Problem> {
        let user =
            User::from_stored(page.envelope.record()).map_err(|_| Problem::corrupt_record(username))?;
        let points = user.points().unwrap_or(Points::ZERO);
        let mut response = json(history::page(
            user.username().as_str(),
            points,
            page,
            query.limit.get(),
        ));
        insert_validators(&mut response, &page.envelope);
        Ok(Self::unchanged(response))
    }

    /// 200 with the page of users that `query` asks for.
    #[must_use]
    pub fn list(page: &ListPage<String>, query: &UsersQuery<'_>) -> Self {
        let mut response = json(list::page(page, query));
        response.insert_header(&CACHE_CONTROL, "private, no-store");
        Self::unchanged(response)
    }

    /// 304: the client already has the current record, or the current history.
    #[must_use]
    pub fn not_modified(envelope: &Envelope) -> Self {
        let mut response = Response::empty(StatusCode::NOT_MODIFIED);
        insert_validators(&mut response, envelope);
        Self::unchanged(response)
    }
}

fn json(body: Vec<u8>) -> Response {
    Response::with_body(StatusCode::OK, "application/json", body)
}

fn record(envelope: &Envelope) -> Response {
    let mut response = json(envelope.record().into());
    insert_validators(&mut response, envelope);
    response
}

fn insert_validators(response: &mut Response, envelope: &Envelope) {
    response.insert_header(&ETAG, &entity_tag(&envelope.revision()));
    let last_modified = preconditions::last_modified(envelope);
    // Until that date, another change could get the same date.
    if last_modified <= platform::now() {
        response.insert_header(&LAST_MODIFIED, &httpdate::fmt_http_date(last_modified));
    }
    response.insert_header(&CACHE_CONTROL, "private, no-cache");
}

/// The strong entity tag of a revision (RFC 9110, section 8.8.3).
fn entity_tag(revision: &str) -> String {
    format!("\"{revision}\"")
}
