//! Tables for people: columns as wide as they have to be, of characters as a terminal shows them.

use hexmq_workbench::width;
use serde_json::Value;

/// What stands where there is nothing.
const NOTHING: &str = "-";

/// A table of the members of JSON objects; a heading names each column, a pointer says where its cells are.
pub(super) fn table(columns: &[(&str, &str)], items: &[Value]) -> String {
    let heading = columns.iter().map(|(heading, _)| (*heading).to_owned()).collect();
    let row = |item: &Value| columns.iter().map(|(_, pointer)| cell(item.pointer(pointer))).collect();
    let rows: Vec<Vec<String>> = std::iter::once(heading).chain(items.iter().map(row)).collect();
    let widths: Vec<usize> = (0..columns.len())
        .map(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0)
        })
        .collect();
    let mut page = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, wide) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', wide - width(cell) + 2));
        }
        page.push_str(line.trim_end());
        page.push('\n');
    }
    page
}

/// The members of an object, one a line; those within objects behind dots.
pub(super) fn sheet(value: &Value) -> String {
    let mut rows = Vec::new();
    gather(String::new(), value, &mut rows);
    let wide = rows.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    rows.iter().fold(String::new(), |page, (name, cell)| {
        let blanks = " ".repeat(wide - width(name) + 2);
        page + name + &blanks + cell + "\n"
    })
}

fn gather(name: String, value: &Value, rows: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (member, value) in members {
                let name = if name.is_empty() { member.clone() } else { format!("{name}.{member}") };
                gather(name, value, rows);
            }
        }
        other => rows.push((name, cell(Some(other)))),
    }
}

/// One value on one line; control characters of devices do not reach the terminal.
pub(super) fn cell(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => return NOTHING.to_owned(),
        Some(Value::Object(members)) if members.is_empty() => return NOTHING.to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_stand_under_one_another_whatever_the_letters() {
        let items = [json!({"id":"a","name":"温度"}), json!({"id":"longer","name":"x\u{1b}[2J","more":{}})];
        let page = table(&[("ID", "/id"), ("NAME", "/name"), ("MORE", "/more")], &items);
        assert_eq!(page, "ID      NAME   MORE\na       温度   -\nlonger  x\u{FFFD}[2J  -\n");
    }

    #[test]
    fn a_sheet_shows_what_is_within() {
        let page = sheet(&json!({"id":"d","tags":{"row":"2"},"since":null}));
        assert_eq!(page, "id        d\ntags.row  2\nsince     -\n");
    }
}
