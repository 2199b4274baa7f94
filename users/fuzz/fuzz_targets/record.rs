//! The body of `POST /user`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use users::api::Problem;
use users::api::problem::Kind;
use users::domain::json::InvalidDocument;
use users::domain::points::Points;
use users::domain::tier::Tier;
use users::domain::user::User;

fuzz_target!(|body: &[u8]| match User::from_client(body) {
    Ok(user) => is_read_back(user),
    Err(why) => is_told(why),
});

fn is_read_back(user: User) {
    let json = user.to_json();
    assert_eq!(User::from_client(json.as_bytes()), Ok(user.clone()));
    assert_eq!(User::from_stored(&json), Ok(user.clone()));

    let promoted = user.with_points(Points::MAX).with_status(Tier::Gold);
    assert_eq!(User::from_stored(&promoted.to_json()), Ok(promoted));
}

fn is_told(why: InvalidDocument) {
    let kind = match &why {
        InvalidDocument::Malformed(_) => Kind::MalformedJson,
        InvalidDocument::Invalid(violations) => {
            assert!(!violations.is_empty());
            for violation in violations {
                assert!(is_pointer(&violation.pointer), "{:?}", violation.pointer);
            }
            Kind::InvalidUser
        }
    };
    assert_eq!(Problem::invalid_user(why).kind(), kind);
}

/// Whether `text` is a JSON pointer (RFC 6901, section 3).
fn is_pointer(text: &str) -> bool {
    (text.is_empty() || text.starts_with('/'))
        && text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']))
}
