//! The user record: a JSON object with a few members that have a meaning here, and any others that the client gave.

use crate::domain::email;
use crate::domain::json::{self, InvalidDocument, Object, Violation};
use crate::domain::member_name;
use crate::domain::points::{InvalidNumber, Points};
use crate::domain::tier::Tier;
use crate::domain::username::Username;

/// A user record.
///
/// The members `username`, `email`, `points` and `status` are parsed when the record is read. All other members, and the
/// order of all members, stay as the client gave them.
///
/// ```
/// use users::domain::tier::Tier;
/// use users::domain::user::User;
///
/// let user = User::from_client(br#"{"username":"jane","points":1e2,"team":"red"}"#).unwrap();
/// let promoted = user.with_status(Tier::Silver);
/// assert_eq!(
///     promoted.to_json(),
///     r#"{"username":"jane","points":100,"team":"red","status":"Silver"}"#
/// );
/// assert!(User::from_client(br#"{"username":"jane","status":"Gold"}"#).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    members: Object,
    username: Username,
    points: Option<Points>,
    status: Option<Tier>,
}

impl User {
    /// Reads what a client sends to create a user.
    ///
    /// Points are normalized to a plain integer (`1e2` to `100`), so that typed clients can read them.
    ///
    /// # Errors
    /// Returns [`InvalidDocument`] if the body is not JSON, or not a valid record.
    pub fn from_client(body: &[u8]) -> Result<Self, InvalidDocument> {
        Object::read_strictly(body, |mut members, violations| {
            for name in members.names() {
                if name == "status" {
                    let detail = "must not be given: only a promotion sets it";
                    violations.push(Violation::of_member(name, detail));
                } else if let Some(known) = member_name::confused_with(name) {
                    let detail = format!("must not be given: it differs from {known} only in letter case");
                    violations.push(Violation::of_member(name, detail));
                }
            }
            let mut refuse = |name: &str, why: &dyn std::fmt::Display| {
                violations.push(Violation::of_member(name, why));
            };
            let username = match members.get("username").map(json::string_from) {
                Some(Some(name)) => name
                    .parse::<Username>()
                    .map_err(|why| refuse("username", &why))
                    .ok(),
                Some(None) => {
                    refuse("username", &"must be a string");
                    None
                }
                None => {
                    refuse("username", &"is required");
                    None
                }
            };
            match members.get("email").map(json::string_from) {
                Some(Some(address)) => {
                    if let Err(why) = email::check(&address) {
                        refuse("email", &why);
                    }
                }
                Some(None) => refuse("email", &"must be a string"),
                None => {}
            }
            let points = members
                .get("points")
                .and_then(|value| points(value).map_err(|why| refuse("points", &why)).ok());
            if let Some(points) = points {
                members.set("points", points.get().to_string());
            }
            Some(Self {
                members,
                username: username?,
                points,
                status: None,
            })
        })
    }

    /// Reads a record that was stored.
    ///
    /// The record is not validated again: a rule that became stricter must not make stored records unreadable. Only the
    /// members that functions use are read, and a `status` that is not the name of a tier is ignored.
    ///
    /// # Errors
    /// Returns [`NotARecord`] if the text is not a JSON object, has no `username`, or has invalid `points`. The error has no
    /// details, since they could reveal content.
    pub fn from_stored(json: &str) -> Result<Self, NotARecord> {
        let members = Object::read(json).map_err(|_| NotARecord)?;
        let username = members
            .get("username")
            .and_then(json::string_from)
            .ok_or(NotARecord)?;
        let points = match members.get("points") {
            Some(value) => Some(points(value).map_err(|_| NotARecord)?),
            None => None,
        };
        let status = members.get("status").and_then(json::string_from);
        Ok(Self {
            username: Username::from_stored(username),
            points,
            status: status.and_then(|name| Tier::from_name(&name)),
            members,
        })
    }

    /// Applies `change` to the members that clients may change: all but `username`, `points` and `status`.
    pub(crate) fn with_own_members(mut self, change: impl FnOnce(&mut Object)) -> Self {
        change(&mut self.members);
        self
    }

    /// The length of the record as JSON in bytes, without `points` and `status`.
    pub(crate) fn own_length(&self) -> usize {
        let mut members = self.members.clone();
        members.remove("points");
        members.remove("status");
        members.to_json().len()
    }

    /// Writes the record as JSON, the form in which clients get it.
    #[must_use]
    pub fn to_json(&self) -> String {
        self.members.to_json()
    }

    /// The user's name.
    #[must_use]
    pub fn username(&self) -> &Username {
        &self.username
    }

    /// The user's points, if the record has any.
    #[must_use]
    pub fn points(&self) -> Option<Points> {
        self.points
    }

    /// The tier that the last promotion set, if there was a promotion.
    #[must_use]
    pub fn status(&self) -> Option<Tier> {
        self.status
    }

    /// Sets `points`, in its place if it exists, or else at the end.
    #[must_use]
    pub fn with_points(mut self, points: Points) -> Self {
        self.members.set("points", points.get().to_string());
        self.points = Some(points);
        self
    }

    /// Sets `status`, in its place if it exists, or else at the end.
    #[must_use]
    pub fn with_status(mut self, status: Tier) -> Self {
        self.members.set("status", json::string(status.name()));
        self.status = Some(status);
        self
    }
}

fn points(value: &str) -> Result<Points, InvalidNumber> {
    if json::is_number(value) {
        Points::from_json_number(value)
    } else {
        Err(InvalidNumber::NotAnInteger)
    }
}

/// The error for a stored text that is not a user record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotARecord;

