//! What a host does for any function, seen through a probe. The same tests pass on the embedded
//! host and on Spin.
#![expect(clippy::unwrap_used, reason = "what helps the tests may fail them")]

mod outbound;
mod segments;
mod worlds;

use harness::{App, AppBuilder};

/// An application that contains only the probe; `tests/probe-function` describes its paths.
fn probe() -> AppBuilder {
    App::builder().manifest_file(harness::probe_manifest())
}
