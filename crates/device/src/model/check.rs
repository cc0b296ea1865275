//! Values, events and orders judged by a model.

use serde_json::{Map, Value as Json};

use super::{DataType, Member, Model};
use crate::{Datum, ModelFault, ModelFaultKind, NewEvent, NewPoint, Order};

/// A value may be so far ahead of us: clocks differ, but not by more than a day.
const AHEAD_MS: i64 = 86_400_000;
/// Bytes of a text and elements of an array where the model says nothing.
const TEXT_MAX: usize = 10_240;
const ELEMENTS_MAX: usize = 512;

/// What is wrong with the time of a value or an event, whatever the model says.
pub fn too_late(identifier: &str, at_ms: Option<i64>, now_ms: i64) -> Option<ModelFault> {
    let at_ms = at_ms?;
    let is_late = at_ms > now_ms.saturating_add(AHEAD_MS);
    is_late.then(|| fault(identifier, ModelFaultKind::Time, "its time is more than a day ahead"))
}

impl Model {
    /// What is wrong with a value that a device reports.
    pub fn judge_point(&self, point: &NewPoint) -> Option<ModelFault> {
        let Some(property) = self.properties.get(&point.id) else {
            return Some(unknown(&point.id, "property"));
        };
        let result = match &point.value {
            Datum::Binary(_) => Err((ModelFaultKind::Text, "bytes are no value of a thing model".to_owned())),
            value => property.kind.check(&value.to_json()),
        };
        result.err().map(|(kind, message)| fault(&point.id, kind, message))
    }

    /// What is wrong with an event that a device tells.
    pub fn judge_event(&self, event: &NewEvent) -> Vec<ModelFault> {
        let Some(outputs) = self.events.get(&event.id) else { return vec![unknown(&event.id, "event")] };
        judge_members(outputs, &event.params, &event.id)
    }

    /// What is wrong with an order for a device.
    pub fn judge_order(&self, order: &Order) -> Vec<ModelFault> {
        match order {
            Order::Set(params) => self.judge_set(params),
            Order::Get(names) => names.iter().filter_map(|name| self.judge_get(name)).collect(),
            Order::Invoke { service, params, .. } => match self.services.get(service) {
                Some(known) => judge_members(&known.inputs, params, service),
                None => vec![unknown(service, "service")],
            },
            _ => Vec::new(),
        }
    }

    fn judge_set(&self, params: &Json) -> Vec<ModelFault> {
        let Some(params) = params.as_object() else {
            return vec![fault("set", ModelFaultKind::Structure, "an object of properties is expected")];
        };
        let judge = |(name, value): (&String, &Json)| {
            let Some(property) = self.properties.get(name) else { return Some(unknown(name, "property")) };
            if !property.writable {
                return Some(fault(name, ModelFaultKind::Access, "the property may only be read"));
            }
            property.kind.check(value).err().map(|(kind, message)| fault(name, kind, message))
        };
        params.iter().filter_map(judge).collect()
    }

    fn judge_get(&self, name: &str) -> Option<ModelFault> {
        match self.properties.get(name) {
            None => Some(unknown(name, "property")),
            Some(property) if !property.readable => {
                Some(fault(name, ModelFaultKind::Access, "the property may only be written"))
            }
            Some(_) => None,
        }
    }
}

type Checked = Result<(), (ModelFaultKind, String)>;

impl DataType {
    fn check(&self, value: &Json) -> Checked {
        match self {
            DataType::Integer { minimum, maximum } => {
                let Some(number) = whole(value) else {
                    return wrong(ModelFaultKind::Integer, "a whole number", value);
                };
                let fits = minimum.is_none_or(|minimum| number >= minimum)
                    && maximum.is_none_or(|maximum| number <= maximum);
                in_range(fits, ModelFaultKind::Integer, value, minimum, maximum)
            }
            DataType::Real { minimum, maximum } => {
                let Some(number) = value.as_f64() else {
                    return wrong(ModelFaultKind::Real, "a number", value);
                };
                let fits = minimum.is_none_or(|minimum| number >= minimum)
                    && maximum.is_none_or(|maximum| number <= maximum);
                in_range(fits, ModelFaultKind::Real, value, minimum, maximum)
            }
            DataType::Boolean => match value {
                Json::Bool(_) => Ok(()),
                _ if matches!(whole(value), Some(0 | 1)) => Ok(()),
                _ => wrong(ModelFaultKind::Boolean, "0 or 1", value),
            },
            DataType::Enumeration(values) => {
                let number = whole(value).or_else(|| value.as_str()?.parse().ok());
                if number.is_some_and(|number| values.contains(&number)) {
                    return Ok(());
                }
                let known: Vec<String> = values.iter().take(20).map(i64::to_string).collect();
                wrong(ModelFaultKind::Enumeration, &format!("one of {}", known.join(", ")), value)
            }
            DataType::Text(length) => {
                let Some(text) = value.as_str() else { return wrong(ModelFaultKind::Text, "a text", value) };
                let bound = length.unwrap_or(TEXT_MAX);
                // The clouds count bytes in one place and characters in another: the wider reading is taken.
                if text.chars().count() <= bound {
                    return Ok(());
                }
                Err((ModelFaultKind::Text, format!("a text of at most {bound} characters is expected")))
            }
            DataType::Date => {
                let is_date = match value {
                    Json::String(text) => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()),
                    value => whole(value).is_some_and(|number| number >= 0),
                };
                if is_date {
                    Ok(())
                } else {
                    wrong(ModelFaultKind::Date, "a text of UTC milliseconds", value)
                }
            }
            DataType::Structure(members) => check_structure(members, value),
            DataType::Array { size, element } => check_array(*size, element.as_deref(), value),
        }
    }
}

