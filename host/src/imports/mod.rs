//! The interfaces besides WASI that a function may import, implemented on the data of its instance.

mod key_value;
mod redis;
mod variables;
mod wasi_keyvalue;

use crate::state::State;
use wasmtime::component::{HasData, Linker};

mod bindings {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "users:host/imports",
        imports: {
            "spin:key-value/key-value.[method]store.get-keys": async | trappable,
            default: async,
        },
        with: {
            "fermyon:spin/key-value.store": crate::store::OpenStore,
            "fermyon:spin/redis.connection": crate::outbound::RedisConnection,
            "spin:key-value/key-value.store": crate::store::OpenStore,
            "spin:redis/redis.connection": crate::outbound::RedisConnection,
            "wasi:keyvalue/store.bucket": crate::store::OpenStore,
            "wasi:keyvalue/atomics.cas": crate::store::OpenSwap,
        },
    });
}

/// Tells the linker that an import works on the whole state of an instance.
struct Linked;

impl HasData for Linked {
    type Data<'a> = &'a mut State;
}

/// Adds every import to `linker`.
///
/// # Errors
///
/// Returns an error if `linker` has one of them already.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    use bindings::{fermyon, spin, wasi};
    fermyon::spin::key_value::add_to_linker::<_, Linked>(linker, |state| state)?;
    fermyon::spin::redis::add_to_linker::<_, Linked>(linker, |state| state)?;
    fermyon::spin::variables::add_to_linker::<_, Linked>(linker, |state| state)?;
    spin::key_value::key_value::add_to_linker::<_, Linked>(linker, |state| state)?;
    spin::redis::redis::add_to_linker::<_, Linked>(linker, |state| state)?;
    spin::variables::variables::add_to_linker::<_, Linked>(linker, |state| state)?;
    wasi::config::store::add_to_linker::<_, Linked>(linker, |state| state)?;
    wasi::keyvalue::store::add_to_linker::<_, Linked>(linker, |state| state)?;
    wasi::keyvalue::atomics::add_to_linker::<_, Linked>(linker, |state| state)?;
    wasi::keyvalue::batch::add_to_linker::<_, Linked>(linker, |state| state)?;
    Ok(())
}
