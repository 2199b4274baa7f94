//! The application's settings: Spin variables, parsed.
//!
//! An instance reads each once. Spin gives an instance 128 requests at most, so a value that changes at its provider
//! is soon in force everywhere. A value that cannot be used is read again by the next request.

use crate::points::Points;
use crate::tier::Thresholds;
use spin_sdk::variables;
use std::sync::OnceLock;

/// A variable that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misconfigured {
    /// The variable's name.
    pub variable: &'static str,
    /// What is wrong with its value, which itself stays unsaid.
    pub why: &'static str,
}

/// The promotion rule of the variables `silver_above` and `gold_above`; one that is not defined has the number of
/// [`Thresholds::STANDARD`].
///
/// # Errors
/// One is not a number of points, or they contradict each other.
pub async fn thresholds() -> Result<Thresholds, Misconfigured> {
    static READ: OnceLock<Thresholds> = OnceLock::new();
    if let Some(thresholds) = READ.get() {
        return Ok(*thresholds);
    }
    let silver_above = threshold("silver_above")
        .await?
        .unwrap_or(Thresholds::STANDARD.silver_above());
    let gold_above = threshold("gold_above")
        .await?
        .unwrap_or(Thresholds::STANDARD.gold_above());
    let thresholds = Thresholds::new(silver_above, gold_above).map_err(|_| Misconfigured {
        variable: "gold_above",
        why: "must be greater than `silver_above`",
    })?;
    Ok(*READ.get_or_init(|| thresholds))
}

async fn threshold(variable: &'static str) -> Result<Option<Points>, Misconfigured> {
    let Some(text) = value(variable).await? else {
        return Ok(None);
    };
    match text.trim().parse() {
        Ok(number) => Points::new(number).ok(),
        Err(_) => None,
    }
    .map(Some)
    .ok_or(Misconfigured {
        variable,
        why: "must be an integer from 0 to 9007199254740991",
    })
}

/// The bearer tokens that the application accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Those that may read.
    pub read: Vec<String>,
    /// Those that may read and write.
    pub write: Vec<String>,
}

/// The tokens of the variables `read_tokens` and `write_tokens`, each a list with commas between.
///
/// # Errors
/// A token cannot be sent in a header.
pub async fn tokens() -> Result<&'static Tokens, Misconfigured> {
    static READ: OnceLock<Tokens> = OnceLock::new();
    if let Some(tokens) = READ.get() {
        return Ok(tokens);
    }
    let read = token_list("read_tokens").await?;
    let write = token_list("write_tokens").await?;
    Ok(READ.get_or_init(|| Tokens { read, write }))
}

async fn token_list(variable: &'static str) -> Result<Vec<String>, Misconfigured> {
    let text = value(variable).await?.unwrap_or_default();
    let tokens = text.split(',').map(str::trim).filter(|token| !token.is_empty());
    // `b64token` of RFC 6750, section 2.1, is the form of all tokens; a blank inside could never be matched.
    tokens
        .map(|token| {
            if token.bytes().all(|b| b.is_ascii_graphic()) {
                Ok(token.to_owned())
            } else {
                Err(())
            }
        })
        .collect::<Result<_, ()>>()
        .map_err(|()| Misconfigured {
            variable,
            why: "must be tokens of visible ASCII characters, with commas between",
        })
}

/// The text of a variable, or none if it is not defined.
async fn value(variable: &'static str) -> Result<Option<String>, Misconfigured> {
    match variables::get(variable).await {
        Ok(text) => Ok(Some(text)),
        Err(variables::Error::Undefined(_)) => Ok(None),
        Err(_) => Err(Misconfigured {
            variable,
            why: "cannot be read from its provider",
        }),
    }
}
