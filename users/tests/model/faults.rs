//! Each step of the protocol taken away in turn.
