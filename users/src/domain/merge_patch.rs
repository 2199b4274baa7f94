//! JSON merge patches (RFC 7396) of user records.

use crate::domain::email;
use crate::domain::json::{self, InvalidDocument, Object, Violation};
use crate::domain::member_name;
use crate::domain::user::User;

/// A merge patch of a user record, which changes only members that clients may set.
///
/// ```
/// use users::domain::merge_patch::UserPatch;
/// use users::domain::user::User;
///
/// let user = User::from_client(br#"{"username":"jane","team":"red","points":7}"#).unwrap();
/// let patch = UserPatch::from_client(br#"{"team":null,"city":"Ulm"}"#).unwrap();
/// let patched = patch.apply(user).unwrap().expect("a change");
/// assert_eq!(patched.user.to_json(), r#"{"username":"jane","points":7,"city":"Ulm"}"#);
/// assert_eq!(patched.members, ["team", "city"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserPatch(Object);

/// A record that a patch has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patched {
    /// The record with the changes.
    pub user: User,
    /// The names of the members that changed, in the order of the patch.
    pub members: Vec<String>,
}

impl UserPatch {
    /// The maximum size of a patched record in bytes, not counting `points` and `status`: 16 KiB.
    pub const RECORD_LIMIT: usize = 16 * 1024;

    /// Reads what a client sends to change a user.
    ///
    /// # Errors
    /// Returns [`InvalidDocument`] if the body is not JSON or the patch has invalid members. Members of the record that the
    /// patch does not name are not checked.
    pub fn from_client(body: &[u8]) -> Result<Self, InvalidDocument> {
        Object::read_strictly(body, |patch, violations| {
            for (name, value) in patch.members() {
                if let Some(detail) = refusal(name, value) {
                    violations.push(Violation::of_member(name, detail));
                }
            }
            Some(Self(patch))
        })
    }

    /// Applies the patch. Members keep their order, new ones come last. Returns `None` if it changes nothing.
    ///
    /// # Errors
    /// Returns [`InvalidDocument`] if the record would be larger than [`Self::RECORD_LIMIT`].
    pub fn apply(&self, user: User) -> Result<Option<Patched>, InvalidDocument> {
        let mut changed = Vec::new();
        let patched = user.with_own_members(|members| {
            for (name, patch) in self.0.members() {
                if merge_member(members, name, patch) {
                    changed.push(name.to_owned());
                }
            }
        });
        if changed.is_empty() {
            Ok(None)
        } else if patched.own_length() > Self::RECORD_LIMIT {
            Err(InvalidDocument::Invalid(vec![Violation {
                pointer: String::new(),
                detail: format!(
                    "would make the record larger than {} bytes, points and status not counted",
                    Self::RECORD_LIMIT
                ),
            }]))
        } else {
            Ok(Some(Patched {
                user: patched,
                members: changed,
            }))
        }
    }
}

/// Returns why a patch must not give the member `name` this value; `None` if it may.
fn refusal(name: &str, value: &str) -> Option<String> {
    let detail = match name {
        "username" => "must not be given: a username never changes",
        "points" => "must not be given: points are changed by POST /user/points",
        "status" => "must not be given: only a promotion sets it",
        "email" if value == "null" => return None,
        "email" => {
            return match json::string_from(value) {
                Some(address) => email::check(&address).err().map(|why| why.to_string()),
                None => Some("must be a string, or null to remove it".to_owned()),
            };
        }
        _ => {
            let known = member_name::confused_with(name)?;
            return Some(format!(
                "must not be given: it differs from {known} only in letter case"
            ));
        }
    };
    Some(detail.to_owned())
}

/// Applies `patch` to the member `name`. Returns whether that changed anything.
fn merge_member(members: &mut Object, name: &str, patch: &str) -> bool {
    let old = members.get(name);
    if patch == "null" {
        let is_there = old.is_some();
        members.remove(name);
        return is_there;
    }
    let new = merged(old, patch);
    let is_change = old.is_none_or(|old| !json::is_same_value(old, &new));
    if is_change {
        members.set(name, new);
    }
    is_change
}

