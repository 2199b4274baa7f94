//! Usernames in records and paths.

#![no_main]

use http::Uri;
use libfuzzer_sys::fuzz_target;
use users::domain::username::Username;

fuzz_target!(|text: &str| {
    let upper = text.to_ascii_uppercase().parse::<Username>();
    match text.parse::<Username>() {
        Ok(username) => {
            assert_eq!(username.as_str(), text);
            assert_eq!(username.to_string(), text);
            assert!((1..=Username::MAX_LENGTH).contains(&text.len()));
            assert!(text.starts_with(|first: char| first.is_ascii_alphanumeric()));

            // Case makes no difference, and no escaping is needed.
            assert_eq!(upper.map(|upper| upper.case_folded()), Ok(username.case_folded()));
            let path = format!("/user/{text}");
            assert!(path.parse::<Uri>().is_ok_and(|uri| uri.path() == path));
        }
        Err(why) => {
            assert_eq!(upper, Err(why));
            assert!(!why.to_string().is_empty());
        }
    }
});
