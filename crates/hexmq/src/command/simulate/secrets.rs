//! Devices and their secrets from a file: CSV or JSON, as `hexmq device` exports them.

use std::path::Path;

use serde_json::Value;

use crate::command::client::Trouble;

/// Devices that a file may name.
const DEVICES_MAX: usize = 1_000_000;

/// Id and secret of each device, in the order of the file.
pub(super) fn read(path: &Path) -> Result<Vec<(String, String)>, Trouble> {
    let named = || format!("cannot take devices from {}", path.display());
    let hint =
        "a CSV file with the columns id and secret, or JSON such as [{\"id\":\"d1\",\"secret\":\"s\"}]";
    let text = std::fs::read_to_string(path)
        .map_err(|error| Trouble::new(named(), error, "the path of a file that exists"))?;
    let is_json = text.trim_start().starts_with(['[', '{']);
    let devices = if is_json { of_json(&text) } else { of_csv(&text) };
    devices.map_err(|error| Trouble::new(named(), error, hint))
}

fn of_json(text: &str) -> Result<Vec<(String, String)>, String> {
    let json: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let list = json.get("items").unwrap_or(&json);
    let pairs: Result<Vec<_>, String> = match list {
        Value::Array(devices) => devices
            .iter()
            .enumerate()
            .map(|(index, device)| match (device["id"].as_str(), device["secret"].as_str()) {
                (Some(id), Some(secret)) => Ok((id.to_owned(), secret.to_owned())),
                _ => Err(format!("element {index} has no id or no secret as text")),
            })
            .collect(),
        Value::Object(devices) => devices
            .iter()
            .map(|(id, secret)| match secret.as_str() {
                Some(secret) => Ok((id.clone(), secret.to_owned())),
                None => Err(format!("the secret of {id} is no text")),
            })
            .collect(),
        _ => Err("neither an array nor an object".to_owned()),
    };
    checked(pairs?)
}

fn of_csv(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let (_, header) = lines.next().ok_or("the file is empty")?;
    let columns = fields(header.trim_start_matches('\u{feff}'))?;
    let column = |name: &str| columns.iter().position(|column| column.trim().eq_ignore_ascii_case(name));
    // Without a header the first two columns are meant.
    let (id, secret, has_header) = match (column("id"), column("secret")) {
        (Some(id), Some(secret)) => (id, secret, true),
        (None, None) => (0, 1, false),
        _ => return Err("line 1: of the columns id and secret there is only one".to_owned()),
    };
    let first = (!has_header).then_some((0, header));
    let pairs: Result<Vec<_>, String> = first
        .into_iter()
        .chain(lines)
        .map(|(index, line)| {
            let fields = fields(line).map_err(|error| format!("line {}: {error}", index + 1))?;
            match (fields.get(id), fields.get(secret)) {
                (Some(id), Some(secret)) if !id.is_empty() => Ok((id.clone(), secret.clone())),
                _ => Err(format!("line {}: no id or no secret", index + 1)),
            }
        })
        .collect();
    checked(pairs?)
}

/// The fields of a line of CSV; double quotes may surround one, and two of them are one.
fn fields(line: &str) -> Result<Vec<String>, String> {
    let mut fields = Vec::new();
    let mut letters = line.chars().peekable();
    loop {
        let mut field = String::new();
        if letters.next_if_eq(&'"').is_some() {
            loop {
                match letters.next() {
                    Some('"') if letters.next_if_eq(&'"').is_some() => field.push('"'),
                    Some('"') => break,
                    Some(letter) => field.push(letter),
                    None => return Err("a double quote is not closed".to_owned()),
                }
            }
        }
        while let Some(letter) = letters.next_if(|letter| *letter != ',') {
            field.push(letter);
        }
        fields.push(field);
        if letters.next().is_none() {
            return Ok(fields);
        }
    }
}

fn checked(pairs: Vec<(String, String)>) -> Result<Vec<(String, String)>, String> {
    match pairs.len() {
        0 => Err("no device in it".to_owned()),
        count if count > DEVICES_MAX => Err(format!("{count} devices; {DEVICES_MAX} are the most")),
        _ => Ok(pairs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(id, secret)| ((*id).to_owned(), (*secret).to_owned())).collect()
    }

    #[test]
    fn both_forms_are_read() {
        let expected = pairs(&[("d1", "s1"), ("d2", "s,\"2")]);
        assert_eq!(of_csv("name,id,secret\nx,d1,s1\n\ny,d2,\"s,\"\"2\"\n"), Ok(expected.clone()));
        assert_eq!(of_csv("d1,s1\nd2,\"s,\"\"2\""), Ok(expected.clone()));
        assert_eq!(
            of_json(r#"[{"id":"d1","secret":"s1"},{"id":"d2","secret":"s,\"2"}]"#),
            Ok(expected.clone())
        );
        assert_eq!(of_json(r#"{"d1":"s1","d2":"s,\"2"}"#), Ok(expected.clone()));
        assert_eq!(
            of_json(r#"{"items":[{"id":"d1","secret":"s1"},{"id":"d2","secret":"s,\"2"}]}"#),
            Ok(expected)
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        assert_eq!(of_csv(""), Err("the file is empty".to_owned()));
        assert_eq!(of_csv("id,secret\nd1"), Err("line 2: no id or no secret".to_owned()));
        assert_eq!(
            of_csv("id,name\nd1,x"),
            Err("line 1: of the columns id and secret there is only one".to_owned())
        );
        assert_eq!(of_csv("id,secret\n\"d1,x"), Err("line 2: a double quote is not closed".to_owned()));
        assert_eq!(of_csv("id,secret\n"), Err("no device in it".to_owned()));
        assert!(of_json("[1]").is_err_and(|error| error.contains("element 0")));
        assert!(of_json("{\"a\":1}").is_err_and(|error| error.contains("secret of a")));
        assert!(of_json("[").is_err());
    }
}
