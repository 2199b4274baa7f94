//! The engine that runs components, and the limits that all instances share.

use crate::state::MEMORY_LIMIT;
use anyhow::Result;
use std::{thread, time::Duration};
use wasmtime::{Cache, Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// The maximum number of instances of all components together; Spin's default.
pub(crate) const MAX_INSTANCES: u32 = 1000;
/// How long a guest may run before it yields the thread to others.
const TICK: Duration = Duration::from_millis(10);

/// The settings with which components are compiled and run.
pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    config.epoch_interruption(true);
    // Components are stripped: a backtrace would only name function numbers.
    config.wasm_backtrace_max_frames(None);
    // Reserving no more than an instance may use keeps the pool at 64 GiB of address space.
    config.memory_reservation(MEMORY_LIMIT as u64);
    config.memory_guard_size(64 << 10);
    match Cache::from_file(None) {
        Ok(cache) => drop(config.cache(Some(cache))),
        Err(error) => tracing::debug!("no compile cache: {error:#}"),
    }
    config
}

/// Creates an engine with a pool for `instances` instances, and a thread that makes long-running guests yield.
///
/// # Errors
///
/// Returns an error if this machine cannot run components, or no thread can be started.
pub(crate) fn new(mut config: Config, instances: u32) -> Result<Engine> {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances)
        .total_core_instances(4 * instances)
        .total_memories(instances)
        .total_tables(2 * instances)
        .total_stacks(instances)
        .max_memory_size(MEMORY_LIMIT)
        .linear_memory_keep_resident(1 << 20)
        .table_keep_resident(64 << 10);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let engine = match Engine::new(&config) {
        Ok(engine) => engine,
        Err(error) => {
            tracing::warn!("no instance pool, so requests are slower: {error:#}");
            config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
            Engine::new(&config)?
        }
    };
    let weak = engine.weak();
    thread::Builder::new().name("epoch".to_owned()).spawn(move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    })?;
    Ok(engine)
}
