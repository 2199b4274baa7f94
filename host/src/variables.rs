//! Application variables, and what of them a component sees.

use crate::{
    bindings::spin::variables::variables::{Error, Host, HostWithStore},
    state::State,
};
use anyhow::ensure;
use std::{collections::BTreeMap, env::VarError, sync::Arc};
use wasmtime::component::{Accessor, HasData};

/// A component variable's value: text with application variables in it, as `{{ name }}`.
pub(crate) struct Template(Vec<Part>);

enum Part {
    Literal(String),
    Variable(String),
}

/// The variables of one component.
pub(crate) struct Variables {
    pub(crate) component: String,
    pub(crate) templates: BTreeMap<String, Template>,
    /// Application variables and their defaults.
    pub(crate) defaults: Arc<BTreeMap<String, Option<String>>>,
}

/// Spin's rule for variable names, so that each has one spelling in the environment.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let valid = name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('_')
        && !name.contains("__")
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if valid {
        Ok(())
    } else {
        Err(format!(
            "{name:?} is not a variable name: lower-case letters, digits and single underscores \
             between them, starting with a letter"
        ))
    }
}

/// Refuses to start, as Spin does, while a variable without a default has no value.
pub(crate) fn check_required(defaults: &BTreeMap<String, Option<String>>) -> anyhow::Result<()> {
    let required = defaults.iter().filter(|(_, default)| default.is_none());
    for key in required.map(|(name, _)| environment_key(name)) {
        ensure!(
            std::env::var_os(&key).is_some(),
            "a required variable has no value; set {key}"
        );
    }
    Ok(())
}

fn environment_key(name: &str) -> String {
    format!("SPIN_VARIABLE_{}", name.to_ascii_uppercase())
}

impl Template {
    /// Splits `text` into its parts; every variable in it must be declared.
    pub(crate) fn parse(text: &str, declared: &BTreeMap<String, Option<String>>) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, expression)) = rest.split_once("{{") {
            let (name, after) = expression
                .split_once("}}")
                .ok_or("`{{` has no matching `}}`".to_owned())?;
            let name = name.trim();
            if !declared.contains_key(name) {
                return Err(format!("there is no variable `{name}` under [variables]"));
            }
            parts.push(Part::Literal(literal.to_owned()));
            parts.push(Part::Variable(name.to_owned()));
            rest = after;
        }
        parts.push(Part::Literal(rest.to_owned()));
        Ok(Self(parts))
    }
}

impl Variables {
    /// The value of `name` now: like Spin, the environment is read at each call.
    fn get(
        &self,
        name: &str,
        environment: impl Fn(&str) -> Result<String, VarError>,
    ) -> Result<String, Error> {
        check_name(name).map_err(Error::InvalidName)?;
        let template = self
            .templates
            .get(name)
            .ok_or_else(|| Error::Undefined(format!("no variable for {:?}.{name:?}", self.component)))?;
        let mut value = String::new();
        for part in &template.0 {
            match part {
                Part::Literal(text) => value.push_str(text),
                Part::Variable(name) => value.push_str(&self.application(name, &environment)?),
            }
        }
        Ok(value)
    }

    fn application(
        &self,
        name: &str,
        environment: impl Fn(&str) -> Result<String, VarError>,
    ) -> Result<String, Error> {
        let key = environment_key(name);
        match environment(&key) {
            Ok(value) => Ok(value),
            Err(VarError::NotUnicode(_)) => Err(Error::Provider(format!("{key} is not UTF-8"))),
            Err(VarError::NotPresent) => {
                self.defaults.get(name).cloned().flatten().ok_or_else(|| {
                    Error::Provider(format!("no provider resolved required variable {name:?}"))
                })
            }
        }
    }
}

/// Tells the linker where in the state the variables are.
pub(crate) struct Linked;

impl HasData for Linked {
    type Data<'a> = &'a mut State;
}

impl Host for State {}

impl<T: Send> HostWithStore<T> for Linked {
    async fn get(accessor: &Accessor<T, Self>, name: String) -> Result<String, Error> {
        let variables = accessor.with(|mut access| Arc::clone(&access.get().variables));
        variables.get(&name, |key| std::env::var(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> Variables {
        let defaults = BTreeMap::from([
            ("gold".to_owned(), Some("100".to_owned())),
            ("token".to_owned(), None),
        ]);
        let template = |text| Template::parse(text, &defaults).unwrap();
        let templates = BTreeMap::from([
            ("plain".to_owned(), template("text")),
            ("mixed".to_owned(), template("over {{ gold }}, {{gold}} points")),
            ("secret".to_owned(), template("{{ token }}")),
        ]);
        Variables {
            component: "promote".to_owned(),
            templates,
            defaults: Arc::new(defaults),
        }
    }

    fn unset(_: &str) -> Result<String, VarError> {
        Err(VarError::NotPresent)
    }

    #[test]
    fn templates_mix_text_and_variables() {
        assert_eq!(variables().get("plain", unset).unwrap(), "text");
        assert_eq!(variables().get("mixed", unset).unwrap(), "over 100, 100 points");
        assert!(Template::parse("{{ gold", &variables().defaults).is_err());
        assert!(Template::parse("{{ silver }}", &variables().defaults).is_err());
    }

    #[test]
    fn the_environment_overrides_defaults() {
        let environment = |key: &str| match key {
            "SPIN_VARIABLE_GOLD" => Ok("70".to_owned()),
            _ => Err(VarError::NotPresent),
        };
        assert_eq!(
            variables().get("mixed", environment).unwrap(),
            "over 70, 70 points"
        );
    }

    #[test]
    fn errors_are_spins() {
        assert!(matches!(
            variables().get("secret", unset),
            Err(Error::Provider(_))
        ));
        // An application variable that the component did not ask for stays out of its sight.
        assert!(matches!(variables().get("gold", unset), Err(Error::Undefined(_))));
        assert!(matches!(
            variables().get("No__name", unset),
            Err(Error::InvalidName(_))
        ));
    }
}