fn check_structure(members: &[Member], value: &Json) -> Checked {
    let Some(object) = value.as_object() else { return wrong(ModelFaultKind::Structure, "an object", value) };
    for (name, value) in object {
        let Some(member) = members.iter().find(|member| member.identifier == *name) else {
            return Err((ModelFaultKind::Structure, format!("there is no member {name}")));
        };
        let checked = member.kind.check(value);
        checked.map_err(|(_, message)| (ModelFaultKind::Structure, format!("{name}: {message}")))?;
    }
    match missing(members, object) {
        Some(name) => Err((ModelFaultKind::Structure, format!("the member {name} is missing"))),
        None => Ok(()),
    }
}

fn check_array(size: Option<usize>, element: Option<&DataType>, value: &Json) -> Checked {
    let Some(list) = value.as_array() else { return wrong(ModelFaultKind::Array, "a list", value) };
    let bound = size.unwrap_or(ELEMENTS_MAX);
    if list.len() > bound {
        let message = format!("a list of at most {bound} elements is expected, these are {}", list.len());
        return Err((ModelFaultKind::Array, message));
    }
    let Some(element) = element else { return Ok(()) };
    for (at, value) in list.iter().enumerate() {
        let checked = element.check(value);
        checked.map_err(|(_, message)| (ModelFaultKind::Array, format!("element {at}: {message}")))?;
    }
    Ok(())
}

/// Named values of an event or a service: each right, none unknown, none that is required missing.
fn judge_members(members: &[Member], params: &Json, of: &str) -> Vec<ModelFault> {
    let empty = Map::new();
    let object = match params {
        Json::Null => &empty,
        Json::Object(object) => object,
        _ => return vec![fault(of, ModelFaultKind::Structure, "an object is expected")],
    };
    let judge = |(name, value): (&String, &Json)| {
        let identifier = format!("{of}.{name}");
        let Some(member) = members.iter().find(|member| member.identifier == *name) else {
            return Some(unknown(&identifier, "value"));
        };
        member.kind.check(value).err().map(|(kind, message)| fault(&identifier, kind, message))
    };
    let mut faults: Vec<ModelFault> = object.iter().filter_map(judge).collect();
    if let Some(name) = missing(members, object) {
        faults.push(fault(&format!("{of}.{name}"), ModelFaultKind::Missing, "it is required and missing"));
    }
    faults
}

fn missing<'a>(members: &'a [Member], object: &Map<String, Json>) -> Option<&'a str> {
    let gone = members.iter().find(|member| member.required && !object.contains_key(&member.identifier));
    gone.map(|member| &*member.identifier)
}

/// A whole number, also one that is written with a decimal point and zeros behind it.
fn whole(value: &Json) -> Option<i64> {
    let exact = |real: f64| (real.fract() == 0.0 && real.abs() < 9.0e15).then_some(real as i64);
    value.as_i64().or_else(|| value.as_f64().and_then(exact))
}

fn wrong(kind: ModelFaultKind, expected: &str, value: &Json) -> Checked {
    let shown: String = value.to_string().chars().take(40).collect();
    Err((kind, format!("{expected} is expected, this is {shown}")))
}

fn in_range(
    fits: bool,
    kind: ModelFaultKind,
    value: &Json,
    minimum: &Option<impl ToString>,
    maximum: &Option<impl ToString>,
) -> Checked {
    if fits {
        return Ok(());
    }
    let bound = |bound: Option<String>, none: &str| bound.unwrap_or_else(|| none.to_owned());
    let from = bound(minimum.as_ref().map(ToString::to_string), "any");
    let to = bound(maximum.as_ref().map(ToString::to_string), "any");
    Err((kind, format!("{value} is out of range: from {from} to {to} is expected")))
}

fn unknown(identifier: &str, what: &str) -> ModelFault {
    fault(identifier, ModelFaultKind::Unknown, format!("the thing model has no such {what}"))
}

fn fault(identifier: &str, kind: ModelFaultKind, message: impl Into<String>) -> ModelFault {
    ModelFault { identifier: identifier.to_owned(), kind, message: message.into() }
}
