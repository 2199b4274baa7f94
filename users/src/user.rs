//! The user record: a JSON object with a few members of known meaning, and whatever else its client gave.

use crate::email::Email;
use crate::json::{self, Fault, InvalidDocument, Object};
use crate::points::{InvalidNumber, Points};
use crate::tier::Tier;
use crate::username::Username;

/// A valid user record.
///
/// The members of known meaning are read once and are right from then on; every other member, and the order of
/// all, stays as it was given.
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
    /// Points are written back as a plain integer (`1e2` as `100`), so that a typed client can read them.
    ///
    /// # Errors
    /// The body is not JSON, or not a user record; then every fault is listed.
    pub fn from_client(body: &[u8]) -> Result<Self, InvalidDocument> {
        Object::read_strictly(body, |members, faults| {
            if members.get("status").is_some() {
                faults.push(Fault::of_member(
                    "status",
                    "must not be given: promotion alone sets it",
                ));
            }
            Self::from_members(members, faults)
        })
    }

    /// Reads a record that was stored.
    ///
    /// # Errors
    /// The text is not a user record. What is wrong with it stays unsaid, since it could give content away.
    pub fn from_stored(json: &str) -> Result<Self, NotARecord> {
        let members = Object::read(json).map_err(|_| NotARecord)?;
        let status = match members.get("status") {
            Some(value) => Some(
                json::string_from(value)
                    .and_then(|name| Tier::from_name(&name))
                    .ok_or(NotARecord)?,
            ),
            None => None,
        };
        let mut faults = Vec::new();
        match Self::from_members(members, &mut faults) {
            Some(user) if faults.is_empty() => Ok(Self { status, ..user }),
            _ => Err(NotARecord),
        }
    }

    /// Reads the members of known meaning, `status` aside, and adds what is wrong with them to `faults`.
    fn from_members(mut members: Object, faults: &mut Vec<Fault>) -> Option<Self> {
        let username = match members.get("username").map(json::string_from) {
            Some(Some(name)) => name
                .parse::<Username>()
                .map_err(|error| faults.push(Fault::of_member("username", error)))
                .ok(),
            Some(None) => {
                faults.push(Fault::of_member("username", "must be a string"));
                None
            }
            None => {
                faults.push(Fault::of_member("username", "is required"));
                None
            }
        };
        match members.get("email").map(json::string_from) {
            Some(Some(address)) => {
                if let Err(error) = address.parse::<Email>() {
                    faults.push(Fault::of_member("email", error));
                }
            }
            Some(None) => faults.push(Fault::of_member("email", "must be a string")),
            None => {}
        }
        let points = members.get("points").and_then(|value| {
            points(value)
                .map_err(|error| faults.push(Fault::of_member("points", error)))
                .ok()
        });
        if let Some(points) = points {
            members.set("points", points.get().to_string());
        }
        Some(Self {
            members,
            username: username?,
            points,
            status: None,
        })
    }

    /// The record as JSON, as a client gets it.
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

    /// The tier that the last promotion gave the user, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<Tier> {
        self.status
    }

    /// The record with these points: in their place, or else at the end.
    #[must_use]
    pub fn with_points(mut self, points: Points) -> Self {
        self.members.set("points", points.get().to_string());
        self.points = Some(points);
        self
    }

    /// The record with this status: in its place, or else at the end.
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

/// A stored text is not a user record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotARecord;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn faults(json: &str) -> Vec<(String, String)> {
        match User::from_client(json.as_bytes()) {
            Err(InvalidDocument::Invalid(faults)) => faults
                .into_iter()
                .map(|fault| (fault.pointer, fault.detail))
                .collect(),
            other => panic!("{json}: {other:?}"),
        }
    }

    #[test]
    fn comes_back_as_it_was_given() {
        for json in [
            r#"{"username":"johndoe","email":"john@example.com"}"#,
            r#"{"points":101,"z":null,"username":"jane","a":{"b":[1, 2.50]}}"#,
            r#"{"username":"j","":"","Status":"Gold"}"#,
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
    fn every_fault_is_listed() {
        let all = faults(r#"{"username":"-x","email":7,"points":-1,"status":"Gold"}"#);
        let pointers: Vec<_> = all.iter().map(|(pointer, _)| pointer.as_str()).collect();
        assert_eq!(pointers, ["/status", "/username", "/email", "/points"]);
        assert_eq!(faults("{}"), [("/username".to_owned(), "is required".to_owned())]);
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
        ] {
            assert_eq!(faults(json).len(), 1, "{json}");
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
            r#"{"username":"a","status":"Iron"}"#,
            r#"{"username":"a","points":-1}"#,
        ] {
            assert_eq!(User::from_stored(json), Err(NotARecord), "{json}");
        }
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
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = User::from_client(&bytes);
        }
    }
}
