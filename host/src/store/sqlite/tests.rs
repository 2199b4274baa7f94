//! Tests of the `spin` backend.

use super::*;
use std::sync::mpsc;

/// A store in a directory of its own, which lives as long as the returned guard.
fn store() -> (Store, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open(&directory.path().join("state/kv.db")).unwrap();
    (Store::new("default", Arc::new(database)), directory)
}

fn key() -> String {
    "user/johndoe".to_owned()
}

#[tokio::test]
async fn set_overwrites_and_delete_removes() {
    let (store, _directory) = store();
    assert_eq!(store.get(key()).await.unwrap(), None);
    store.set(key(), b"one".to_vec()).await.unwrap();
    store.set(key(), b"two".to_vec()).await.unwrap();
    assert_eq!(store.get(key()).await.unwrap().unwrap(), b"two");
    assert!(store.exists(key()).await.unwrap());
    store.delete(key()).await.unwrap();
    store.delete(key()).await.unwrap();
    assert!(!store.exists(key()).await.unwrap());
}

#[tokio::test]
async fn labels_in_one_file_do_not_see_each_other() {
    let (store, _directory) = store();
    let other = Store::new("other", Arc::clone(&store.database));
    store.set(key(), b"one".to_vec()).await.unwrap();
    assert_eq!(other.get(key()).await.unwrap(), None);
    assert_eq!(other.keys().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn batches_leave_absent_keys_out() {
    let (store, _directory) = store();
    let pair = |key: &str, value: &str| (key.to_owned(), value.as_bytes().to_vec());
    store
        .set_many(vec![pair("b", "2"), pair("a", "1"), pair("c", "3")])
        .await
        .unwrap();
    let keys = || vec!["b".to_owned(), "absent".to_owned(), "a".to_owned()];
    let found = store.get_many(keys()).await.unwrap();
    assert_eq!(
        found,
        [
            ("a".to_owned(), Some(b"1".to_vec())),
            ("b".to_owned(), Some(b"2".to_vec()))
        ]
    );
    store.delete_many(keys()).await.unwrap();
    assert_eq!(store.keys().await.unwrap(), ["c"]);
}

#[tokio::test]
async fn increment_is_eight_bytes_little_endian() {
    let (store, _directory) = store();
    assert_eq!(store.increment(key(), 5).await.unwrap(), 5);
    assert_eq!(store.increment(key(), -7).await.unwrap(), -2);
    assert_eq!(store.get(key()).await.unwrap().unwrap(), (-2_i64).to_le_bytes());
}

#[tokio::test]
async fn increment_of_a_record_fails_and_leaves_the_store_usable() {
    let (store, _directory) = store();
    store.set(key(), b"{}".to_vec()).await.unwrap();
    assert!(store.increment(key(), 1).await.is_err());
    assert_eq!(store.get(key()).await.unwrap().unwrap(), b"{}");
    assert_eq!(store.increment("other".to_owned(), 1).await.unwrap(), 1);
}

#[tokio::test]
async fn what_fails_in_a_group_fails_alone() {
    let (store, _directory) = store();
    store.set(key(), b"{}".to_vec()).await.unwrap();
    let (release, until_released) = mpsc::channel::<()>();
    // While this change holds up the thread, the others gather.
    let hold = store.write(move |_, _| {
        let _ = until_released.recv();
        Ok(())
    });
    let others = async {
        let changes = async {
            tokio::join!(
                store.set("before".to_owned(), b"1".to_vec()),
                store.increment(key(), 1),
                store.increment("counter".to_owned(), 1),
                store.set("after".to_owned(), b"2".to_vec()),
            )
        };
        tokio::join!(changes, async { drop(release) }).0
    };
    let (first, (before, record, counter, after)) = tokio::join!(hold, others);
    first.unwrap();
    before.unwrap();
    assert!(record.is_err());
    assert_eq!(counter.unwrap(), 1);
    after.unwrap();
    assert_eq!(store.get(key()).await.unwrap().unwrap(), b"{}");
    assert_eq!(store.get("before".to_owned()).await.unwrap().unwrap(), b"1");
    assert_eq!(store.get("after".to_owned()).await.unwrap().unwrap(), b"2");
}

#[tokio::test]
async fn swaps_from_absent_both_succeed() {
    let (store, _directory) = store();
    let first = store.compare_and_swap(key()).await.unwrap();
    let second = store.compare_and_swap(key()).await.unwrap();
    assert_eq!(first.current().await.unwrap(), None);
    assert_eq!(second.current().await.unwrap(), None);
    assert!(first.swap(b"first".to_vec()).await.unwrap());
    assert!(second.swap(b"second".to_vec()).await.unwrap());
    assert_eq!(store.get(key()).await.unwrap().unwrap(), b"second");
}

#[tokio::test]
async fn swap_without_current_overwrites() {
    let (store, _directory) = store();
    store.set(key(), b"old".to_vec()).await.unwrap();
    let swap = store.compare_and_swap(key()).await.unwrap();
    assert!(swap.swap(b"new".to_vec()).await.unwrap());
    assert_eq!(store.get(key()).await.unwrap().unwrap(), b"new");
}

#[tokio::test]
async fn swap_of_an_existing_value_compares_it() {
    let (store, _directory) = store();
    store.set(key(), b"old".to_vec()).await.unwrap();
    let first = store.compare_and_swap(key()).await.unwrap();
    let second = store.compare_and_swap(key()).await.unwrap();
    first.current().await.unwrap();
    second.current().await.unwrap();
    assert!(first.swap(b"first".to_vec()).await.unwrap());
    assert!(!second.swap(b"second".to_vec()).await.unwrap());
    assert_eq!(store.get(key()).await.unwrap().unwrap(), b"first");
}

#[tokio::test]
async fn two_hosts_share_one_file() {
    let (one, directory) = store();
    let database = Database::open(&directory.path().join("state/kv.db")).unwrap();
    let two = Store::new("default", Arc::new(database));
    one.set(key(), b"one".to_vec()).await.unwrap();
    assert_eq!(two.get(key()).await.unwrap().unwrap(), b"one");
    two.set(key(), b"two".to_vec()).await.unwrap();
    assert_eq!(one.get(key()).await.unwrap().unwrap(), b"two");
}

#[test]
fn the_file_is_in_wal_mode() {
    let (_store, directory) = store();
    let connection = Connection::open(directory.path().join("state/kv.db")).unwrap();
    let mode: String = connection
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
}
