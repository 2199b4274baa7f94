//! Reads `docs/openapi.yaml`.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

const PATH: &str = "docs/openapi.yaml";

/// The description.
pub(crate) static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
    let text = std::fs::read_to_string(harness::root().join(PATH)).expect("the description is there");
    Document(serde_saphyr::from_str(&text).expect("the description is YAML"))
});

/// An API description.
pub(crate) struct Document(Value);

/// A response to one operation, under one status.
pub(crate) struct Response<'a> {
    /// Method and path of the operation.
    pub(crate) operation: String,
    /// The status.
    pub(crate) status: u16,
    /// Its description.
    pub(crate) object: &'a Value,
}

impl Document {
    /// The whole of it.
    pub(crate) fn root(&self) -> &Value {
        &self.0
    }

    /// The object at this JSON pointer, references followed on the way.
    pub(crate) fn at(&self, pointer: &str) -> &Value {
        pointer.split('/').skip(1).fold(&self.0, |place, token| {
            let token = token.replace("~1", "/").replace("~0", "~");
            self.resolve(&place[token])
        })
    }

    /// The object that a reference stands for; any other object is its own.
    pub(crate) fn resolve<'a>(&'a self, object: &'a Value) -> &'a Value {
        match object["$ref"].as_str() {
            Some(reference) => self.at(reference.strip_prefix('#').expect("a reference within the file")),
            None => object,
        }
    }

    /// The paths, each with its path item.
    pub(crate) fn paths(&self) -> &Map<String, Value> {
        self.0["paths"].as_object().expect("paths")
    }

    /// Every response of every operation.
    pub(crate) fn responses(&self) -> Vec<Response<'_>> {
        let mut responses = Vec::new();
        for (path, item) in self.paths() {
            for (method, operation) in item.as_object().expect("a path item") {
                for (status, response) in operation["responses"].as_object().expect("responses") {
                    responses.push(Response {
                        operation: format!("{} {path}", method.to_uppercase()),
                        status: status.parse().expect("a status"),
                        object: self.resolve(response),
                    });
                }
            }
        }
        responses
    }

    /// Every problem in the examples of responses.
    pub(crate) fn problems(&self) -> Vec<&Value> {
        let mut problems = Vec::new();
        for response in self.responses() {
            for problem in Self::problems_of(&response) {
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
        }
        problems
    }

    /// The problems in the examples of a response.
    pub(crate) fn problems_of<'a>(response: &Response<'a>) -> Vec<&'a Value> {
        let examples = &response.object["content"]["application/problem+json"]["examples"];
        let examples = examples.as_object().into_iter().flat_map(Map::values);
        examples.map(|example| &example["value"]).collect()
    }

    /// What checks values against the schema of this name.
    pub(crate) fn schema(&self, name: &str) -> Validator {
        self.validator(&json!({ "$ref": format!("#/components/schemas/{name}") }))
    }

    /// What checks values against a schema of the description.
    pub(crate) fn validator(&self, schema: &Value) -> Validator {
        let schema = json!({ "allOf": [schema], "components": self.0["components"] });
        jsonschema::draft202012::options()
            .should_validate_formats(true)
            .build(&schema)
            .unwrap_or_else(|error| panic!("{error}"))
    }
}
