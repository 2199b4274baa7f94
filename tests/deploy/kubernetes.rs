//! The Kubernetes objects: built by the tool that applies them, checked against Kubernetes' own schemas, the types of the
//! custom resources, each other and `spin.toml`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use harness::{python, root, without};
use serde::Deserialize;
use serde_json::Value;

use crate::custom_resources::{CustomResource, ScaleTarget, SecretKeyRef, SpinApp};

/// Everything that is applied together.
struct Objects {
    text: String,
    all: Vec<Value>,
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&to).unwrap();
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

impl Objects {
    /// What `kubectl apply --kustomize` would apply.
    fn of(deploy: &Path, overlay: &str) -> Self {
        let folder = deploy.join("kubernetes/overlays").join(overlay);
        let output = Command::new("kubectl")
            .arg("kustomize")
            .arg(&folder)
            .output()
            .unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && complaints.is_empty(),
            "{}, with a kubectl that has to be of 1.27 or later: {complaints}",
            folder.display()
        );
        let text = String::from_utf8(output.stdout).unwrap();
        let all = serde_saphyr::from_multiple(&text).unwrap();
        Self { text, all }
    }

    fn dev() -> Self {
        Self::of(&root().join("deploy"), "dev")
    }

    fn production() -> Self {
        Self::of(&root().join("deploy"), "production")
    }

    /// The variant with KEDA.
    fn production_with_keda() -> Self {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(&root().join("deploy"), copy.path());
        let file = copy
            .path()
            .join("kubernetes/overlays/production/kustomization.yaml");
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text.matches("- ../../autoscaling/hpa").count(), 1);
        fs::write(
            file,
            text.replace("- ../../autoscaling/hpa", "- ../../autoscaling/keda"),
        )
        .unwrap();
        Self::of(copy.path(), "production")
    }

    fn of_kind(&self, kind: &str) -> Vec<&Value> {
        self.all.iter().filter(|object| object["kind"] == kind).collect()
    }

    fn custom(&self) -> impl Iterator<Item = CustomResource> {
        let custom = self.all.iter().filter(|object| is_custom(object));
        custom.map(|object| CustomResource::read(object).unwrap_or_else(|error| panic!("{error}: {object}")))
    }

    fn spin_app(&self) -> SpinApp {
        let mut apps = self.custom().filter_map(|resource| match resource {
            CustomResource::SpinApp(app) => Some(app.spec),
            _ => None,
        });
        let app = apps.next().unwrap();
        assert!(apps.next().is_none());
        app
    }
}

fn is_custom(object: &Value) -> bool {
    let version = object["apiVersion"].as_str().unwrap();
    version.starts_with("core.spinkube.dev/") || version.starts_with("keda.sh/")
}

