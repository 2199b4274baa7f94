//! Query strings of lists and histories.

#![no_main]

use libfuzzer_sys::fuzz_target;
use users::api::problem::Kind;
use users::api::query::Query;

fuzz_target!(|text: &str| {
    let query = Query::new(text);
    match query.of_users() {
        Ok(users) => {
            assert!((1..=100).contains(&users.limit.get()));
            if let Some(after) = users.after {
                assert_eq!(after.to_string().parse(), Ok(after));
            }
        }
        Err(problem) => assert_eq!(problem.kind(), Kind::MalformedQuery),
    }
    match query.of_history() {
        Ok(history) => {
            assert!((1..=100).contains(&history.limit.get()));
            assert_ne!(history.before, Some(0));
        }
        Err(problem) => assert_eq!(problem.kind(), Kind::MalformedQuery),
    }
});
