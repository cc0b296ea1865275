//! JSON as fields: members and elements with their places.

use hexmq_device::Value;
use hexmq_device::json::{Member, Node, NodeKind};

use super::site::Carrier;
use crate::Language;
use crate::explanation::{Field, FieldValue};
use crate::language::say;

/// Members and elements that are shown of one payload; the bytes of the others are there all the
/// same.
const SHOWN_MOST: usize = 256;
/// Objects and arrays in each other that are shown.
const DEPTH_MOST: usize = 12;

/// Makes fields of JSON that begins at `base` in a carrier.
pub(super) struct JsonFields<'c> {
    carrier: &'c Carrier<'c>,
    base: usize,
    language: Language,
    left: usize,
}

impl<'c> JsonFields<'c> {
    pub(super) fn new(carrier: &'c Carrier<'c>, base: usize, language: Language) -> JsonFields<'c> {
        JsonFields { carrier, base, language, left: SHOWN_MOST }
    }

    /// The members or elements of a value.
    fn inside(&mut self, node: &Node<'_>, depth: usize) -> Vec<Field> {
        if depth >= DEPTH_MOST {
            return Vec::new();
        }
        let mut fields = Vec::new();
        for member in node.members().unwrap_or_default() {
            let Some(left) = self.left.checked_sub(1) else { break };
            self.left = left;
            fields.push(self.member_at(member, "json_member", depth));
        }
        for element in node.elements().unwrap_or_default() {
            let Some(left) = self.left.checked_sub(1) else { break };
            self.left = left;
            let span = element.span.shifted(self.base);
            let mut field = self.carrier.field("json_element", span, scalar(element), self.kind(element));
            field.fields = self.inside(element, depth + 1);
            fields.push(field);
        }
        fields
    }

    /// A member as a field of this name.
    pub(super) fn member(&mut self, member: &Member<'_>, name: &'static str) -> Field {
        self.member_at(member, name, 0)
    }

    fn member_at(&mut self, member: &Member<'_>, name: &'static str, depth: usize) -> Field {
        let name_span = member.name_span.shifted(self.base);
        let whole = hexmq_device::Span::between(member.name_span.offset, member.value.span.end());
        let mut field = self.carrier.field(
            name,
            whole.shifted(self.base),
            scalar(&member.value),
            self.kind(&member.value),
        );
        let about = say!(self.language, "The name of the member.", "成员的名字。");
        let value = FieldValue::Text(member.name.clone().into_owned());
        field.fields = vec![self.carrier.field("name", name_span, value, about)];
        field.fields.extend(self.inside(&member.value, depth + 1));
        field
    }

    /// What kind of value it is.
    fn kind(&self, node: &Node<'_>) -> String {
        match &node.kind {
            NodeKind::Null => say!(self.language, "No value.", "空值。"),
            NodeKind::Boolean(_) => say!(self.language, "True or false.", "布尔值。"),
            NodeKind::Number(_) => say!(self.language, "A number.", "数字。"),
            NodeKind::String(_) => say!(self.language, "Text.", "文本。"),
            NodeKind::Array(elements) => {
                let count = elements.len();
                say!(self.language, "An array of {count}.", "含 {count} 个元素的数组。")
            }
            NodeKind::Object(members) => {
                let count = members.len();
                say!(self.language, "An object with {count} members.", "含 {count} 个成员的对象。")
            }
        }
    }
}

/// The value of a node that is neither object nor array.
fn scalar(node: &Node<'_>) -> FieldValue {
    match &node.kind {
        NodeKind::Null => FieldValue::Text("null".to_owned()),
        NodeKind::Boolean(value) => FieldValue::Flag(*value),
        NodeKind::Number(text) => match Value::number(text) {
            Some(value) => of_value(&value),
            None => FieldValue::Text((*text).to_owned()),
        },
        NodeKind::String(text) => FieldValue::Text(text.clone().into_owned()),
        NodeKind::Array(_) | NodeKind::Object(_) => FieldValue::Group,
    }
}

/// A device's value as that of a field.
pub(super) fn of_value(value: &Value<'_>) -> FieldValue {
    match value {
        Value::Integer(number) => match u64::try_from(*number) {
            Ok(number) => FieldValue::Number(number),
            Err(_) => FieldValue::Real(*number as f64),
        },
        Value::Real(number) => FieldValue::Real(*number),
        Value::Boolean(flag) => FieldValue::Flag(*flag),
        Value::Text(text) => FieldValue::Text(text.clone().into_owned()),
        Value::Json(text) => FieldValue::Text((*text).to_owned()),
        Value::Binary(bytes) => FieldValue::Bytes(bytes.to_vec()),
    }
}