/// Holds those objects to Kubernetes' schemas that are its own, and says how many there are.
fn validate(text: &str) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("objects.yaml");
    fs::write(&file, text).unwrap();
    let output = python::tool("kubernetes-validate")
        .arg("--strict")
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    // It only warns about kinds that it does not know.
    said.lines().filter(|line| line.starts_with("INFO ")).count()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Secret {
    string_data: BTreeMap<String, String>,
    metadata: Name,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

fn secret_template() -> (String, Secret) {
    let text = fs::read_to_string(root().join("deploy/kubernetes/secret.example.yaml")).unwrap();
    let secret = serde_saphyr::from_str(&text).unwrap();
    (text, secret)
}

/// The secrets that an application reads, by their use.
fn secrets(app: &SpinApp) -> impl Iterator<Item = (&str, &SecretKeyRef)> {
    let stores = app.runtime_config.key_value_stores.iter();
    let settings = stores.flat_map(|store| &store.options).chain(&app.variables);
    settings.filter_map(|setting| {
        Some((
            setting.name.as_str(),
            &setting.value_from.as_ref()?.secret_key_ref,
        ))
    })
}

#[test]
fn kubernetes_takes_the_objects() {
    if without("kubectl") || without(python::PROGRAM) {
        return;
    }
    for objects in [
        Objects::dev(),
        Objects::production(),
        Objects::production_with_keda(),
    ] {
        let custom = objects.custom().count();
        assert!(custom >= 2);
        assert_eq!(
            validate(&objects.text) + custom,
            objects.all.len(),
            "{}",
            objects.text
        );
    }
    assert_eq!(validate(&secret_template().0), 1);
}

#[test]
fn the_application_is_given_what_its_manifest_asks_for() {
    if without("kubectl") {
        return;
    }
    let manifest = fs::read_to_string(root().join("spin.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let variables = manifest["variables"].as_table().unwrap();
    for objects in [Objects::dev(), Objects::production()] {
        let app = objects.spin_app();
        let given: Vec<_> = app
            .variables
            .iter()
            .map(|variable| (variable.name.as_str(), variable.value_from.is_some()))
            .collect();
        let mut asked_for: Vec<_> = variables
            .iter()
            .map(|(name, variable)| (name.as_str(), variable.get("secret").is_some()))
            .collect();
        asked_for.sort_by_key(|(name, _)| given.iter().position(|(given, _)| given == name));
        assert_eq!(given, asked_for);

        let [store] = &app.runtime_config.key_value_stores[..] else {
            panic!("one store");
        };
        // The console has none.
        let components = manifest["component"].as_table().unwrap().values();
        for stores in components.filter_map(|component| component.get("key_value_stores")) {
            assert_eq!(*stores, toml::Value::from(vec![store.name.clone()]));
        }
        assert_eq!(store.r#type, "redis");
        let [url] = &store.options[..] else {
            panic!("one option");
        };
        assert_eq!(url.name, "url");
        // With a password in it.
        assert!(url.value_from.is_some());

        for probe in [&app.checks.readiness, &app.checks.liveness] {
            assert_eq!(probe.http_get.path, "/.well-known/spin/health");
        }
    }
}

#[test]
fn each_namespace_has_an_executor_of_its_own_name() {
    if without("kubectl") {
        return;
    }
    for objects in [Objects::dev(), Objects::production()] {
        let [executor] = objects.of_kind("SpinAppExecutor")[..] else {
            panic!("one executor");
        };
        let Value::Object(metadata) = &executor["metadata"] else {
            panic!("{executor}");
        };
        // Operators up to 0.6.1 mix up executors of one name in different namespaces (spin-operator#480).
        assert_eq!(metadata["name"], metadata["namespace"]);
        assert_eq!(metadata["name"], objects.spin_app().executor.as_str());
        assert_eq!(
            executor["spec"]["deploymentConfig"]["runtimeClassName"],
            "wasmtime-spin-v2"
        );
    }
}

#[test]
fn the_template_of_the_secret_has_what_is_read_and_no_secret() {
    if without("kubectl") {
        return;
    }
    let (_, secret) = secret_template();
    let app = Objects::production().spin_app();
    let mut read: Vec<_> = secrets(&app)
        .map(|(_, reference)| {
            assert_eq!(reference.name, secret.metadata.name);
            &reference.key
        })
        .collect();
    read.sort();
    assert_eq!(read, secret.string_data.keys().collect::<Vec<_>>());
    for value in secret.string_data.values() {
        assert!(value.contains('<') && value.contains('>'), "{value}");
    }
}

#[test]
fn what_is_beside_the_application_finds_it() {
    if without("kubectl") {
        return;
    }
    for objects in [Objects::production(), Objects::production_with_keda()] {
        let app = objects.of_kind("SpinApp")[0];
        let (name, namespace) = (&app["metadata"]["name"], &app["metadata"]["namespace"]);
        assert!(
            objects
                .all
                .iter()
                .all(|object| object["metadata"]["namespace"] == *namespace)
        );
        let budget = objects.of_kind("PodDisruptionBudget")[0];
        let pods = &budget["spec"]["selector"]["matchLabels"]["core.spinkube.dev/app-name"];
        assert_eq!(pods, name);
        // The operator's Service has the name of the application and port 80.
        for rule in objects.of_kind("Ingress")[0]["spec"]["rules"].as_array().unwrap() {
            let service = &rule["http"]["paths"][0]["backend"]["service"];
            assert_eq!(&service["name"], name);
            assert_eq!(service["port"]["number"], 80);
        }

        // And a Deployment of that name.
        let target = ScaleTarget {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            name: name.as_str().unwrap().to_owned(),
        };
        let scaled = objects.of_kind("HorizontalPodAutoscaler");
        let scaled = scaled
            .iter()
            .map(|object| object["spec"]["scaleTargetRef"].clone());
        let mut targets: Vec<ScaleTarget> = scaled
            .map(|target| serde_json::from_value(target).unwrap())
            .collect();
        targets.extend(objects.custom().filter_map(|resource| match resource {
            CustomResource::ScaledObject(object) => Some(object.spec.scale_target_ref),
            _ => None,
        }));
        assert_eq!(targets, [target]);
        let app = objects.spin_app();
        assert!(app.enable_autoscaling);
        // The autoscalers count in parts of it.
        assert!(app.resources.requests.cpu.is_some());
    }
}

#[test]
fn the_cron_job_runs_the_script_that_is_shipped() {
    if without("kubectl") {
        return;
    }
    let script = fs::read_to_string(root().join("deploy/sweep/sweep")).unwrap();
    let objects = Objects::production();
    let [map] = objects.of_kind("ConfigMap")[..] else {
        panic!("one ConfigMap");
    };
    assert_eq!(map["data"]["sweep"], script);
    let [job] = objects.of_kind("CronJob")[..] else {
        panic!("one CronJob");
    };
    let pod = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    assert_eq!(pod["volumes"][0]["configMap"]["name"], map["metadata"]["name"]);
    let container = &pod["containers"][0];
    let mount = container["volumeMounts"][0]["mountPath"].as_str().unwrap();
    let app = objects.of_kind("SpinApp")[0]["metadata"]["name"]
        .as_str()
        .unwrap();
    assert_eq!(
        container["command"],
        serde_json::json!(["sh", format!("{mount}/sweep"), format!("http://{app}")])
    );
    // It uses a token that the application accepts.
    let app = objects.spin_app();
    let tokens = secrets(&app).find(|(name, _)| *name == "write_tokens").unwrap().1;
    let read = &container["env"][0]["valueFrom"]["secretKeyRef"];
    assert_eq!(
        (&read["name"], &read["key"]),
        (&tokens.name.clone().into(), &tokens.key.clone().into())
    );
}