/// `MergePatch` of RFC 7396, section 2. Both inputs were limited in depth when they were read, and the result is no deeper
/// than the deeper one, so the recursion is bounded.
fn merged(target: Option<&str>, patch: &str) -> String {
    let Ok(patch_members) = Object::read(patch) else {
        return patch.to_owned();
    };
    let mut members = target
        .and_then(|target| Object::read(target).ok())
        .unwrap_or_default();
    for (name, patch) in patch_members.members() {
        merge_member(&mut members, name, patch);
    }
    members.to_json()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn patched(record: &str, patch: &str) -> Option<(String, Vec<String>)> {
        let user = User::from_stored(record).unwrap();
        let patch = UserPatch::from_client(patch.as_bytes()).unwrap();
        patch
            .apply(user)
            .unwrap()
            .map(|patched| (patched.user.to_json(), patched.members))
    }

    fn violations(patch: &str) -> Vec<(String, String)> {
        match UserPatch::from_client(patch.as_bytes()) {
            Err(InvalidDocument::Invalid(violations)) => violations
                .into_iter()
                .map(|violation| (violation.pointer, violation.detail))
                .collect(),
            other => panic!("{patch}: {other:?}"),
        }
    }

    #[test]
    fn members_keep_their_place_and_new_ones_come_last() {
        assert_eq!(
            patched(
                r#"{"a":1,"username":"jane","b":2,"points":7,"status":"Gold","c":3}"#,
                r#"{"z":9,"c":null,"a":[1, 2],"b":{"x":{"y":null}},"email":"j@example.com"}"#
            ),
            Some((
                r#"{"a":[1, 2],"username":"jane","b":{"x":{}},"points":7,"status":"Gold","z":9,"email":"j@example.com"}"#
                    .to_owned(),
                ["z", "c", "a", "b", "email"].map(str::to_owned).to_vec()
            ))
        );
    }

    #[test]
    fn objects_are_merged_at_every_level() {
        assert_eq!(
            patched(
                r#"{"username":"jane","address":{"city":"Ulm","zip":"89073","geo":{"x":1,"y":2}}}"#,
                r#"{"address":{"zip":null,"geo":{"y":3},"street":"Neue Str."}}"#
            )
            .map(|(record, _)| record)
            .unwrap(),
            r#"{"username":"jane","address":{"city":"Ulm","geo":{"x":1,"y":3},"street":"Neue Str."}}"#
        );
    }

    #[test]
    fn a_patch_that_changes_nothing_is_recognized() {
        let record = r#"{"username":"jane","email":"j@example.com","a":{"b":[1,{"c":null}],"d":"é"}}"#;
        for patch in [
            "{}",
            r#"{"other":null}"#,
            r#"{"email":"\u006a@example.com"}"#,
            r#"{"a":{}}"#,
            r#"{"a":{"x":null}}"#,
            r#"{"a":{"b":[ 1, { "c" : null } ]}}"#,
            r#"{"a":{"d":"\u00e9"}}"#,
        ] {
            assert_eq!(patched(record, patch), None, "{patch}");
        }
        // An empty object is a value like any other.
        assert!(patched(record, r#"{"other":{}}"#).is_some());
        assert!(patched(record, r#"{"other":{"x":null}}"#).is_some());
    }

    #[test]
    fn members_with_rules_are_refused() {
        for (patch, pointers) in [
            (r#"{"username":"john"}"#, &["/username"][..]),
            (r#"{"points":1,"status":null}"#, &["/points", "/status"]),
            (r#"{"Points":1,"ſtatus":null}"#, &["/Points", "/ſtatus"]),
            (r#"{"email":7}"#, &["/email"]),
            (r#"{"email":"jane"}"#, &["/email"]),
            (r#"{"Email":null}"#, &["/Email"]),
            (r#"{"a":{"b":1,"b":2}}"#, &["/a/b"]),
            ("[]", &[""]),
            ("null", &[""]),
        ] {
            let found: Vec<_> = violations(patch)
                .into_iter()
                .map(|(pointer, _)| pointer)
                .collect();
            assert_eq!(found, pointers, "{patch}");
        }
        assert!(UserPatch::from_client(br#"{"email":null,"a":{"points":1}}"#).is_ok());
        assert!(matches!(
            UserPatch::from_client(b"{"),
            Err(InvalidDocument::Malformed(_))
        ));
    }

    #[test]
    fn members_that_the_patch_does_not_name_are_not_looked_at() {
        // Written by an earlier release, with laxer rules.
        let record = r#"{"username":"jane","email":"x","Status":"Gold","status":"Platinum"}"#;
        assert_eq!(
            patched(record, r#"{"team":1}"#).unwrap().0,
            r#"{"username":"jane","email":"x","Status":"Gold","status":"Platinum","team":1}"#
        );
    }

    #[test]
    fn the_size_of_the_result_has_a_limit_that_points_and_status_do_not_count_for() {
        let rest = r#"{"username":"jane","note":""}"#.len();
        let note = |length: usize| format!(r#"{{"note":"{}"}}"#, "x".repeat(length));
        let apply = |patch: &str| {
            let user = User::from_stored(r#"{"username":"jane","points":7,"status":"Gold"}"#).unwrap();
            UserPatch::from_client(patch.as_bytes()).unwrap().apply(user)
        };
        assert!(apply(&note(UserPatch::RECORD_LIMIT - rest)).unwrap().is_some());
        match apply(&note(UserPatch::RECORD_LIMIT - rest + 1)) {
            Err(InvalidDocument::Invalid(violations)) => {
                assert!(violations[0].detail.contains("16384"), "{violations:?}");
            }
            other => panic!("{other:?}"),
        }
    }

    /// RFC 7396, section 2, on values.
    fn merge_values(target: &mut Value, patch: &Value) {
        let Value::Object(patch) = patch else {
            *target = patch.clone();
            return;
        };
        if !target.is_object() {
            *target = Value::Object(serde_json::Map::new());
        }
        let target = target.as_object_mut().unwrap();
        for (name, value) in patch {
            if value.is_null() {
                target.remove(name);
            } else {
                merge_values(target.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            Just(Value::from("x")),
            (0..3).prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                proptest::collection::btree_map("[abc]", inner, 0..3)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    fn members() -> impl Strategy<Value = serde_json::Map<String, Value>> {
        proptest::collection::btree_map("[abc]", value(), 0..4)
            .prop_map(|members| members.into_iter().collect())
    }

    proptest! {
        #[test]
        fn merges_as_the_standard_does(record in members(), patch in members()) {
            let mut record = record;
            record.insert("username".to_owned(), "jane".into());
            let record = Value::Object(record);
            let patch = Value::Object(patch);
            let mut expected = record.clone();
            merge_values(&mut expected, &patch);
            if let Some((json, names)) = patched(&record.to_string(), &patch.to_string()) {
                let result: Value = serde_json::from_str(&json).unwrap();
                prop_assert_eq!(&result, &expected);
                prop_assert_ne!(&result, &record);
                // Those, and no others, are different.
                for name in ["a", "b", "c"] {
                    prop_assert_eq!(names.iter().any(|n| n == name), result.get(name) != record.get(name));
                }
                // Once more, it changes nothing.
                prop_assert_eq!(patched(&json, &patch.to_string()), None);
            } else {
                prop_assert_eq!(expected, record);
            }
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = UserPatch::from_client(&bytes);
        }
    }
}
