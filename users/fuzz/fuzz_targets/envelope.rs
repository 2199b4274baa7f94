//! Stored envelopes, the operations and the record in them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use users::envelope::Envelope;
use users::http::{not_modified, record};
use users::operation::Operation;
use users::points::Points;
use users::user::User;

fuzz_target!(|bytes: &[u8]| {
    match Envelope::from_bytes(bytes) {
        Ok(envelope) => {
            assert_eq!(Envelope::from_bytes(&envelope.to_bytes()).as_ref(), Ok(&envelope));
            // Every revision can be an entity tag, every time a date.
            assert!(
                envelope
                    .revision()
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && byte != b'"')
            );
            let _ = (record(&envelope), not_modified(&envelope));
            if let Ok(user) = User::from_stored(envelope.record()) {
                can_be_changed(&envelope, user);
            }
        }
        Err(why) => assert!(!why.to_string().is_empty()),
    }
});

fn can_be_changed(envelope: &Envelope, user: User) {
    let operation = Operation::fresh(7);
    let user = user.with_points(Points::MAX);
    let (later, _) = envelope.changed_to(&user, &operation, envelope.changed());
    assert_eq!(User::from_stored(later.record()), Ok(user));
    assert!(later.find(&operation).is_some());
    assert_eq!(envelope.was_followed_by(&operation, &later), Some(true));
    assert_ne!(later.revision(), envelope.revision());
}
