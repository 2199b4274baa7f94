//! The error for stored bytes that cannot be read.

use super::tombstone::FORMAT;
use std::fmt;

/// Why stored bytes cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unreadable {
    /// Another version of this software wrote them, in a format of its own.
    Version(u64),
    /// No version wrote them.
    Damaged,
    /// They are missing, although another value refers to them.
    Missing,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => {
                write!(
                    f,
                    "has format version {version}; this release reads version {FORMAT}"
                )
            }
            Self::Damaged => f.write_str("is damaged"),
            Self::Missing => f.write_str("is missing"),
        }
    }
}

impl std::error::Error for Unreadable {}
