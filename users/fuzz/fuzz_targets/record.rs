//! The body of `POST /user`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use users::http::problem::Kind;
use users::http::{Problem, created};
use users::json::InvalidDocument;
use users::operation::Operation;
use users::points::Points;
use users::store::Created;
use users::tier::Tier;
use users::user::User;

fuzz_target!(|body: &[u8]| match User::from_client(body) {
    Ok(user) => is_read_back(user),
    Err(why) => is_told(why),
});

fn is_read_back(user: User) {
    let json = user.to_json();
    assert_eq!(User::from_client(json.as_bytes()), Ok(user.clone()));
    assert_eq!(User::from_stored(&json), Ok(user.clone()));

    assert!(created(&user, &Operation::fresh(1), Created::Created).is_ok());

    let promoted = user.with_points(Points::MAX).with_status(Tier::Gold);
    assert_eq!(User::from_stored(&promoted.to_json()), Ok(promoted));
}

fn is_told(why: InvalidDocument) {
    let kind = match &why {
        InvalidDocument::Malformed(_) => Kind::MalformedJson,
        InvalidDocument::Invalid(faults) => {
            assert!(!faults.is_empty());
            for fault in faults {
                assert!(is_pointer(&fault.pointer), "{:?}", fault.pointer);
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
