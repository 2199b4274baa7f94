//! Exhaustive model checking of the storage protocol: of `users::store::Store` itself, on models of the four backends.
//!
//! A client is its program and the replies that it had so far: its next operation is found by running the program
//! from the start, on a backend that answers from that log and stops where the log ends (`client`). One transition
//! of the model is one step of one client on the modelled store, a crash, the removal of a key that was to be removed
//! later, or the clock (`backends`). Every order of all these is tried.
//!
//! `cargo test -p users --test model -- --nocapture` prints how many states each configuration has.

#[cfg(test)]
mod backends;
#[cfg(test)]
mod client;
#[cfg(test)]
mod creates;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod updates;
