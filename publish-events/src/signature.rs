//! Signatures of webhooks, as defined by Standard Webhooks
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The prefix of a secret.
const PREFIX: &str = "whsec_";

/// The keys that sign webhooks: one, or two while the secret is being changed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secrets(Vec<Vec<u8>>);

/// The error for a text that is not a list of secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidSecrets;

impl Secrets {
    /// Reads `whsec_…`, or two of these separated by a comma.
    ///
    /// # Errors
    /// Returns [`InvalidSecrets`] if there are none or more than two, or if one is empty or not base64.
    pub(crate) fn from_text(text: &str) -> Result<Self, InvalidSecrets> {
        let keys = text.split(',').map(|secret| {
            let key = secret.trim().strip_prefix(PREFIX).ok_or(InvalidSecrets)?;
            let key = STANDARD.decode(key).map_err(|_| InvalidSecrets)?;
            if key.is_empty() {
                Err(InvalidSecrets)
            } else {
                Ok(key)
            }
        });
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        if keys.len() <= 2 {
            Ok(Self(keys))
        } else {
            Err(InvalidSecrets)
        }
    }

    /// Returns the value of `webhook-signature`: `v1,` and a signature for each key, separated by spaces. `timestamp` is in
    /// seconds since 1970.
    pub(crate) fn sign(&self, id: &str, timestamp: u64, body: &str) -> String {
        let signed = format!("{id}.{timestamp}.{body}");
        let signatures: Vec<_> = self
            .0
            .iter()
            // Never fails: HMAC accepts keys of any length.
            .filter_map(|key| Hmac::<Sha256>::new_from_slice(key).ok())
            .map(|mac| {
                let code = mac.chain_update(&signed).finalize().into_bytes();
                format!("v1,{}", STANDARD.encode(code))
            })
            .collect();
        signatures.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn sign(secrets: &str) -> String {
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let secrets = Secrets::from_text(secrets).unwrap_or(Secrets(Vec::new()));
        secrets.sign(id, 1_614_265_330, r#"{"test": 2432232314}"#)
    }

    #[test]
    fn the_test_vector_of_standard_webhooks_is_signed_alike() {
        assert_eq!(sign(SECRET), SIGNATURE);
    }

    #[test]
    fn two_secrets_make_two_signatures() {
        let both = sign(&format!("whsec_AAAA, {SECRET}"));
        let (first, second) = both.split_once(' ').unwrap();
        assert_eq!((first, second), (&*sign("whsec_AAAA"), SIGNATURE));
        assert_ne!(first, second);
    }

    #[test]
    fn anything_else_is_not_a_secret() {
        for text in [
            "",
            "whsec_",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_???",
            "whsec_AAAA,",
            "whsec_AAAA,whsec_AAAA,whsec_AAAA",
        ] {
            assert!(Secrets::from_text(text).is_err(), "{text}");
        }
    }
}
