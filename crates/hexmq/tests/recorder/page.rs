//! The examples of the page about the recorder.

use std::io::Read;

use serde_json::Value;

use crate::calls::{answer, ask};
use crate::serving::{Server, connect};

/// Every member of the example is in the answer, with a value of the same kind.
fn has_shape(example: &Value, answer: &Value) -> Result<(), String> {
    match (example, answer) {
        (Value::Object(example), Value::Object(answer)) => {
            for (name, value) in example {
                let found = answer.get(name).ok_or_else(|| format!("`{name}` is missing"))?;
                has_shape(value, found).map_err(|error| format!("{name}: {error}"))?;
            }
            let unknown = answer.keys().find(|name| !example.contains_key(*name));
            unknown.map_or(Ok(()), |name| Err(format!("`{name}` is not in the example")))
        }
        (Value::Array(example), Value::Array(answer)) => match (example.first(), answer.first()) {
            (Some(example), Some(answer)) => has_shape(example, answer),
            (Some(_), None) => Err("the list is empty".to_owned()),
            _ => Ok(()),
        },
        _ if std::mem::discriminant(example) == std::mem::discriminant(answer) => Ok(()),
        _ => Err(format!("{answer} where the example has {example}")),
    }
}

/// The blocks of a page: their language and what stands in them.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let fenced = page.split("\n```").skip(1).step_by(2);
    fenced.filter_map(|block| block.split_once('\n')).collect()
}

#[test]
fn the_examples_of_the_page_are_answered_as_it_says() {
    let page = include_str!("../../../../docs/recorder.md");
    let server = Server::start(&[]);
    let mut wrong = connect(4, "device-1", 60, &["u", "secret"]);
    wrong[0] = 0x11;
    server.client().send(&wrong).closed();
    let mut answered = Value::Null;
    let mut requests = 0;
    for (language, text) in blocks(page) {
        if let Some(status) = language.strip_prefix("http ") {
            let (line, body) = text.split_once("\n\n").unwrap_or((text, ""));
            let (method, path) = line.trim().split_once(' ').expect("a method and a path");
            let (code, _, mut reader) = answer(ask(&server, method, path, body));
            let mut said = String::new();
            reader.read_to_string(&mut said).expect("a body");
            assert_eq!(code.to_string(), status, "{line}: {said}");
            answered = serde_json::from_str(&said).unwrap_or_default();
            requests += 1;
        } else if language == "json" {
            let example: Value = serde_json::from_str(text).expect("JSON");
            if let Err(error) = has_shape(&example, &answered) {
                panic!("{error}: {answered}");
            }
        }
    }
    assert_eq!(requests, 6);
    for setting in ["--rejections", "--rejections-bytes", "--recorder-watch-bytes", "--recorder-bytes"] {
        assert!(page.contains(&format!("| `{setting}` |")), "{setting}");
    }
}
