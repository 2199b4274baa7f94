//! The body of `PATCH /user/update/{username}`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use users::api::Problem;
use users::api::problem::Kind;
use users::domain::merge_patch::UserPatch;
use users::domain::user::User;

const JOHN: &str = r#"{"username":"john","email":"j@example.com","points":7,"status":"Gold","a":{"b":1}}"#;

fuzz_target!(|body: &[u8]| match UserPatch::from_client(body) {
    Ok(patch) => can_be_applied(&patch),
    Err(why) => {
        let kind = Problem::invalid_user(why).kind();
        assert!(matches!(kind, Kind::MalformedJson | Kind::InvalidUser));
    }
});

fn can_be_applied(patch: &UserPatch) {
    let john = User::from_stored(JOHN).expect("a record");
    let Ok(Some(patched)) = patch.apply(john.clone()) else {
        return;
    };
    assert!(!patched.members.is_empty());
    let user = patched.user;
    assert_eq!(user.username(), john.username());
    assert_eq!((user.points(), user.status()), (john.points(), john.status()));
    assert_eq!(User::from_stored(&user.to_json()), Ok(user.clone()));
    assert_eq!(patch.apply(user), Ok(None));
}
