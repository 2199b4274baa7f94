//! User records, the promotion rule, their consistent storage and their HTTP contract.
//!
//! The modules stand in layers, each using only what is before it here: the domain ([`username`], [`email`],
//! [`points`], [`tier`], [`json`], [`user`]), storage ([`operation`], [`envelope`], [`backend`], [`store`]), the
//! surroundings on Spin ([`spin`], [`settings`]), and [`http`].

pub mod email;
pub mod json;
pub mod points;
pub mod tier;
pub mod user;
pub mod username;

pub mod backend;
pub mod congestion;
pub mod envelope;
mod history;
pub mod operation;
pub mod store;

pub mod spin;

pub mod settings;

pub mod http;
