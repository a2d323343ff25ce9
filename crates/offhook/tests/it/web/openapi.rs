//! The descriptions of the API are true: every route is described, and every answer is as described.

use serde_json::Value;

use super::Program;

/// Every route with its method, as the description names them.
pub(super) fn described(document: &Value) -> Vec<(String, String)> {
    let paths = document["paths"].as_object().expect("paths");
    let methods = |(path, item): (&String, &Value)| {
        let named = item.as_object().expect("methods").keys().map(|method| method.to_uppercase());
        named.map(|method| (method, path.clone())).collect::<Vec<_>>()
    };
    let mut all: Vec<_> = paths.iter().flat_map(methods).collect();
    all.sort();
    all
}

#[track_caller]
fn check_routes(document: &str, served: &[(&str, &str)]) {
    let document: Value = serde_json::from_str(document).expect("JSON");
    let served = served.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned()));
    let mut served: Vec<_> = served.collect();
    served.sort();
    assert_eq!(described(&document), served);
}

/// Checks a value against a schema: the part of JSON Schema that the descriptions use. An object may
/// hold nothing that is not described.
fn check_value(document: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let schema = document.pointer(name.trim_start_matches('#')).unwrap_or_else(|| panic!("no {name}"));
        return check_value(document, schema, value, place);
    }
    if let Some(alternatives) = schema["oneOf"].as_array() {
        let fits = alternatives.iter().find(|one| one["type"] == "null" && value.is_null());
        let schema = fits.or(alternatives.first()).expect("an alternative");
        return check_value(document, schema, value, place);
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        other => panic!("{place}: no type but {other}"),
    };
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = types.contains(&found) || (found == "integer" && types.contains(&"number"));
    assert!(fits, "{place}: {value} is no {types:?}");
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{place}: {value} is none of {words:?}");
    }
    match value {
        Value::Array(all) => {
            all.iter().for_each(|one| check_value(document, &schema["items"], one, &format!("{place}[]")));
        }
        Value::Object(fields) => {
            let known = schema["properties"].as_object().unwrap_or_else(|| panic!("{place}: no properties"));
            for name in schema["required"].as_array().into_iter().flatten() {
                assert!(fields.contains_key(name.as_str().expect("a name")), "{place}: no {name}: {value}");
            }
            for (name, value) in fields {
                let schema = known.get(name).or_else(|| schema.get("additionalProperties"));
                let schema = schema.unwrap_or_else(|| panic!("{place}.{name} is not described"));
                check_value(document, schema, value, &format!("{place}.{name}"));
            }
        }
        _ => {}
    }
}

/// Checks an answer to a described request.
#[track_caller]
pub(super) fn check_answer(document: &Value, method: &str, path: &str, answer: &super::Answer) {
    let described = &document["paths"][path][method.to_lowercase()]["responses"];
    let response = &described[answer.status.to_string()];
    let response = if response.is_null() { &described["default"] } else { response };
    if answer.status == 204 {
        assert!(response.is_object() && answer.body.is_empty(), "{method} {path}: {answer:?}");
        return;
    }
    let content = response["content"].as_object().unwrap_or_else(|| panic!("{method} {path}: {answer:?}"));
    let (kind, content) = content.iter().next().expect("a type");
    assert!(answer.head.contains(&format!("content-type: {kind}")), "{method} {path}: {answer:?}");
    if kind.ends_with("json") && !kind.ends_with("ndjson") {
        check_value(document, &content["schema"], &answer.json(), &format!("{method} {path}"));
    }
}

#[test]
fn a_schema_is_held_against_values() {
    let document = serde_json::json!({ "a": { "type": "object", "required": ["n"], "properties": {
        "n": { "type": ["integer", "null"] }, "w": { "type": "string", "enum": ["x"] } } } });
    let check = |value: Value| {
        let schema = serde_json::json!({ "$ref": "#/a" });
        std::panic::catch_unwind(|| check_value(&document, &schema, &value, "")).is_ok()
    };
    assert!(check(serde_json::json!({ "n": 1 })) && check(serde_json::json!({ "n": null, "w": "x" })));
    for wrong in [r#"{}"#, r#"{"n":"1"}"#, r#"{"n":1,"w":"y"}"#, r#"{"n":1,"z":0}"#, "[]"] {
        assert!(!check(serde_json::from_str(wrong).expect("JSON")), "{wrong}");
    }
}

#[test]
fn every_route_of_a_phone_is_described() {
    check_routes(offhook::web::phone::OPENAPI, &offhook::web::phone::list());
}

#[test]
fn every_route_of_an_exchange_is_described() {
    check_routes(offhook::web::exchange::OPENAPI, &offhook::web::exchange::list());
}

#[test]
fn a_phone_answers_as_described() {
    const CALL: &str = "set account.1.advanced.outgoing_call_without_registration 1\n\
        set linekey.1.type 16 linekey.1.value 7002\ndial 7002\n";
    let arguments =
        ["phone", "--stdio", "--listen", "127.0.76.1", "--account", "7001:sixteen-letters-long@127.0.76.9"];
    let phone = Program::start("127.0.76.1", &arguments);
    let document = phone.client.get("/api/openapi.json").json();
    phone.client.post("/api/commands", CALL);
    for (method, path) in
        [("GET", "/"), ("GET", "/api/openapi.json"), ("GET", "/api/view"), ("GET", "/api/configuration")]
    {
        if path != "/api/openapi.json" {
            check_answer(&document, method, path, &phone.client.ask(method, path, ""));
        }
    }
    let view = phone.client.get("/api/view").json();
    assert!(view["calls"][0].is_object() && view["keys"][0].is_object(), "something to check: {view}");
    let imported = phone.client.ask("PUT", "/api/configuration", "#!version:1.0.0.1\nacount.1.label = x\n");
    assert_eq!(imported.json()["faults"][0]["nearest"], "account.1.label");
    check_answer(&document, "PUT", "/api/configuration", &imported);
    check_answer(&document, "POST", "/api/commands", &phone.client.post("/api/commands", "hold"));
    check_answer(&document, "POST", "/api/commands", &phone.client.post("/api/commands", ""));
}