impl std::fmt::Display for NotARecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the stored text is not a user record")
    }
}

impl std::error::Error for NotARecord {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn violations(json: &str) -> Vec<(String, String)> {
        match User::from_client(json.as_bytes()) {
            Err(InvalidDocument::Invalid(violations)) => violations
                .into_iter()
                .map(|violation| (violation.pointer, violation.detail))
                .collect(),
            other => panic!("{json}: {other:?}"),
        }
    }

    #[test]
    fn comes_back_as_it_was_given() {
        for json in [
            r#"{"username":"johndoe","email":"john@example.com"}"#,
            r#"{"points":101,"z":null,"username":"jane","a":{"b":[1, 2.50]}}"#,
            r#"{"username":"j","":"","State":"Gold"}"#,
        ] {
            let user = User::from_client(json.as_bytes()).unwrap();
            assert_eq!(user.to_json(), json);
            assert_eq!(User::from_stored(json), Ok(user));
        }
    }

    #[test]
    fn members_of_known_meaning_are_read() {
        let user = User::from_client(br#"{"us\u0065rname":"J\u006fhn","points":1e2}"#).unwrap();
        assert_eq!(user.username().as_str(), "John");
        assert_eq!(user.points().map(Points::get), Some(100));
        assert_eq!(user.to_json(), r#"{"username":"J\u006fhn","points":100}"#);
    }

    #[test]
    fn every_violation_is_listed() {
        let all =
            violations(r#"{"username":"-x","email":7,"points":-1,"status":"Gold","Email":"a@b","ſtatuſ":1}"#);
        let pointers: Vec<_> = all.iter().map(|(pointer, _)| pointer.as_str()).collect();
        assert_eq!(
            pointers,
            ["/status", "/Email", "/ſtatuſ", "/username", "/email", "/points"]
        );
        assert_eq!(
            violations("{}"),
            [("/username".to_owned(), "is required".to_owned())]
        );
        for json in [
            r#"{"username":null}"#,
            r#"{"username":7}"#,
            r#"{"username":"a","email":null}"#,
            r#"{"username":"a","points":"7"}"#,
            r#"{"username":"a","points":null}"#,
            r#"{"username":"a","points":1.5}"#,
            r#"{"username":"a","points":9007199254740992}"#,
            r#"{"username":"a","status":null}"#,
            r#"{"username":"a","username":"a"}"#,
            r#"{"username":"a","Status":"Gold"}"#,
            r#"{"username":"a","userName":"b"}"#,
            r#"{"username":"a","POINTS":1}"#,
        ] {
            assert_eq!(violations(json).len(), 1, "{json}");
        }
    }

    #[test]
    fn members_are_set_in_their_place_or_at_the_end() {
        let user = User::from_client(br#"{"points":1,"username":"a"}"#).unwrap();
        let promoted = user.with_status(Tier::Gold);
        assert_eq!(
            promoted.to_json(),
            r#"{"points":1,"username":"a","status":"Gold"}"#
        );
        let awarded = promoted.with_points(Points::MAX).with_status(Tier::Silver);
        assert_eq!(
            awarded.to_json(),
            r#"{"points":9007199254740991,"username":"a","status":"Silver"}"#
        );
        assert_eq!(User::from_stored(&awarded.to_json()), Ok(awarded));
    }

    #[test]
    fn a_damaged_record_is_not_read() {
        for json in [
            "",
            "[]",
            "{}",
            r#"{"username":7}"#,
            r#"{"username":"a","points":-1}"#,
            r#"{"username":"a","points":"1"}"#,
        ] {
            assert_eq!(User::from_stored(json), Err(NotARecord), "{json}");
        }
    }

    #[test]
    fn a_stored_record_is_read_although_a_client_could_not_send_it_today() {
        for json in [
            r#"{"username":"a","email":"x"}"#,
            r#"{"username":"a","email":7}"#,
            r#"{"username":"-a b-"}"#,
            r#"{"username":"a","Status":"Gold"}"#,
            r#"{"username":"a","status":"Platinum"}"#,
            r#"{"username":"a","status":null}"#,
        ] {
            let user = User::from_stored(json).unwrap();
            assert_eq!((user.to_json().as_str(), user.status()), (json, None));
            let awarded = user.with_points(Points::of(7)).to_json();
            assert_eq!(awarded, json.replace('}', ",\"points\":7}"));
        }
        let user = User::from_stored(r#"{"status":"Iron","username":"a"}"#).unwrap();
        assert_eq!(
            user.with_status(Tier::Gold).to_json(),
            r#"{"status":"Gold","username":"a"}"#
        );
    }

    proptest! {
        #[test]
        fn any_record_survives_a_round_trip(
            name in "[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
            points in proptest::option::of(0_i64..(1 << 53)),
            others in proptest::collection::btree_map("[^uspe].{0,5}", any::<Option<i32>>(), 0..5),
        ) {
            let mut object = serde_json::Map::new();
            object.insert("username".to_owned(), name.clone().into());
            if let Some(points) = points {
                object.insert("points".to_owned(), points.into());
            }
            for (name, value) in others {
                object.insert(name, value.into());
            }
            let json = serde_json::Value::from(object.clone()).to_string();
            let user = User::from_client(json.as_bytes()).unwrap();
            prop_assert_eq!(user.points().map(Points::get), points);
            prop_assert_eq!(&user.to_json(), &json);
            let stored = User::from_stored(&user.to_json()).unwrap();
            prop_assert_eq!(stored, user);
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = User::from_client(&bytes);
            let _ = User::from_stored(&String::from_utf8_lossy(&bytes));
        }
    }
}
