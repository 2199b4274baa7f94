//! Values of a user's key, whoever wrote them: envelopes, tombstones, and their entries.

#![no_main]

use libfuzzer_sys::fuzz_target;
use users::domain::points_request::PointsRequest;
use users::domain::tier::Promotion;
use users::domain::user::User;
use users::domain::username::Username;
use users::storage::environment::Environment;
use users::storage::operation::{Identity, Operation};
use users::storage::{CreateOutcome, EraseOutcome, StoreError, UpdateOutcome, UserStore, keys};

#[expect(dead_code, reason = "the benchmarks use more of it")]
#[path = "../../../benches/src/memory.rs"]
mod memory;
use memory::Memory;

fuzz_target!(|bytes: &[u8]| {
    let john: Username = "john".parse().expect("a username");
    let store = || {
        let memory: &Memory = Box::leak(Box::default());
        run(memory.set_all(vec![(keys::user(&john), bytes.to_vec())])).expect("a store");
        UserStore::new(memory)
    };
    match run(store().read(&john)) {
        Ok(Some(envelope)) => {
            // Every revision can be an entity tag.
            let is_tag = |byte: u8| byte.is_ascii_graphic() && byte != b'"';
            assert!(envelope.revision().bytes().all(is_tag));
            assert!(envelope.first() <= envelope.archived() && envelope.archived() <= envelope.sequence());
            let _ = run(store().history(&john, envelope, None, 100));
            can_be_changed(&store(), &john);
            can_be_erased(&store(), &john);
        }
        Ok(None) => can_be_created(&store(), &john),
        Err(why) => assert!(matches!(why, StoreError::Corrupt { .. }), "{why}"),
    }
});

fn run<T>(future: impl Future<Output = T>) -> T {
    memory::run(future).expect("nobody else uses the store")
}

#[expect(clippy::unnecessary_wraps, reason = "the form of a check that may refuse")]
fn allow<T>(_: &T) -> Result<(), ()> {
    Ok(())
}

/// Whether an error means that the stored value is damaged, and not that reading it has a defect.
fn is_damage<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Corrupt { .. }))
}

fn can_be_changed(store: &UserStore<&Memory>, john: &Username) {
    let request = PointsRequest::from_client(br#"{"points":1}"#).expect("a change");
    let identity = Identity::Fresh(Operation::fresh(7));
    let changed = run(store.change_points(john, &identity, &request, &Promotion::STANDARD, allow));
    if let Ok(UpdateOutcome::Done(changed)) = &changed {
        let user = User::from_stored(changed.record()).expect("it was written");
        let read = run(store.read(john))
            .expect("it was written")
            .expect("it is there");
        assert_eq!(&read, changed);
        assert!(user.points().is_some());
    }
}

fn can_be_erased(store: &UserStore<&Memory>, john: &Username) {
    let erased = run(store.erase(john, allow));
    if is_damage(&erased) || erased == Err(StoreError::PagesRemain) {
        return;
    }
    assert_eq!(erased, Ok(EraseOutcome::Erased));
    assert_eq!(run(store.read(john)), Ok(None));
}

fn can_be_created(store: &UserStore<&Memory>, john: &Username) {
    let user = User::from_client(br#"{"username":"john"}"#).expect("a user");
    let created = run(store.create(&user, &Operation::fresh(7), &Promotion::STANDARD));
    match created {
        Ok(CreateOutcome::Created { revision, .. }) => {
            let read = run(store.read(john))
                .expect("it was written")
                .expect("it is there");
            assert_eq!(read.revision(), revision);
        }
        // The tombstone names the same operation, or has more to delete than one request may.
        Ok(CreateOutcome::Erased) | Err(StoreError::PagesRemain) => {}
        other => panic!("{other:?}"),
    }
}
