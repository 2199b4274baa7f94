//! The floor of a page of `/users`: the leaves of the directory from a root on, and the users that they name, until there
//! are 50.
// `cargo test` builds examples for this machine as well, and a component links for its own target alone.
#![cfg(target_family = "wasm")]

use floor::{Failed, get};

floor::component!(read);

/// The records of 50 users, or of those that are left, beginning at the root of two hexadecimal digits.
async fn read(root: &str) -> Result<Option<Vec<u8>>, Failed> {
    let mut users = Vec::new();
    let mut found = 0;
    for root in u8::from_str_radix(root, 16).unwrap_or_default()..=u8::MAX {
        let root = format!("{root:02x}");
        let mut leaves = vec![(root.clone(), format!("directory:{root}"))];
        while let Some((prefix, key)) = leaves.pop() {
            let leaf = get(&key).await?.unwrap_or_default();
            let leaf = String::from_utf8_lossy(&leaf);
            if let Some(nonce) = text(&leaf, "\"split\":\"").next() {
                let children = "fedcba9876543210".chars().map(|digit| format!("{prefix}{digit}"));
                leaves.extend(children.map(|child| (child.clone(), format!("directory:{child}:{nonce}"))));
            }
            for name in text(&leaf, "\"names\":[") {
                if found == 50 {
                    return Ok(Some(users));
                }
                users.extend(get(&format!("user:{name}")).await?.unwrap_or_default());
                found += 1;
            }
        }
    }
    Ok(Some(users))
}

/// The strings that follow `start`, as far as the list goes. Names need no escapes.
fn text<'a>(json: &'a str, start: &str) -> impl Iterator<Item = &'a str> {
    let list = json.split_once(start).map_or("", |(_, rest)| rest);
    let list = list.split(']').next().unwrap_or_default();
    list.split(['"', ',', '}']).filter(|name| !name.is_empty())
}
