//! The email addresses in records.

#![no_main]

use libfuzzer_sys::fuzz_target;
use users::domain::email;

fuzz_target!(|text: &str| {
    match email::check(text) {
        Ok(()) => {
            assert!(text.len() <= 254);
            // Nothing that could end a line or a header field that contains the address.
            assert!(!text.chars().any(char::is_control));
            assert!(text.rsplit_once('@').is_some_and(|(local, domain)| {
                (1..=64).contains(&local.len()) && (1..=252).contains(&domain.len())
            }));
        }
        Err(why) => assert!(!why.to_string().is_empty()),
    }
});
