//! The two WASI worlds that the functions are built for.

use std::path::PathBuf;

use crate::{root, toolchain};

/// A WASI world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum World {
    /// WASI 0.2, which `spin.toml` deploys.
    Wasip2,
    /// WASI 0.3, which `spin-wasip3.toml` deploys.
    Wasip3,
}

/// The beginning of the build commands in a manifest.
const COMMAND: &str = "cargo build --release --target wasm32-wasip2 ";

impl World {
    /// Both worlds.
    pub(crate) const ALL: [Self; 2] = [Self::Wasip2, Self::Wasip3];

    /// The folder into which cargo builds, relative to the project.
    fn target_dir(self) -> &'static str {
        match self {
            Self::Wasip2 => "target",
            Self::Wasip3 => "target/wasip3",
        }
    }

    /// The arguments of cargo that select this world by the feature of the package `featured`; every package that is built
    /// must depend on it.
    fn features(self, featured: &str) -> Vec<String> {
        match self {
            Self::Wasip2 => Vec::new(),
            Self::Wasip3 => vec!["--features".to_owned(), format!("{featured}/wasip3")],
        }
    }

    /// The arguments of `cargo build` for this world, without the packages, which must depend on `featured`. They always
    /// name the folder, even if cargo is configured to build elsewhere, because the manifests name files in it.
    pub(crate) fn build_arguments(self, featured: &str) -> Vec<String> {
        [
            "build",
            "--release",
            "--target",
            toolchain::TARGET,
            "--target-dir",
        ]
        .map(str::to_owned)
        .into_iter()
        .chain([root().join(self.target_dir()).display().to_string()])
        .chain(self.features(featured))
        .collect()
    }

    /// The manifest of all functions, built for this world.
    pub(crate) fn manifest(self) -> PathBuf {
        root().join(match self {
            Self::Wasip2 => "spin.toml",
            Self::Wasip3 => "spin-wasip3.toml",
        })
    }
}

impl std::fmt::Display for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Wasip2 => "WASI 0.2",
            Self::Wasip3 => "WASI 0.3",
        })
    }
}

/// Generates `spin-wasip3.toml` from the text of `spin.toml`: the same application, built into another folder with other
/// features.
pub(crate) fn wasip3_manifest(spin_toml: &str) -> String {
    let (schema, rest) = spin_toml.split_once("\n\n").unwrap_or(("", spin_toml));
    let target_dir = World::Wasip3.target_dir();
    let command = format!(
        "{COMMAND}--target-dir {target_dir} {} ",
        World::Wasip3.features("users").join(" ")
    );
    let rest = rest
        .replace(COMMAND, &command)
        .replace("\"target/", &format!("\"{target_dir}/"));
    format!(
        "{schema}\n\n# The application of spin.toml, built for WASI 0.3, which needs Spin 4.1 or later.\n\
         # `cargo xtask build` generates this file from spin.toml: edit spin.toml.\n{rest}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spin_wasip3_toml_is_made_from_spin_toml() {
        let [spin_toml, wasip3] = World::ALL.map(|world| std::fs::read_to_string(world.manifest()).unwrap());
        assert_eq!(
            wasip3,
            wasip3_manifest(&spin_toml),
            "`cargo xtask build` generates it again"
        );
    }

    #[test]
    fn every_function_of_the_wasip3_manifest_is_built_for_wasip3() {
        let text = std::fs::read_to_string(World::Wasip3.manifest()).unwrap();
        let manifest: toml_edit::DocumentMut = text.parse().unwrap();
        let components = manifest["component"].as_table().unwrap();
        assert!(!components.is_empty());
        for (name, component) in components {
            let source = component["source"].as_str().unwrap();
            assert!(
                source.starts_with("target/wasip3/wasm32-wasip2/release/"),
                "{name}"
            );
            let command = component["build"]["command"].as_str().unwrap();
            assert!(
                command.contains(" --target-dir target/wasip3 --features users/wasip3 "),
                "{name}"
            );
        }
    }
}
