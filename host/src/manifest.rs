//! Reads `spin.toml` (manifest version 2) and checks every reference in it.

use crate::{allowed_hosts::AllowedHosts, document, variables::Template};
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// An application, all of whose references are valid.
pub(crate) struct Manifest {
    /// Application variables and their defaults. The environment must supply those without one.
    pub(crate) variables: BTreeMap<String, Option<String>>,
    pub(crate) triggers: Vec<Trigger>,
    pub(crate) components: BTreeMap<String, Component>,
}

/// One route and what answers it.
pub(crate) struct Trigger {
    pub(crate) route: String,
    pub(crate) target: Target,
}

/// What answers a route.
pub(crate) enum Target {
    Component(String),
    Static { id: String, response: StaticResponse },
}

/// A response that the host sends without running a component.
#[derive(Clone, Deserialize)]
pub(crate) struct StaticResponse {
    pub(crate) status_code: Option<u16>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Option<String>,
}

/// One function.
pub(crate) struct Component {
    pub(crate) description: Option<String>,
    pub(crate) source: PathBuf,
    pub(crate) key_value_stores: BTreeSet<String>,
    pub(crate) variables: BTreeMap<String, Template>,
    pub(crate) allowed_outbound_hosts: AllowedHosts,
}

#[derive(Deserialize)]
struct Document {
    spin_manifest_version: i64,
    #[expect(
        dead_code,
        reason = "read so that its keys are checked; nothing here depends on them"
    )]
    application: Application,
    #[serde(default)]
    variables: BTreeMap<String, VariableEntry>,
    trigger: TriggerEntries,
    #[serde(default)]
    component: BTreeMap<String, ComponentEntry>,
}

#[derive(Deserialize)]
#[expect(
    dead_code,
    reason = "read so that its keys are checked; nothing here depends on them"
)]
struct Application {
    name: String,
    version: Option<String>,
    description: Option<String>,
    authors: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct VariableEntry {
    default: Option<String>,
    #[serde(default)]
    required: bool,
    #[expect(dead_code, reason = "values are never logged, secret or not")]
    secret: Option<bool>,
    #[expect(dead_code, reason = "for readers of the manifest")]
    description: Option<String>,
}

#[derive(Deserialize)]
struct TriggerEntries {
    #[serde(default)]
    http: Vec<TriggerEntry>,
}

#[derive(Deserialize)]
struct TriggerEntry {
    id: Option<String>,
    route: String,
    component: Option<String>,
    static_response: Option<StaticResponse>,
}

#[derive(Deserialize)]
struct ComponentEntry {
    source: PathBuf,
    description: Option<String>,
    #[serde(default)]
    key_value_stores: BTreeSet<String>,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    #[serde(default)]
    allowed_outbound_hosts: Vec<String>,
    #[expect(dead_code, reason = "only build tools read it")]
    build: Option<toml::Table>,
}

impl Manifest {
    /// Reads the manifest at `path`; component sources are relative to its directory.
    ///
    /// # Errors
    ///
    /// Returns an error that names the file and the key if the file cannot be read, has a key that the embedded host does
    /// not know, or refers to something that does not exist.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{}: cannot read the manifest (--from names it)", path.display()))?;
        let manifest = Self::parse(&text, path)?;
        for (id, component) in &manifest.components {
            ensure!(
                component.source.is_file(),
                "{}: component.{id}: source file {} is missing; run `cargo xtask build`",
                path.display(),
                component.source.display(),
            );
        }
        Ok(manifest)
    }

    fn parse(text: &str, path: &Path) -> Result<Self> {
        let document: Document = document::parse(text, path)?;
        document
            .check(path.parent().unwrap_or(Path::new("")))
            .with_context(|| path.display().to_string())
    }
}

impl Document {
    fn check(self, directory: &Path) -> Result<Manifest> {
        ensure!(
            self.spin_manifest_version == 2,
            "spin_manifest_version is {}; the embedded host reads version 2",
            self.spin_manifest_version,
        );
        for (name, variable) in &self.variables {
            crate::variables::check_name(name)
                .map_err(|reason| anyhow::anyhow!("variables.{name}: {reason}"))?;
            ensure!(
                variable.required ^ variable.default.is_some(),
                "variables.{name}: needs either a `default` or `required = true`",
            );
        }
        let variables: BTreeMap<_, _> = self
            .variables
            .into_iter()
            .map(|(name, variable)| (name, variable.default))
            .collect();
        let components = self
            .component
            .into_iter()
            .map(|(id, entry)| {
                let component = entry
                    .check(directory, &variables)
                    .with_context(|| format!("component.{id}"))?;
                Ok((id, component))
            })
            .collect::<Result<BTreeMap<_, _>>>()?;
        ensure!(
            !self.trigger.http.is_empty(),
            "no [[trigger.http]]: nothing would be served"
        );
        let mut triggers: Vec<Trigger> = Vec::new();
        for (index, entry) in self.trigger.http.into_iter().enumerate() {
            let route = entry.route.clone();
            let trigger = entry
                .check(index, &components)
                .with_context(|| format!("trigger.http {route:?}"))?;
            ensure!(
                triggers.iter().all(|other| other.route != trigger.route),
                "trigger.http {route:?}: the route is defined twice",
            );
            triggers.push(trigger);
        }
        Ok(Manifest {
            variables,
            triggers,
            components,
        })
    }
}

