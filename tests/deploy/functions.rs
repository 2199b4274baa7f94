//! "Another function", the checklist in `docs/ARCHITECTURE.md`: every function is listed in every place that must list it.

use std::collections::BTreeMap;

use toml::{Table, Value};

/// A place that must list every function: a file, and the text on one of its lines. `{}` stands for the name of the
/// function, `{route}` for its route.
struct Place {
    file: &'static str,
    says: &'static str,
    /// How the place writes the route `/user/promote/:username`.
    writes_route: fn(&str) -> String,
    /// Whether it must also list functions that serve a tree of files and are not part of the API.
    has_files: bool,
}

fn as_it_is(route: &str) -> String {
    route.to_owned()
}

/// As `OpenAPI` does: `/user/promote/{username}`.
fn with_braces(route: &str) -> String {
    route.replace(":username", "{username}")
}

const fn place(file: &'static str, says: &'static str) -> Place {
    Place {
        file,
        says,
        writes_route: as_it_is,
        has_files: true,
    }
}

const PLACES: &[Place] = &[
    place("Cargo.toml", "    \"{}\","),
    place("{}/Cargo.toml", "name = \"{}\""),
    place("spin-wasip3.toml", "[component.{}]"),
    place("deploy/apps/{}.toml", "[component.{}]"),
    place("deploy/nginx.conf", "upstream {} {"),
    place("deploy/nginx.conf", " {};"),
    place("README.md", "{route}` | `{}` |"),
    place("docs/ARCHITECTURE.md", " {} "),
    place("docs/OPERATIONS.md", "{}"),
    place("tests/deploy/apart.rs", "(\"{}\", \""),
    Place {
        has_files: false,
        ..place("tests/api/independence.rs", "alone(\"{}\", &state)")
    },
    Place {
        has_files: false,
        ..place("host/src/function/cost_budgets.rs", "\"{}\",")
    },
    Place {
        file: "docs/openapi.yaml",
        says: "  {route}:",
        writes_route: with_braces,
        has_files: false,
    },
];

impl Place {
    /// The file, for a function.
    fn file(&self, function: &str) -> String {
        self.file.replace("{}", function)
    }

    /// Whether `text`, the contents of the file, lists the function and one of its routes.
    fn knows(&self, text: &str, function: &str, route: &str) -> bool {
        let says = self.says.replace("{route}", &(self.writes_route)(route));
        let says = says.replace("{}", function);
        text.lines().any(|line| line.contains(&says))
    }
}

/// The functions of `spin.toml` with their routes.
fn functions() -> BTreeMap<String, Vec<String>> {
    let manifest: Table = read("spin.toml").parse().unwrap();
    let mut functions: BTreeMap<String, Vec<String>> = manifest["component"]
        .as_table()
        .unwrap()
        .keys()
        .map(|name| (name.clone(), Vec::new()))
        .collect();
    for trigger in manifest["trigger"]["http"].as_array().unwrap() {
        if let Some(function) = trigger.get("component").and_then(Value::as_str) {
            let route = trigger["route"].as_str().unwrap().to_owned();
            let routes = functions.get_mut(function);
            routes
                .unwrap_or_else(|| panic!("{route}: there is no {function}"))
                .push(route);
        }
    }
    functions
}

fn read(path: &str) -> String {
    std::fs::read_to_string(harness::root().join(path)).unwrap_or_default()
}

/// The places that do not list a function; `read` returns the contents of a file.
fn forgotten(function: &str, routes: &[String], read: impl Fn(&str) -> String) -> Vec<String> {
    let mut forgotten = Vec::new();
    for place in PLACES {
        let file = place.file(function);
        let text = read(&file);
        let routes = routes
            .iter()
            .filter(|route| place.has_files || !route.ends_with("/..."));
        for route in routes.filter(|route| !place.knows(&text, function, route)) {
            forgotten.push(format!(
                "{file} says nothing like `{}` of {function} ({route})",
                place.says
            ));
        }
    }
    forgotten
}

#[test]
fn every_function_is_known_in_every_place() {
    let functions = functions();
    assert!(functions.len() >= 8, "{functions:?}");
    let mut all = Vec::new();
    for (function, routes) in &functions {
        assert!(!routes.is_empty(), "no route leads to {function}");
        all.extend(forgotten(function, routes, read));
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn a_function_that_is_forgotten_in_one_place_is_found_there() {
    let function = "promote-user";
    let routes = &functions()[function];
    for place in PLACES {
        let file = place.file(function);
        let without = |path: &str| {
            let text = read(path);
            if path != file {
                return text;
            }
            let lines = text
                .lines()
                .filter(|line| !line.contains(function) && !line.contains("/promote/"));
            lines.collect::<Vec<_>>().join("\n")
        };
        let found = forgotten(function, routes, without);
        assert!(
            found
                .iter()
                .any(|found| found.starts_with(&file) && found.contains(place.says)),
            "{file}: {found:?}"
        );
    }
}

#[test]
fn the_checklist_names_every_place() {
    let document = read("docs/ARCHITECTURE.md");
    let (_, checklist) = document
        .split_once("### Another function\n")
        .expect("a checklist");
    let checklist = checklist.split("\n#").next().unwrap_or_default();
    for place in PLACES {
        let file = place.file.replace("{}", "<name>");
        assert!(checklist.contains(&format!("`{file}`")), "{file}");
    }
    assert!(checklist.contains("`spin.toml`"));
}

#[test]
fn a_function_is_its_answer_and_one_line_that_declares_its_methods() {
    for function in functions().keys() {
        let text = read(&format!("{function}/src/lib.rs"));
        let declarations = text
            .lines()
            .filter(|line| line.starts_with("users::") && line.contains("function!("));
        assert_eq!(declarations.count(), 1, "{function}");
        for name in ["wasi", "spin_sdk", "wit_bindgen"] {
            assert!(!text.contains(name), "{function} names {name}");
        }
    }
}
