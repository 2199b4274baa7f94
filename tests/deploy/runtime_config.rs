//! The runtime configurations for the stores.

use std::fs;
use std::process::{Command, Stdio};

use harness::{App, Redis, root, without};
use serde::Deserialize;

/// `deploy/redis.toml`, with the address inserted as the file describes.
fn redis_at(url: &str) -> String {
    let output = Command::new("envsubst")
        .env("REDIS_URL", url)
        .stdin(Stdio::from(
            fs::File::open(root().join("deploy/redis.toml")).unwrap(),
        ))
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_keeps_the_users() {
    if without("redis-server") || without("envsubst") {
        return;
    }
    let redis = tokio::task::block_in_place(Redis::durable);
    let config = redis_at(&redis.url());
    let jane = r#"{"username":"jane"}"#;
    let one = App::builder().runtime_config(&config).start().await;
    one.create(jane).await.exactly(201, jane);
    one.stop();
    // In a directory of its own, so it can be nowhere else.
    let other = App::builder().runtime_config(&config).start().await;
    other.get("/user/jane").await.exactly(200, jane);
}

/// The options that Spin reads. Spin ignores unknown options of a store, so a typo would go unnoticed.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct RuntimeConfig {
    key_value_store: Stores,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Stores {
    default: Store,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Store {
    Redis {
        url: String,
    },
    AwsDynamo {
        region: String,
        table: String,
        consistent_read: bool,
        // Not `access_key`, `secret_key` and `token`, which are secrets.
    },
    AzureCosmos {
        account: String,
        database: String,
        container: String,
        // Not `key`, which is a secret.
    },
}

#[test]
fn the_keys_are_those_that_spin_reads() {
    if without("envsubst") {
        return;
    }
    let read =
        |text: String| toml::from_str::<RuntimeConfig>(&text).map(|config| config.key_value_store.default);
    // An address may contain a dollar sign.
    let url = "redis://:$PATH@localhost";
    assert_eq!(read(redis_at(url)), Ok(Store::Redis { url: url.to_owned() }));
    let dynamodb = fs::read_to_string(root().join("deploy/dynamodb.toml")).unwrap();
    assert!(matches!(
        read(dynamodb),
        Ok(Store::AwsDynamo { region, table, consistent_read: true }) if !region.is_empty() && !table.is_empty()
    ));
    let cosmosdb = fs::read_to_string(root().join("deploy/cosmosdb.toml")).unwrap();
    assert!(matches!(
        read(cosmosdb),
        Ok(Store::AzureCosmos { account, database, container })
            if [&account, &database, &container].iter().all(|name| !name.is_empty())
    ));
}
