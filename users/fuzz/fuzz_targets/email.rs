//! The mail addresses of records.

#![no_main]

use libfuzzer_sys::fuzz_target;
use users::email::Email;

fuzz_target!(|text: &str| {
    match text.parse::<Email>() {
        Ok(email) => {
            assert_eq!(email.as_str(), text);
            assert!(text.len() <= 254);
            // Nothing that would end a line or a header field where the address is put in one.
            assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            assert!(text.rsplit_once('@').is_some_and(|(local, domain)| {
                (1..=64).contains(&local.len()) && (1..=252).contains(&domain.len())
            }));
        }
        Err(why) => assert!(!why.to_string().is_empty()),
    }
});
