//! The application's settings, parsed from Spin variables.
//!
//! An instance reads each variable once. Since Spin gives an instance at most 128 requests, a value that changes at its
//! provider soon takes effect everywhere. An invalid value is read again by the next request.

use crate::domain::points::Points;
use crate::domain::tier::{Basis, Promotion, Thresholds};
use std::sync::OnceLock;

/// The error for a variable with an invalid value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misconfigured {
    /// The variable's name.
    pub variable: &'static str,
    /// Why the value is invalid. Never includes the value itself.
    pub why: &'static str,
}

impl std::fmt::Display for Misconfigured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the variable {} {}", self.variable, self.why)
    }
}

impl std::error::Error for Misconfigured {}

/// The error for a variable whose provider failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the provider of the variable failed")
    }
}

impl std::error::Error for Unreadable {}

/// Returns the promotion rule from the variables `silver_above`, `gold_above`, `promotion` and `tier_basis`. Undefined
/// variables have their values in [`Promotion::STANDARD`].
///
/// # Errors
/// Returns [`Misconfigured`] if a value is invalid, or if the thresholds contradict each other.
pub async fn promotion() -> Result<Promotion, Misconfigured> {
    static READ: OnceLock<Promotion> = OnceLock::new();
    if let Some(promotion) = READ.get() {
        return Ok(*promotion);
    }
    let is_automatic = is_automatic().await?;
    let counts_earned = choice("tier_basis", "points", "earned", "must be `points` or `earned`").await?;
    let standard = Thresholds::STANDARD;
    let silver_above = threshold("silver_above")
        .await?
        .unwrap_or(standard.silver_above());
    let gold_above = threshold("gold_above").await?.unwrap_or(standard.gold_above());
    let thresholds = Thresholds::new(silver_above, gold_above).map_err(|_| Misconfigured {
        variable: "gold_above",
        why: "must be greater than `silver_above`",
    })?;
    let promotion = Promotion {
        thresholds,
        is_automatic,
        basis: if counts_earned {
            Basis::Earned
        } else {
            Basis::Points
        },
    };
    Ok(*READ.get_or_init(|| promotion))
}

/// Returns the promotion rule if creations and changes of points apply it. Otherwise returns one that leaves the status
/// alone, without reading the thresholds.
///
/// # Errors
/// Returns the same errors as [`promotion`].
pub async fn automatic_promotion() -> Result<Promotion, Misconfigured> {
    if is_automatic().await? {
        promotion().await
    } else {
        Ok(Promotion::STANDARD)
    }
}

async fn is_automatic() -> Result<bool, Misconfigured> {
    choice(
        "promotion",
        "explicit",
        "automatic",
        "must be `explicit` or `automatic`",
    )
    .await
}

/// Returns whether changes are published as events, from the variable `events`; `false` if it is undefined.
///
/// # Errors
/// Returns [`Misconfigured`] if it is neither `on` nor `off`.
pub async fn events() -> Result<bool, Misconfigured> {
    choice("events", "off", "on", "must be `off` or `on`").await
}

/// Returns whether a variable has the value `other` rather than `default`, which is also the value of an undefined one.
async fn choice(
    variable: &'static str,
    default: &str,
    other: &str,
    why: &'static str,
) -> Result<bool, Misconfigured> {
    match value(variable).await?.as_deref().map(str::trim) {
        None => Ok(false),
        Some(text) if text == default => Ok(false),
        Some(text) if text == other => Ok(true),
        Some(_) => Err(Misconfigured { variable, why }),
    }
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
    /// Tokens that allow reading.
    pub read: Vec<String>,
    /// Tokens that allow reading and writing.
    pub write: Vec<String>,
}

/// Returns the tokens from the variables `read_tokens` and `write_tokens`, two comma-separated lists.
///
/// # Errors
/// Returns [`Misconfigured`] if a token cannot be sent in a header field.
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
    // A `b64token` (RFC 6750, section 2.1) has only such characters, so no request could send any other token.
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
            why: "must be comma-separated tokens of visible ASCII characters",
        })
}

/// Returns the text of a variable, or `None` if the component does not define it.
///
/// # Errors
/// Returns [`Misconfigured`] if its provider failed.
pub async fn value(variable: &'static str) -> Result<Option<String>, Misconfigured> {
    super::variable(variable)
        .await
        .map_err(|Unreadable| Misconfigured {
            variable,
            why: "cannot be read from its provider",
        })
}
