//! How much the updates of one instance are in each other's and in other instances' way.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// The level of congestion that an instance has met lately.
///
/// It decides how long updates pause. All updates of an instance share it, the newest too, so that nobody starves
/// behind newcomers. It rises by two and falls by one, so it settles where two of three tries succeed.
#[derive(Debug, Default)]
pub struct Congestion(AtomicU32);

impl Congestion {
    const HIGHEST: u32 = 8;

    /// No congestion yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Whether there is none, at level 0, or how much.
    #[must_use]
    pub fn level(&self) -> u32 {
        self.0.load(Relaxed)
    }

    /// A try succeeded.
    pub fn fall(&self) {
        self.0.store(self.level().saturating_sub(1), Relaxed);
    }

    /// A try failed.
    pub fn rise(&self) {
        self.0.store(Self::HIGHEST.min(self.level() + 2), Relaxed);
    }

    /// The longest pause before the next try: 2 ms, doubled with each level.
    #[must_use]
    pub fn pause(&self) -> Duration {
        Duration::from_millis(2 << self.level())
    }
}
