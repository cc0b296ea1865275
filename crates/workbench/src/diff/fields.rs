//! The fields of two packets of one kind, by name.

use hexmq_wire::PropertyId;

use super::Item;
use crate::Language;
use crate::explanation::{Explanation, Field, FieldValue};
use crate::text::meaning::label;

/// A field that differs.
#[derive(Clone, Debug)]
pub struct FieldChange {
    /// The names from the outermost group to the field, `subscriptions[1].topic_filter`.
    pub path: String,
    /// The name for people.
    pub label: String,
    /// In the first packet; `None` if it has no such field.
    pub a: Option<Spot>,
    /// In the second packet; `None` if it has no such field.
    pub b: Option<Spot>,
}

/// A field where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Spot {
    /// First byte, from the start of the input; of a recording from the start of the packet.
    pub offset: usize,
    /// Bytes, a length in front included.
    pub length: usize,
    /// For bit fields: lowest bit and width.
    pub bits: Option<(u8, u8)>,
    /// The value.
    pub value: FieldValue,
    /// What it means.
    pub text: String,
}

/// A field of one packet with its path.
struct Leaf {
    path: String,
    name: &'static str,
    spot: Spot,
}

/// The fields that differ, in the order of the first packet; those only the second has stand where
/// they stand there.
pub(super) fn changes(a: &Item, b: &Item, language: Language) -> Vec<FieldChange> {
    let (leaves_a, leaves_b) = (leaves(a, language), leaves(b, language));
    let mut changes = Vec::new();
    let mut next_b = 0;
    let change = |path: &str, name: &str, a: Option<Spot>, b: Option<Spot>| FieldChange {
        path: path.to_owned(),
        label: label(name, language),
        a,
        b,
    };
    let is_in_a = |leaf: &Leaf| leaves_a.iter().any(|other| other.path == leaf.path);
    for leaf in &leaves_a {
        let partner = leaves_b.iter().position(|other| other.path == leaf.path);
        if let Some(index) = partner.filter(|index| *index >= next_b) {
            // What only the second packet has in front of the partner.
            let skipped = leaves_b.get(next_b..index).unwrap_or_default();
            let alone = skipped.iter().filter(|other| !is_in_a(other));
            changes
                .extend(alone.map(|other| change(&other.path, other.name, None, Some(other.spot.clone()))));
            next_b = index + 1;
        }
        let other = partner.and_then(|index| leaves_b.get(index)).map(|other| &other.spot);
        if other.is_none_or(|other| other.value != leaf.spot.value) {
            changes.push(change(&leaf.path, leaf.name, Some(leaf.spot.clone()), other.cloned()));
        }
    }
    let alone = leaves_b.get(next_b..).unwrap_or_default().iter().filter(|other| !is_in_a(other));
    changes.extend(alone.map(|other| change(&other.path, other.name, None, Some(other.spot.clone()))));
    changes
}

fn leaves(item: &Item, language: Language) -> Vec<Leaf> {
    let explanation: Explanation = item.explain(language);
    let begun = explanation.rest.as_ref().and_then(|rest| rest.begun.as_ref());
    let packet = explanation.packets.first().or(begun);
    let mut leaves = Vec::new();
    if let Some(packet) = packet.filter(|_| item.is_packet) {
        collect(&packet.fields, "", item.offset.unwrap_or(0), &mut leaves);
    } else {
        let spot = Spot {
            offset: item.offset.unwrap_or(0),
            length: item.bytes.len(),
            bits: None,
            value: FieldValue::Bytes(item.bytes.clone()),
            text: String::new(),
        };
        leaves.push(Leaf { path: "unknown".to_owned(), name: "unknown", spot });
    }
    leaves
}

/// Fields without others in them; a property counts as one, a User Property as its two strings.
fn collect(fields: &[Field], prefix: &str, base: usize, leaves: &mut Vec<Leaf>) {
    for (index, field) in fields.iter().enumerate() {
        let same_name = |other: &&Field| other.name == field.name;
        let several = fields.iter().filter(same_name).count() > 1;
        let number = fields.get(..index).unwrap_or_default().iter().filter(same_name).count();
        let mut path =
            if prefix.is_empty() { field.name.to_owned() } else { format!("{prefix}.{}", field.name) };
        if several {
            path += &format!("[{number}]");
        }
        let is_property = PropertyId::from_name(field.name).is_some();
        let is_pair = is_property && field.value == FieldValue::Group;
        // A value with further fields in it is compared by itself, and so is what a cloud reads in it.
        let has_own_value = !matches!(field.value, FieldValue::Group);
        let is_bits = field.bits.is_some()
            || matches!(field.name, "connect_flags" | "connect_acknowledge_flags" | "subscription_options");
        if field.fields.is_empty() || has_own_value && !is_bits {
            leaves.push(Leaf { path, name: field.name, spot: spot(field, base) });
        } else if is_pair {
            let inner = field.fields.iter().filter(|inner| inner.name != "identifier");
            leaves.extend(inner.map(|inner| Leaf {
                path: format!("{path}.{}", inner.name),
                name: field.name,
                spot: spot(inner, base),
            }));
        } else {
            collect(&field.fields, &path, base, leaves);
        }
    }
}

fn spot(field: &Field, base: usize) -> Spot {
    Spot {
        offset: base + field.offset,
        length: field.length,
        bits: field.bits,
        value: field.value.clone(),
        text: field.text.clone(),
    }
}
