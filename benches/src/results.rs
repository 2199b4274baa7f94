//! Everything that a run has measured.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::plan::Case;
use crate::statistics::{Ratio, median};
use crate::subject::{Host, Platform, World};
use crate::wrk::Measured;

/// How a host was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Start {
    /// Nothing was compiled yet.
    Cold,
    /// The compiled components were in the cache.
    Warm,
}

/// The bytes of the components of a world.
#[derive(Debug, Default)]
pub(crate) struct Sizes {
    pub(crate) functions: BTreeMap<String, u32>,
    /// The component that makes one `get`.
    pub(crate) floor: u32,
}

impl Sizes {
    /// Looks at the components of two manifests: the functions' and the floor's.
    pub(crate) fn read(functions: &Path, floor: &Path) -> Result<Self> {
        let get = sizes(floor)?.remove("get");
        Ok(Self {
            functions: sizes(functions)?,
            floor: get.context("the floor has no component that reads")?,
        })
    }
}

/// What was measured, one value for each round where it is measured in each.
#[derive(Debug, Default)]
pub(crate) struct Results {
    pub(crate) measured: BTreeMap<Case, Vec<Measured>>,
    /// Seconds from the start of a host with the functions of WASI 0.2 to its first answer.
    pub(crate) starts: BTreeMap<(Host, Start), Vec<f64>>,
    /// The most memory that a host with the functions had in a minute with 256 connections, in MiB.
    pub(crate) memory: BTreeMap<Platform, f64>,
    pub(crate) sizes: BTreeMap<World, Sizes>,
}

impl Results {
    /// The median of a value of a case.
    pub(crate) fn median(&self, case: Case, value: fn(&Measured) -> f64) -> Option<f64> {
        median(self.measured.get(&case)?.iter().map(value))
    }

    /// How a value of one case relates to that of another.
    pub(crate) fn ratio(&self, dividend: Case, divisor: Case, value: fn(&Measured) -> f64) -> Option<Ratio> {
        let values = |case| -> Option<Vec<f64>> {
            let rounds = self.measured.get(&case)?;
            Some(rounds.iter().map(value).collect())
        };
        Ratio::of(&values(dividend)?, &values(divisor)?)
    }

    /// A value of a case by itself, as the rounds showed it.
    pub(crate) fn value(&self, case: Case, value: fn(&Measured) -> f64) -> Option<Ratio> {
        let rounds = self.measured.get(&case)?;
        let values: Vec<_> = rounds.iter().map(value).collect();
        Ratio::of(&values, &vec![1.0; values.len()])
    }
}

/// The bytes of each component of a manifest.
fn sizes(manifest: &Path) -> Result<BTreeMap<String, u32>> {
    let text = fs::read_to_string(manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    let document: toml::Table = text
        .parse()
        .with_context(|| format!("{} is broken", manifest.display()))?;
    let components = document.get("component").and_then(toml::Value::as_table);
    let mut sizes = BTreeMap::new();
    for (name, component) in components.context("there are no components")? {
        let source = component.get("source").and_then(toml::Value::as_str);
        let path = manifest.with_file_name(source.with_context(|| format!("{name} has no source"))?);
        let bytes = fs::metadata(&path)
            .with_context(|| format!("{} is missing: `cargo xtask bench` builds it", path.display()))?
            .len();
        sizes.insert(name.clone(), bytes.try_into()?);
    }
    Ok(sizes)
}
