//! Exhaustive model checking of the storage protocol: of `users::storage::UserStore` itself, on models of the four
//! backends.
//!
//! A client is its program and the replies that it had so far: its next operation is found by running the program
//! from the start, in an environment that answers from that log and stops where the log ends (`client`, `recorder`, `run`). One
//! transition of the model is one step of one client on the modelled store (`backends`), a crash, or the clock
//! (`protocol`). Every order of all these is tried, and every state is checked (`checks`, `world`, `deliveries`,
//! `properties`). Steps are taken away (`mutation`, `lies`) to see that this is found (`mutations`, `outbox_mutations`).
//!
//! `cargo test -p users --test model -- --nocapture` prints how many states each configuration has.

#[cfg(test)]
mod backends;
#[cfg(test)]
mod checks;
#[cfg(test)]
mod client;
#[cfg(test)]
mod creates;
#[cfg(test)]
mod deliveries;
#[cfg(test)]
mod directory;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod lies;
#[cfg(test)]
mod lives;
#[cfg(test)]
mod mutation;
#[cfg(test)]
mod mutations;
#[cfg(test)]
mod outbox;
#[cfg(test)]
mod outbox_mutations;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod program;
#[cfg(test)]
mod promotions;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod protocol;
#[cfg(test)]
mod recorder;
#[cfg(test)]
mod rule;
#[cfg(test)]
mod run;
#[cfg(test)]
mod text;
#[cfg(test)]
mod updates;
#[cfg(test)]
mod world;
