//! The manifests of single functions and the file of variables, compared with the manifest of the whole application.

use toml::{Table, Value};

fn read(path: &str) -> Table {
    let text = std::fs::read_to_string(harness::root().join(path)).unwrap();
    text.parse().unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn functions(whole: &Table) -> Vec<&String> {
    whole["component"].as_table().unwrap().keys().collect()
}

/// The manifest that deploys `function` as `whole` does, but separately and from `deploy/apps`.
fn apart(whole: &Table, function: &str) -> Table {
    let mut component = whole["component"][function].as_table().unwrap().clone();
    let description = component["description"].clone();
    let source = format!("../../{}", component["source"].as_str().unwrap());
    component.insert("source".to_owned(), source.into());
    let build = component["build"].as_table_mut().unwrap();
    build.insert("workdir".to_owned(), "../..".into());

    // A function that is deployed by itself cannot call `publish-events`: the sweep publishes its changes.
    let outbound = component.get("allowed_outbound_hosts").and_then(Value::as_array);
    if outbound.is_some_and(|hosts| hosts[0].as_str() == Some("http://publish-events.spin.internal")) {
        component.remove("allowed_outbound_hosts");
        let variables = component["variables"].as_table_mut().unwrap();
        assert!(variables.remove("events").is_some(), "{function}");
    }

    let mut variables = whole["variables"].as_table().unwrap().clone();
    let used = component.get("variables").and_then(Value::as_table);
    let hosts = component.get("allowed_outbound_hosts").and_then(Value::as_array);
    variables.retain(|name, _| {
        used.into_iter()
            .flat_map(Table::values)
            .chain(hosts.into_iter().flatten())
            .any(|value| value.as_str() == Some(&format!("{{{{ {name} }}}}")))
    });

    let mut application = whole["application"].as_table().unwrap().clone();
    application.insert("name".to_owned(), format!("users-{function}").into());
    application.insert("description".to_owned(), description);

    let mut triggers = whole["trigger"]["http"].as_array().unwrap().clone();
    triggers.retain(|trigger| trigger.get("component").and_then(Value::as_str) == Some(function));

    let mut manifest = whole.clone();
    manifest.insert("application".to_owned(), application.into());
    if variables.is_empty() {
        manifest.remove("variables");
    } else {
        manifest.insert("variables".to_owned(), variables.into());
    }
    manifest["trigger"]["http"] = triggers.into();
    manifest["component"] = Table::from_iter([(function.to_owned(), component.into())]).into();
    manifest
}

#[test]
fn a_function_apart_is_what_it_is_among_the_others() {
    let whole = read("spin.toml");
    for function in functions(&whole) {
        assert_eq!(
            read(&format!("deploy/apps/{function}.toml")),
            apart(&whole, function),
            "{function}"
        );
    }
}

#[test]
fn there_is_one_for_each_function() {
    let mut apps: Vec<_> = std::fs::read_dir(harness::root().join("deploy/apps"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    apps.sort();
    let whole = read("spin.toml");
    let expected: Vec<_> = functions(&whole)
        .iter()
        .map(|function| format!("{function}.toml"))
        .collect();
    assert_eq!(apps, expected);
}

#[test]
fn the_file_of_variables_has_every_variable_with_its_default() {
    let whole = read("spin.toml");
    let defaults = whole["variables"].as_table().unwrap().iter();
    let defaults = defaults.map(|(name, variable)| (name.clone(), variable["default"].clone()));
    assert_eq!(read("deploy/variables.toml"), defaults.collect());
}
