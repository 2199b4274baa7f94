//! The custom resources of `SpinKube` and KEDA, as far as `deploy/` uses them: types that take no other field, since no
//! package registry has their schemas.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// A custom resource that is made as its definition wants it.
#[derive(Deserialize)]
#[serde(tag = "kind")]
pub(crate) enum CustomResource {
    SpinApp(Resource<SpinApp>),
    SpinAppExecutor(Resource<SpinAppExecutor>),
    ScaledObject(Resource<ScaledObject>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Resource<T> {
    api_version: String,
    metadata: Metadata,
    pub(crate) spec: T,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    name: String,
    namespace: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// `core.spinkube.dev/v1alpha1`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SpinApp {
    pub(crate) executor: String,
    pub(crate) image: String,
    replicas: Option<u32>,
    #[serde(default)]
    pub(crate) enable_autoscaling: bool,
    pub(crate) runtime_config: RuntimeConfig,
    pub(crate) variables: Vec<Setting>,
    pub(crate) checks: Checks,
    pub(crate) resources: Resources,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RuntimeConfig {
    pub(crate) key_value_stores: Vec<KeyValueStore>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyValueStore {
    pub(crate) name: String,
    pub(crate) r#type: String,
    pub(crate) options: Vec<Setting>,
}

/// A variable, or an option of a store.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Setting {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
    pub(crate) value_from: Option<ValueFrom>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ValueFrom {
    pub(crate) secret_key_ref: SecretKeyRef,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretKeyRef {
    pub(crate) name: String,
    pub(crate) key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Checks {
    pub(crate) readiness: Probe,
    pub(crate) liveness: Probe,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Probe {
    pub(crate) http_get: HttpGet,
    #[serde(default)]
    initial_delay_seconds: u32,
    #[serde(default = "one")]
    timeout_seconds: u32,
    #[serde(default = "one")]
    period_seconds: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpGet {
    pub(crate) path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resources {
    limits: Amounts,
    pub(crate) requests: Amounts,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Amounts {
    pub(crate) cpu: Option<String>,
    memory: String,
}

/// `core.spinkube.dev/v1alpha1`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SpinAppExecutor {
    create_deployment: bool,
    deployment_config: DeploymentConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DeploymentConfig {
    runtime_class_name: Option<String>,
    spin_image: Option<String>,
    #[serde(rename = "installDefaultCACerts")]
    install_default_ca_certs: bool,
}

/// `keda.sh/v1alpha1`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ScaledObject {
    pub(crate) scale_target_ref: ScaleTarget,
    pub(crate) min_replica_count: u32,
    pub(crate) max_replica_count: u32,
    pub(crate) triggers: Vec<Trigger>,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ScaleTarget {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Trigger {
    pub(crate) r#type: String,
    metric_type: String,
    metadata: BTreeMap<String, String>,
}

fn one() -> u32 {
    1
}

impl CustomResource {
    /// Reads one, and checks what its definition and the operator's webhooks do beyond the types.
    pub(crate) fn read(object: &Value) -> Result<Self, String> {
        let resource: Self = serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
        let group = match &resource {
            Self::SpinApp(app) => {
                app.spec.check()?;
                app.check("core.spinkube.dev/v1alpha1")
            }
            Self::SpinAppExecutor(executor) => {
                executor.spec.check()?;
                executor.check("core.spinkube.dev/v1alpha1")
            }
            Self::ScaledObject(object) => {
                object.spec.check()?;
                object.check("keda.sh/v1alpha1")
            }
        };
        group.map(|()| resource)
    }
}

impl<T> Resource<T> {
    fn check(&self, version: &str) -> Result<(), String> {
        let Metadata {
            name,
            namespace,
            labels,
        } = &self.metadata;
        is(self.api_version == version, "apiVersion")?;
        is(!name.is_empty() && !namespace.is_empty(), "metadata")?;
        is(labels.values().all(|label| !label.is_empty()), "metadata.labels")
    }
}

impl SpinApp {
    fn check(&self) -> Result<(), String> {
        is(self.image.contains('/') && self.image.contains(':'), "image")?;
        is(
            self.enable_autoscaling != (self.replicas.unwrap_or_default() > 0),
            "replicas or enableAutoscaling",
        )?;
        let settings = self.runtime_config.key_value_stores.iter();
        let settings = settings.flat_map(|store| &store.options).chain(&self.variables);
        for Setting {
            name,
            value,
            value_from,
        } in settings
        {
            is(value.is_some() != value_from.is_some(), name)?;
        }
        for probe in [&self.checks.readiness, &self.checks.liveness] {
            is(probe.http_get.path.starts_with('/'), "checks")?;
            is(probe.timeout_seconds > 0 && probe.period_seconds > 0, "checks")?;
            is(probe.initial_delay_seconds < 600, "checks")?;
        }
        let Resources { limits, requests } = &self.resources;
        is(
            mebibytes(&limits.memory)? >= mebibytes(&requests.memory)?,
            "resources",
        )
    }
}

impl SpinAppExecutor {
    fn check(&self) -> Result<(), String> {
        let config = &self.deployment_config;
        is(self.create_deployment, "createDeployment")?;
        is(config.install_default_ca_certs, "installDefaultCACerts")?;
        is(
            config.runtime_class_name.is_some() != config.spin_image.is_some(),
            "runtimeClassName or spinImage",
        )
    }
}

impl ScaledObject {
    fn check(&self) -> Result<(), String> {
        is(
            self.min_replica_count <= self.max_replica_count,
            "minReplicaCount",
        )?;
        for trigger in &self.triggers {
            let is_known = trigger.r#type == "cpu" && trigger.metric_type == "Utilization";
            let value = trigger.metadata.get("value").map(|value| value.parse::<u8>());
            is(
                is_known && matches!(value, Some(Ok(1..=100))) && trigger.metadata.len() == 1,
                "triggers",
            )?;
        }
        is(!self.triggers.is_empty(), "triggers")
    }
}

fn mebibytes(amount: &str) -> Result<u32, String> {
    let number = amount.strip_suffix("Mi").and_then(|number| number.parse().ok());
    number.ok_or_else(|| format!("{amount} is no number of Mi"))
}

fn is(holds: bool, what: &str) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(format!("{what} is not as it has to be"))
    }
}
