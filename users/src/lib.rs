//! The library of the functions: user records, the promotion rule, consistent storage and the HTTP contract.
//!
//! The modules are layers. Each uses only those above it in this list, which a test below checks:
//!
//! - [`domain`]: what a user is. Knows neither HTTP nor Spin nor storage.
//! - [`storage`]: keeps users in a key-value store, exactly once and without loss.
//! - [`platform`]: the environment that Spin provides, with one module per WASI world.
//! - [`api`]: what every function does before and after its own work.

pub mod api;
pub mod domain;
pub mod platform;
pub mod storage;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    const LAYERS: [&str; 4] = ["domain", "storage", "platform", "api"];

    fn sources(folder: &Path) -> Vec<PathBuf> {
        let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        paths
            .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
            .collect()
    }

    /// The lines of a layer's files, but for comments, that contain one of the `names`.
    fn lines_with(layer: &str, names: &[String]) -> Vec<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(layer);
        let files = sources(&folder);
        assert!(!files.is_empty(), "{layer}");
        let mut found = Vec::new();
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            for line in code.filter(|line| names.iter().any(|name| line.contains(name))) {
                found.push(format!("{}: {}", file.display(), line.trim()));
            }
        }
        found
    }

    #[test]
    fn a_layer_uses_only_the_layers_before_it() {
        for (index, layer) in LAYERS.into_iter().enumerate() {
            let later: Vec<_> = LAYERS[index + 1..]
                .iter()
                .map(|later| format!("crate::{later}"))
                .collect();
            assert_eq!(lines_with(layer, &later), Vec::<String>::new(), "{layer}");
        }
        let below = ["crate::platform".to_owned()];
        assert!(!lines_with("api", &below).is_empty(), "the test finds nothing");
    }

    #[test]
    fn only_the_platform_names_wasi_and_the_sdks() {
        let names = ["wasip2", "wasip3", "spin_sdk", "wit_bindgen"].map(str::to_owned);
        for layer in ["domain", "storage", "api"] {
            assert_eq!(lines_with(layer, &names), Vec::<String>::new(), "{layer}");
        }
        assert!(
            !lines_with("platform", &names).is_empty(),
            "the test finds nothing"
        );
    }

    #[test]
    fn domain_and_storage_do_not_know_http() {
        let names = ["http::".to_owned(), "StatusCode".to_owned()];
        for layer in ["domain", "storage"] {
            assert_eq!(lines_with(layer, &names), Vec::<String>::new(), "{layer}");
        }
    }
}
