//! Changes as `CloudEvents` 1.0, in the JSON format.

use serde::Serialize;
use users::api::EntryView;
use users::storage::Entry;

/// A change of a user, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// The id of the event, which is never reused: the name in lower case, and the change's sequence number.
    pub(crate) id: String,
    /// The event as JSON.
    pub(crate) json: String,
}

/// The context attributes of `CloudEvents` 1.0, and the data.
#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'a str,
    id: &'a str,
    source: &'a str,
    r#type: String,
    subject: &'a str,
    time: String,
    datacontenttype: &'a str,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    username: &'a str,
    #[serde(flatten)]
    entry: EntryView<'a>,
}

impl Event {
    /// The event of the change `entry` with the sequence number `sequence`, of the user whose record has the name
    /// `username`.
    ///
    /// Its subject is the name in lower case, which stays the same if the user is erased and created again.
    pub(crate) fn new(username: &str, sequence: u64, entry: &Entry) -> Self {
        let subject = username.to_ascii_lowercase();
        let id = format!("{subject}/{sequence}");
        let event = CloudEvent {
            specversion: "1.0",
            id: &id,
            source: "/users",
            r#type: format!("users.{}", entry.change.name()),
            subject: &subject,
            time: entry.time.to_string(),
            datacontenttype: "application/json",
            data: Data {
                username,
                entry: EntryView::new(sequence, entry),
            },
        };
        // Strings and numbers always serialize.
        let json = serde_json::to_string(&event).unwrap_or_default();
        Self { id, json }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use users::domain::points::Points;
    use users::domain::tier::Tier;
    use users::domain::timestamp::Timestamp;
    use users::storage::Change;
    use users::storage::operation::Operation;

    fn json(change: Change, status: Option<Tier>) -> String {
        let entry = Entry {
            time: Timestamp::from_milliseconds(1_764_083_534_123).unwrap(),
            operation: Operation::fresh(7),
            attempt: None,
            change,
            status,
        };
        Event::new("Jane", 7, &entry).json
    }

    #[test]
    fn a_change_of_points_is_a_cloud_event() {
        let points = Change::Points {
            points: -30,
            balance: Points::new(71).unwrap(),
            reason: Some("order 7".to_owned()),
            reverses: None,
        };
        assert_eq!(
            json(points, Some(Tier::Silver)),
            concat!(
                r#"{"specversion":"1.0","id":"jane/7","source":"/users","type":"users.points","subject":"jane","#,
                r#""time":"2025-11-25T15:12:14.123Z","datacontenttype":"application/json","data":{"username":"Jane","#,
                r#""sequence":7,"time":"2025-11-25T15:12:14.123Z","change":"points","points":-30,"balance":71,"#,
                r#""reason":"order 7","status":"Silver"}}"#
            )
        );
    }

    #[test]
    fn an_event_names_the_kind_of_its_change() {
        for (change, status, kind) in [
            (Change::Created { points: None }, None, "users.created"),
            (Change::Promoted, Some(Tier::Gold), "users.promoted"),
            (Change::Erased, None, "users.erased"),
            (
                Change::Updated {
                    members: vec!["email".to_owned()],
                },
                None,
                "users.updated",
            ),
        ] {
            let event: serde_json::Value = serde_json::from_str(&json(change, status)).unwrap();
            assert_eq!(event["type"], kind);
            assert_eq!(event["data"]["change"], kind["users.".len()..]);
        }
    }
}
