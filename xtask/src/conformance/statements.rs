//! The statements and the reasons, read from `docs/conformance`.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// One version of the standard.
pub(super) struct Standard {
    /// `3.1.1` or `5.0`.
    pub(super) name: &'static str,
    /// The digit behind `V` in citations.
    pub(super) version: u8,
    /// In the order of the standard; unnumbered rules last.
    pub(super) statements: Vec<Statement>,
}

/// One normative statement, in our own words.
pub(super) struct Statement {
    pub(super) id: String,
    pub(super) section: String,
    pub(super) binds: String,
    pub(super) level: String,
    pub(super) wording: String,
}

impl Statement {
    /// Whether a server can break it: `both`, `sender` and `receiver` include the server.
    pub(super) fn binds_server(&self) -> bool {
        self.binds != "client"
    }
}

pub(super) fn read(root: &Path) -> Result<Vec<Standard>, String> {
    let folder = root.join("docs/conformance");
    let mut v5 = statements(&folder.join("statements-5.0.json"))?;
    v5.extend(statements(&folder.join("unnumbered-5.0.json"))?);
    Ok(vec![
        Standard {
            name: "3.1.1",
            version: 4,
            statements: statements(&folder.join("statements-3.1.1.json"))?,
        },
        Standard { name: "5.0", version: 5, statements: v5 },
    ])
}

/// `(version, id, reason)` for the statements that need no code or no test.
pub(super) fn reasons(root: &Path) -> Result<Vec<(u8, String, String)>, String> {
    let path = root.join("docs/conformance/reasons.json");
    let value = json(&path)?;
    let mut out = Vec::new();
    for (key, version) in [("3.1.1", 4), ("5.0", 5)] {
        let Some(reasons) = value.get(key).and_then(Value::as_object) else {
            return Err(format!("{}: an object {key:?} is missing", path.display()));
        };
        for (id, reason) in reasons {
            let Some(reason) = reason.as_str() else {
                return Err(format!("{}: the reason of {id} is not a text", path.display()));
            };
            out.push((version, id.clone(), reason.to_owned()));
        }
    }
    Ok(out)
}

fn statements(path: &Path) -> Result<Vec<Statement>, String> {
    let value = json(path)?;
    let list = value.get("statements").and_then(Value::as_array);
    let list = list.ok_or_else(|| format!("{}: no list of statements", path.display()))?;
    list.iter()
        .map(|entry| {
            let text = |key: &str| {
                let text = entry.get(key).and_then(Value::as_str).map(str::to_owned);
                text.ok_or_else(|| format!("{}: an entry without {key}: {entry}", path.display()))
            };
            Ok(Statement {
                id: text("id")?,
                section: text("section")?,
                binds: text("binds")?,
                level: text("level")?,
                wording: text("wording")?,
            })
        })
        .collect()
}

fn json(path: &Path) -> Result<Value, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
}
