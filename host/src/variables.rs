//! Application variables, and component variables derived from them.

use anyhow::ensure;
use std::{
    collections::BTreeMap,
    env::VarError,
    fmt::{Display, Formatter},
    sync::Arc,
};

/// Text that contains application variables as `{{ name }}`.
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

/// Why a variable has no value, in Spin's terms.
#[derive(Debug)]
pub(crate) enum VariableError {
    InvalidName(String),
    /// The component has no variable of that name.
    Undefined(String),
    /// No provider has a value for an application variable.
    Provider(String),
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

impl Display for VariableError {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        let (Self::InvalidName(message) | Self::Undefined(message) | Self::Provider(message)) = self;
        formatter.write_str(message)
    }
}

impl std::error::Error for VariableError {}

impl Template {
    /// Splits `text` into its parts.
    ///
    /// # Errors
    ///
    /// Returns the reason if `{{` has no `}}`, or a variable is not declared.
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

    /// Whether the text contains no variables.
    pub(crate) fn is_literal(&self) -> bool {
        self.0.iter().all(|part| matches!(part, Part::Literal(_)))
    }

    /// Substitutes the values of variables.
    ///
    /// # Errors
    ///
    /// Returns the error of `value` if a variable has none.
    pub(crate) fn fill<E>(&self, value: impl Fn(&str) -> Result<String, E>) -> Result<String, E> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Variable(name) => text.push_str(&value(name)?),
            }
        }
        Ok(text)
    }
}

impl Variables {
    /// Returns the current value of `name`. Like Spin, reads the environment at each call.
    ///
    /// # Errors
    ///
    /// Returns a [`VariableError`] if `name` is malformed, is not a variable of the component, or has no value.
    pub(crate) fn get(&self, name: &str) -> Result<String, VariableError> {
        self.get_from(name, |key| std::env::var(key))
    }

    /// Substitutes the current values of application variables in `template`.
    ///
    /// # Errors
    ///
    /// Returns a [`VariableError`] if one of them has no value.
    pub(crate) fn fill(&self, template: &Template) -> Result<String, VariableError> {
        template.fill(|name| self.application(name, |key| std::env::var(key)))
    }

    /// The names of the component's variables.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.templates.keys().map(String::as_str)
    }

    fn get_from(
        &self,
        name: &str,
        environment: impl Fn(&str) -> Result<String, VarError>,
    ) -> Result<String, VariableError> {
        check_name(name).map_err(VariableError::InvalidName)?;
        let template = self.templates.get(name).ok_or_else(|| {
            VariableError::Undefined(format!("no variable for {:?}.{name:?}", self.component))
        })?;
        template.fill(|name| self.application(name, &environment))
    }

    fn application(
        &self,
        name: &str,
        environment: impl Fn(&str) -> Result<String, VarError>,
    ) -> Result<String, VariableError> {
        let key = environment_key(name);
        match environment(&key) {
            Ok(value) => Ok(value),
            Err(VarError::NotUnicode(_)) => Err(VariableError::Provider(format!("{key} is not UTF-8"))),
            Err(VarError::NotPresent) => self.defaults.get(name).cloned().flatten().ok_or_else(|| {
                VariableError::Provider(format!("no provider resolved required variable {name:?}"))
            }),
        }
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
        assert_eq!(variables().get_from("plain", unset).unwrap(), "text");
        assert_eq!(
            variables().get_from("mixed", unset).unwrap(),
            "over 100, 100 points"
        );
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
            variables().get_from("mixed", environment).unwrap(),
            "over 70, 70 points"
        );
    }

    #[test]
    fn errors_are_spins() {
        assert!(matches!(
            variables().get_from("secret", unset),
            Err(VariableError::Provider(_))
        ));
        // An application variable that the component did not ask for stays out of its sight.
        assert!(matches!(
            variables().get_from("gold", unset),
            Err(VariableError::Undefined(_))
        ));
        assert!(matches!(
            variables().get_from("No__name", unset),
            Err(VariableError::InvalidName(_))
        ));
    }
}
