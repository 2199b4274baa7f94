//! Receivers of events: a webhook or a Redis stream.

use crate::event::Event;
use crate::signature::Secrets;
use http::Uri;
use std::time::{Duration, SystemTime};
use users::api::query::Query;
use users::platform;
use users::platform::outgoing::{Post, PostError};
use users::platform::settings::{self, Misconfigured};

/// A receiver of events.
pub(crate) enum Receiver {
    /// One `POST` for each event, signed by Standard Webhooks.
    Webhook {
        /// Its URL.
        url: Uri,
        /// The keys of the signatures.
        secrets: Secrets,
    },
    /// One entry of a Redis stream for each event.
    Stream {
        /// The server and its database.
        address: String,
        /// The key of the stream.
        key: String,
    },
}

/// Why an event was not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What happened.
    pub(crate) detail: String,
    /// Whether the receiver refused only this event, and may accept others.
    pub(crate) is_refusal: bool,
}

impl Receiver {
    /// Returns the receiver in the variables `events_url` and `events_secret`, if there is one.
    ///
    /// # Errors
    /// Returns [`Misconfigured`] if one of them is invalid.
    pub(crate) async fn from_settings() -> Result<Option<Self>, Misconfigured> {
        let url = settings::value("events_url").await?.unwrap_or_default();
        if url.trim().is_empty() {
            return Ok(None);
        }
        let secrets = settings::value("events_secret").await?.unwrap_or_default();
        Self::new(url.trim(), &secrets).map(Some)
    }

    fn new(url: &str, secrets: &str) -> Result<Self, Misconfigured> {
        let invalid = Misconfigured {
            variable: "events_url",
            why: "must be an http or https URL, or redis://host:port/database?stream=key",
        };
        if url.starts_with("redis://") || url.starts_with("rediss://") {
            let (address, query) = url.split_once('?').ok_or(invalid.clone())?;
            let key = Query::new(query).get("stream").map_err(|_| invalid.clone())?;
            let key = key.filter(|key| !key.is_empty()).ok_or(invalid)?;
            return Ok(Self::Stream {
                address: address.to_owned(),
                key: key.into_owned(),
            });
        }
        let url: Uri = url.parse().map_err(|_| invalid.clone())?;
        if !matches!(url.scheme_str(), Some("http" | "https")) || url.host().is_none_or(str::is_empty) {
            return Err(invalid);
        }
        let secrets = Secrets::from_text(secrets).map_err(|_| Misconfigured {
            variable: "events_secret",
            why: "must be whsec_ and a key in base64, or two of these separated by a comma",
        })?;
        Ok(Self::Webhook { url, secrets })
    }

    /// Whether a delivery may exceed its time limit: Spin's calls of Redis have none in WASI 0.2.
    pub(crate) fn may_hang(&self) -> bool {
        matches!(self, Self::Stream { .. })
    }

    /// Delivers an event, within `limit`.
    ///
    /// # Errors
    /// Returns a [`Failure`] if the receiver did not accept the event, or if that is unknown.
    pub(crate) async fn deliver(&self, event: &Event, limit: Duration) -> Result<(), Failure> {
        match self {
            Self::Webhook { url, secrets } => {
                let since_1970 = platform::now().duration_since(SystemTime::UNIX_EPOCH);
                let timestamp = since_1970.unwrap_or_default().as_secs();
                let post = Post {
                    is_encrypted: url.scheme_str() == Some("https"),
                    authority: url.authority().map_or("", |authority| authority.as_str()),
                    path: url.path_and_query().map_or("/", |path| path.as_str()),
                    fields: fields(event, timestamp, secrets),
                    body: event.json.as_bytes(),
                };
                let status = platform::post(&post, limit).await.map_err(failure)?.as_u16();
                match status {
                    200..300 => Ok(()),
                    _ => Err(Failure {
                        detail: format!("it answered {status}"),
                        is_refusal: matches!(status, 400 | 409 | 413 | 422),
                    }),
                }
            }
            Self::Stream { address, key } => {
                let arguments = [key, "*", "id", &event.id, "event", &event.json];
                platform::redis(address, "XADD", &arguments, limit)
                    .await
                    .map_err(failure)
            }
        }
    }
}

fn failure(error: PostError) -> Failure {
    Failure {
        detail: error.to_string(),
        is_refusal: false,
    }
}

fn fields(event: &Event, timestamp: u64, secrets: &Secrets) -> Vec<(String, Vec<u8>)> {
    [
        ("content-type", "application/cloudevents+json".to_owned()),
        ("content-length", event.json.len().to_string()),
        (
            "user-agent",
            concat!("users/", env!("CARGO_PKG_VERSION")).to_owned(),
        ),
        ("webhook-id", event.id.clone()),
        ("webhook-timestamp", timestamp.to_string()),
        (
            "webhook-signature",
            secrets.sign(&event.id, timestamp, &event.json),
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value.into_bytes()))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_AAAA";

    #[test]
    fn a_receiver_is_a_webhook_or_a_stream() {
        let webhook = Receiver::new("https://hooks.example:8443/users?a=b", SECRET);
        assert!(matches!(webhook, Ok(Receiver::Webhook { url, .. }) if url.path() == "/users"));
        for (url, expected) in [
            ("redis://:p%40ss@redis.example:6379/1?stream=users", "users"),
            ("rediss://redis.example?stream=a%20b", "a b"),
        ] {
            let Ok(Receiver::Stream { address, key }) = Receiver::new(url, "") else {
                panic!("{url}");
            };
            assert_eq!((&*address, &*key), (url.split('?').next().unwrap(), expected));
        }
    }

    #[test]
    fn anything_else_is_refused_by_the_name_of_its_variable() {
        for (url, secret, variable) in [
            ("hooks.example", SECRET, "events_url"),
            ("ftp://hooks.example/", SECRET, "events_url"),
            ("/users", SECRET, "events_url"),
            ("redis://redis.example", "", "events_url"),
            ("redis://redis.example?stream=", "", "events_url"),
            ("redis://redis.example?key=users", "", "events_url"),
            ("https://hooks.example", "", "events_secret"),
            ("https://hooks.example", "secret", "events_secret"),
        ] {
            let refused = Receiver::new(url, secret).err().map(|refused| refused.variable);
            assert_eq!(refused, Some(variable), "{url} {secret}");
        }
    }
}
