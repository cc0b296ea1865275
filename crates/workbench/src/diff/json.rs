//! The stable JSON shape of a difference, described in `docs/diff.md`.

use serde_json::{Map, Value, json};

use super::{ByteChange, DialogueDiff, Diff, FieldChange, Item, Row, Spot};
use crate::hex::plain_hex;
use crate::json::value;

impl Diff {
    /// The difference as JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "equal": self.is_equal(),
            "dialogues": self.dialogues.iter().map(dialogue).collect::<Vec<_>>(),
        })
    }
}

fn dialogue(dialogue: &DialogueDiff) -> Value {
    json!({ "a": dialogue.a, "b": dialogue.b, "rows": dialogue.rows.iter().map(row).collect::<Vec<_>>() })
}

fn row(row: &Row) -> Value {
    match row {
        Row::Same(a, b) => json!({ "change": "same", "a": item(a), "b": item(b) }),
        Row::Changed { a, b, fields, bytes } => json!({
            "change": "changed",
            "a": item(a),
            "b": item(b),
            "fields": fields.iter().map(field).collect::<Vec<_>>(),
            "bytes": bytes.iter().map(range).collect::<Vec<_>>(),
        }),
        Row::OnlyA(a) => json!({ "change": "only_a", "a": item(a) }),
        Row::OnlyB(b) => json!({ "change": "only_b", "b": item(b) }),
    }
}

fn item(item: &Item) -> Value {
    json!({
        "type": item.name(),
        "offset": item.offset,
        "length": item.bytes.len(),
        "version": item.version.level(),
        "from": item.from.map(|side| side.name()),
        "hex": plain_hex(&item.bytes),
    })
}

fn field(change: &FieldChange) -> Value {
    json!({ "path": change.path, "a": change.a.as_ref().map(spot), "b": change.b.as_ref().map(spot) })
}

fn spot(spot: &Spot) -> Value {
    let mut object = Map::new();
    object.insert("offset".to_owned(), spot.offset.into());
    object.insert("length".to_owned(), spot.length.into());
    if let Some((bit, bits)) = spot.bits {
        object.insert("bit".to_owned(), bit.into());
        object.insert("bits".to_owned(), bits.into());
    }
    let (value, encoding) = value(&spot.value);
    object.insert("value".to_owned(), value);
    if let Some(encoding) = encoding {
        object.insert("encoding".to_owned(), encoding.into());
    }
    object.insert("text".to_owned(), spot.text.as_str().into());
    Value::Object(object)
}

fn range(change: &ByteChange) -> Value {
    let side = |(offset, length): (usize, usize)| json!({ "offset": offset, "length": length });
    json!({ "a": side(change.a), "b": side(change.b) })
}
