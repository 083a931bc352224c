//! `/openapi.json`: what this API is, for programs. The file is written by hand; the tests below hold it against the routes, and the
//! system tests against the answers.

use axum::http::header;
use axum::response::IntoResponse;

/// OpenAPI 3.1.
pub const DOCUMENT: &str = include_str!("../../openapi.json");

/// The handler.
pub async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use axum::http::Method;
    use serde_json::{Value, json};

    use super::DOCUMENT;
    use crate::access::principal::Scope;
    use crate::http::router::ROUTES;

    fn document() -> Value {
        serde_json::from_str(DOCUMENT).expect("openapi.json is JSON")
    }

    /// What a `$ref` stands for; anything else is itself.
    fn resolved<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
        let Some(reference) = value["$ref"].as_str() else { return value };
        let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} lies outside"));
        document.pointer(pointer).unwrap_or_else(|| panic!("{reference} stands for nothing"))
    }

    /// By path and method in lower case.
    fn operations(document: &Value) -> BTreeMap<(&str, &str), &Value> {
        let paths = document["paths"].as_object().expect("paths");
        let operations = paths.iter().flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("methods").iter();
            methods.map(move |(method, operation)| ((path.as_str(), method.as_str()), operation))
        });
        operations.collect()
    }

    fn each(value: &Value, visit: &mut impl FnMut(&Value)) {
        visit(value);
        match value {
            Value::Array(values) => values.iter().for_each(|value| each(value, visit)),
            Value::Object(members) => members.values().for_each(|value| each(value, visit)),
            _ => {}
        }
    }

    #[test]
    fn routes_and_document_are_the_same() {
        let document = document();
        let documented: BTreeSet<(String, String)> =
            operations(&document).keys().map(|(path, method)| ((*path).to_owned(), method.to_uppercase())).collect();
        let routed: BTreeSet<(String, String)> = ROUTES
            .iter()
            .flat_map(|route| route.methods.iter().map(|method| (route.path.to_owned(), method.to_string())))
            .collect();
        assert_eq!(documented, routed);
    }

    #[test]
    fn what_it_takes_to_ask_and_document_are_the_same() {
        let document = document();
        let operations = operations(&document);
        for route in ROUTES {
            for method in route.methods {
                let operation = operations[&(route.path, method.as_str().to_lowercase().as_str())];
                let scope = route.scope.map(|scope| scope.name());
                let wanted = scope.map_or(json!([]), |scope| json!([{"token": [scope]}, {"login": [scope]}]));
                assert_eq!(operation["security"], wanted, "{method} {}", route.path);
                for status in ["401", "403", "429"] {
                    let is_documented = !operation["responses"][status].is_null();
                    assert!(is_documented || scope.is_none(), "{method} {} has no {status}", route.path);
                }
            }
        }
    }

    #[test]
    fn what_changes_the_store_is_for_admins_and_what_it_holds_for_nobody() {
        for route in ROUTES {
            let wanted = match route.path {
                "/livez" | "/readyz" | "/openapi.json" | "/api/v1/session" => None,
                path if path.starts_with("/api/v1/admin/") => Some(Scope::Admin),
                _ => Some(Scope::Read),
            };
            assert_eq!(route.scope, wanted, "{}", route.path);
        }
    }

    #[test]
    fn parameters_and_document_are_the_same() {
        let document = document();
        let operations = operations(&document);
        for route in ROUTES {
            let known: BTreeSet<&str> = route.parameters.iter().copied().collect();
            if route.methods.contains(&Method::POST) {
                let post = operations[&(route.path, "post")];
                let body = resolved(&document, &post["requestBody"]["content"]["application/json"]["schema"]);
                let members: BTreeSet<&str> =
                    body["properties"].as_object().expect("properties").keys().map(String::as_str).collect();
                assert_eq!(members, known, "the body of {}", route.path);
                assert_eq!(body["additionalProperties"], false, "the body of {}", route.path);
            }
            if !route.methods.contains(&Method::GET) {
                continue;
            }
            let parameters = operations[&(route.path, "get")]["parameters"].as_array().map_or(&[][..], Vec::as_slice);
            let parameters: Vec<&Value> = parameters.iter().map(|parameter| resolved(&document, parameter)).collect();
            let of = |place: &str| -> BTreeSet<&str> {
                let there = parameters.iter().filter(|parameter| parameter["in"] == place);
                there.map(|parameter| parameter["name"].as_str().expect("a name")).collect()
            };
            assert_eq!(of("query"), known, "{}", route.path);
            let in_path: BTreeSet<&str> =
                route.path.split(['{', '}']).skip(1).step_by(2).filter(|name| !name.is_empty()).collect();
            assert_eq!(of("path"), in_path, "{}", route.path);
        }
    }

    #[test]
    fn every_reference_stands_for_something_and_is_used() {
        let document = document();
        let mut used = BTreeSet::new();
        each(&document, &mut |value| {
            if let Some(reference) = value["$ref"].as_str() {
                resolved(&document, value);
                used.insert(reference.to_owned());
            }
        });
        for (kind, components) in document["components"].as_object().expect("components") {
            // Those are named in `security`, without a reference.
            if kind == "securitySchemes" {
                continue;
            }
            for name in components.as_object().expect("components by name").keys() {
                assert!(used.contains(&format!("#/components/{kind}/{name}")), "nothing refers to {kind}/{name}");
            }
        }
    }

    #[test]
    fn every_operation_has_a_name_of_its_own_and_says_what_it_is() {
        let document = document();
        let mut names = BTreeSet::new();
        for ((path, method), operation) in operations(&document) {
            let name = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no name"));
            assert!(names.insert(name), "{name} is there twice");
            assert!(operation["summary"].is_string(), "{name} has no summary");
            let responses = operation["responses"].as_object().expect("responses");
            assert!(responses.contains_key("200"), "{name} never succeeds");
            // An address that is too long is refused before anything of ours sees it.
            for (status, response) in responses.iter().filter(|(status, _)| *status != "414") {
                let content = resolved(&document, response)["content"].as_object();
                let types = content.unwrap_or_else(|| panic!("{name} answers {status} with nothing")).keys();
                let is_problem = types.into_iter().any(|kind| kind == "application/problem+json");
                let is_wrong = status.starts_with(['4', '5']) && path != "/readyz";
                assert_eq!(is_problem, is_wrong, "{name} answers {status} with a problem, or should");
            }
        }
    }
}
