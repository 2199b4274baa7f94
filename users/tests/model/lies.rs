//! What a program is told, or what is done for it, where a step is taken away.

use crate::client::Ask;
use crate::deliveries::Delivery;
use crate::mutation::{Mutation, Place};
use crate::recorder::Recorder;
use crate::text::Text;
use serde_json::Value;
use users::domain::username::Username;
use users::storage::Entry;

impl Recorder {
    /// The own operation on a user created first; in the model's mutations no other matters.
    pub(crate) fn own(&self) -> String {
        self.program.operation(1).unwrap_or_default()
    }

    pub(crate) fn own_fingerprint(&self) -> Option<Vec<u8>> {
        let own = self.own();
        let (_, fingerprint) = own.split_once(':')?;
        Some(fingerprint.as_bytes().to_vec())
    }

    /// `value` with the own operation under another name, so that the program does not recognize it; or back again.
    pub(crate) fn disguised(&self, value: &[u8], back: bool) -> Vec<u8> {
        let own = self.own();
        let id = crate::text::id(&own);
        let other = format!("{}{}", "f".repeat(id.len()), &own[id.len()..]);
        let text = String::from_utf8(value.to_vec()).unwrap();
        if back {
            text.replacen(&other, &own, 1)
        } else {
            text.replace(&own, &other)
        }
        .into_bytes()
    }

    /// The leaf `value` without the reservations of others, or with their times moved back.
    pub(crate) fn without_reservations(&self, value: &[u8]) -> Vec<u8> {
        let mut leaf: serde_json::Value = serde_json::from_slice(value).unwrap();
        let own = format!("{:012x}", self.program.random(0));
        if let Some(reservations) = leaf.get_mut("reservations").and_then(|all| all.as_array_mut()) {
            if self.has(Mutation::NoReservation) {
                reservations.retain(|reservation| reservation["nonce"] == own);
            }
            for other in reservations.iter_mut().filter(|other| other["nonce"] != own) {
                other["time"] = (other["time"].as_u64().unwrap() - 50_000).into();
            }
        }
        leaf.to_string().into_bytes()
    }

    /// Sends the event of an entry to the receiver. Returns whether it took it.
    pub(crate) async fn deliver(&self, username: &Username, sequence: u64, entry: &Entry) -> bool {
        let delivery = Delivery {
            user: Text::new(format!("user:{}", username.case_folded()).as_bytes()),
            sequence,
            operation: Text::new(entry.operation.to_string().as_bytes()),
        };
        let is_put_off = match self.mutation {
            Some(Mutation::LateDelivery) => true,
            Some(Mutation::OverlappingDeliveries) => self.run.undelivered.borrow().is_empty(),
            _ => false,
        };
        if is_put_off {
            self.run.undelivered.borrow_mut().push(delivery);
            return true;
        }
        let is_delivered = self.ask_to(Ask::Deliver(delivery)).await.is_ok();
        if self.has(Mutation::OverlappingDeliveries) {
            self.deliver_what_was_put_off().await;
        }
        is_delivered || self.has(Mutation::FailedDeliveryBelieved)
    }

    pub(crate) async fn deliver_what_was_put_off(&self) {
        for delivery in self.run.undelivered.take() {
            // Nobody is left to be told of a failure.
            let _ = self.ask_to(Ask::Deliver(delivery)).await;
        }
    }

    /// What a publisher is told instead of `value`, which it read under `key`.
    pub(crate) fn retold(&self, key: &str, value: Vec<u8>) -> Vec<u8> {
        let of = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
        match (self.mutation, Place::of(key)) {
            (Some(Mutation::UntoldErasure), Some(Place::User)) => {
                let mut envelope = of(&value);
                if envelope.get("record").is_some() {
                    envelope.as_object_mut().unwrap().remove("erasure");
                }
                envelope.to_string().into_bytes()
            }
            (Some(Mutation::EndlessLease), Some(Place::Outbox)) => {
                let mut mark = of(&value);
                if mark.get("leased").is_some() {
                    mark["leased"]["until"] = u64::MAX.into();
                }
                mark.to_string().into_bytes()
            }
            (Some(Mutation::NoLookAgain), Some(Place::Outbox)) if self.run.has_noted.get() => {
                let mut mark = of(&value);
                mark["leased"] = serde_json::json!({"until": u64::MAX, "by": 0});
                mark.to_string().into_bytes()
            }
            _ => value,
        }
    }
}