impl ComponentEntry {
    fn check(self, directory: &Path, declared: &BTreeMap<String, Option<String>>) -> Result<Component> {
        let allowed_outbound_hosts = AllowedHosts::parse(&self.allowed_outbound_hosts, declared)?;
        let variables = self
            .variables
            .into_iter()
            .map(|(name, value)| {
                crate::variables::check_name(&name)
                    .and_then(|()| Template::parse(&value, declared))
                    .map(|template| (name.clone(), template))
                    .map_err(|reason| anyhow::anyhow!("variables.{name}: {reason}"))
            })
            .collect::<Result<_>>()?;
        Ok(Component {
            description: self.description,
            source: directory.join(self.source),
            key_value_stores: self.key_value_stores,
            variables,
            allowed_outbound_hosts,
        })
    }
}

impl TriggerEntry {
    fn check(self, index: usize, components: &BTreeMap<String, Component>) -> Result<Trigger> {
        let target = match (self.component, self.static_response) {
            (Some(component), None) => {
                ensure!(
                    components.contains_key(&component),
                    "there is no [component.{component}]",
                );
                Target::Component(component)
            }
            (None, Some(response)) => {
                let id = self.id.unwrap_or_else(|| format!("http-trigger{}", index + 1));
                Target::Static { id, response }
            }
            _ => bail!("needs either `component` or `static_response`"),
        };
        Ok(Trigger {
            route: self.route,
            target,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = r#"
        spin_manifest_version = 2
        [application]
        name = "users"
        [variables]
        gold_above = { default = "100" }
        [[trigger.http]]
        route = "/user"
        component = "create-user"
        [component.create-user]
        source = "create_user.wasm"
    "#;

    fn parse(text: &str) -> Result<Manifest> {
        Manifest::parse(text, Path::new("app/spin.toml"))
    }

    fn error(addition: &str) -> String {
        let error = parse(&format!("{MINIMAL}{addition}"))
            .err()
            .expect("must be refused");
        format!("{error:#}")
    }

    #[test]
    fn source_is_relative_to_the_manifest() {
        let manifest = parse(MINIMAL).unwrap();
        assert_eq!(
            manifest.components["create-user"].source,
            Path::new("app/create_user.wasm")
        );
    }

    #[test]
    fn this_projects_manifest_is_supported() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spin.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!Manifest::parse(&text, &path).unwrap().triggers.is_empty());
    }

    #[test]
    fn unsupported_keys_are_refused_by_name() {
        assert_eq!(
            error("files = ['static/*']"),
            "app/spin.toml: component.create-user: key `files` is not supported by the embedded host; use --host spin",
        );
        assert_eq!(
            error("[[trigger.redis]]\nchannel = 'x'"),
            "app/spin.toml: trigger: key `redis` is not supported by the embedded host; use --host spin",
        );
        assert_eq!(
            error("[[trigger.http]]\nroute = '/x'\nstatic_response = { content = 'x' }"),
            "app/spin.toml: trigger.http.1.static_response: key `content` is not supported by the embedded host; use --host spin",
        );
    }

    #[test]
    fn a_broken_manifest_is_reported_with_its_line() {
        let message = error("key_value_stores = 7");
        assert!(
            message.starts_with("app/spin.toml: line 12, column "),
            "{message}"
        );
        assert!(!message.contains('\n'), "{message}");
    }

    #[test]
    fn references_are_checked() {
        for (addition, expected) in [
            (
                "[[trigger.http]]\nroute = '/x'\ncomponent = 'nobody'",
                "trigger.http \"/x\": there is no [component.nobody]",
            ),
            (
                "[[trigger.http]]\nroute = '/user'\nstatic_response = {}",
                "trigger.http \"/user\": the route is defined twice",
            ),
            (
                "[[trigger.http]]\nroute = '/x'",
                "trigger.http \"/x\": needs either `component` or `static_response`",
            ),
            (
                "allowed_outbound_hosts = ['https://example.com/path']",
                "component.create-user: allowed_outbound_hosts: \"https://example.com/path\": must not have a path",
            ),
            (
                "[component.create-user.variables]\nlimit = 'a {{ nothing }}'",
                "component.create-user: variables.limit: there is no variable `nothing` under [variables]",
            ),
        ] {
            assert_eq!(error(addition), format!("app/spin.toml: {expected}"));
        }
        let message = parse(&MINIMAL.replace("= 2", "= 1")).err().unwrap();
        assert!(format!("{message:#}").contains("spin_manifest_version is 1"));
    }

    #[test]
    fn a_missing_source_names_the_command_that_builds_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spin.toml");
        std::fs::write(&path, MINIMAL).unwrap();
        let message = format!("{:#}", Manifest::load(&path).err().unwrap());
        assert!(
            message.contains("create_user.wasm is missing; run `cargo xtask build`"),
            "{message}"
        );
    }
}
