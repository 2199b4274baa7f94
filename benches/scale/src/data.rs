//! What a simulated store holds.

use std::collections::HashMap;
use std::rc::Rc;

/// A value; shared, so that the stores of all runs can begin with the same users.
pub(crate) type Value = Rc<[u8]>;

/// Values and how often each key was written.
#[derive(Clone, Default)]
pub(crate) struct Data(HashMap<String, Item>);

#[derive(Clone, Default)]
struct Item {
    value: Option<Value>,
    version: u64,
}

impl Data {
    pub(crate) fn get(&self, key: &str) -> Option<Value> {
        self.0.get(key)?.value.clone()
    }

    /// A number that differs after every write of the key.
    pub(crate) fn version(&self, key: &str) -> u64 {
        self.0.get(key).map_or(0, |item| item.version)
    }

    pub(crate) fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.write(key, Some(value.into()));
    }

    pub(crate) fn delete(&mut self, key: &str) {
        self.write(key, None);
    }

    fn write(&mut self, key: &str, value: Option<Value>) {
        let item = self.0.entry(key.to_owned()).or_default();
        item.value = value;
        item.version += 1;
    }

    /// The counter `key`, which is 0 if it is absent.
    pub(crate) fn count(&self, key: &str) -> i64 {
        let value = self.get(key);
        let text = value.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok());
        text.and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// Keys that have a value, and their values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        let items = self.0.iter();
        items.filter_map(|(key, item)| Some((key.as_str(), item.value.as_ref()?)))
    }
}
