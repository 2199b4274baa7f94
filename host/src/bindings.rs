//! Rust bindings of the imports in `wit/`, which a component needs beyond WASI.

wasmtime::component::bindgen!({
    path: "wit",
    world: "users:host/imports",
    imports: {
        "spin:key-value/key-value.[method]store.get-keys": async | trappable,
        default: async,
    },
    with: {
        "spin:key-value/key-value.store": crate::store::OpenStore,
        "wasi:keyvalue/store.bucket": crate::store::OpenStore,
        "wasi:keyvalue/atomics.cas": crate::store::OpenSwap,
    },
});
