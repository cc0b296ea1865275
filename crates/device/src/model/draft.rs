//! A thing model learnt from what devices send.
//!
//! What is learnt is a summary that can be added to another one, in any order and grouping. Guesses are cautious: a
//! range is given only after many values and wider than they were, and a few numbers are called an enumeration only
//! after many more.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use crate::{NewEvent, NewPoint};

/// Properties and events of a draft, and members of a structure.
const NAMES_MAX: usize = 300;
const MEMBERS_MAX: usize = 50;
/// Structures within structures.
const DEPTH_MAX: usize = 3;
/// So many values have to be seen before a range is guessed …
const RANGE_AFTER: u64 = 20;
/// … and before a few whole numbers are called an enumeration, or 0 and 1 a switch.
const FEW_AFTER: u64 = 50;
const FEW: usize = 5;

/// What was learnt of a product.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    properties: BTreeMap<String, Seen>,
    events: BTreeMap<String, Seen>,
}

/// What was seen of a value.
#[derive(Clone, Debug, Default, PartialEq)]
struct Seen {
    booleans: u64,
    integers: u64,
    reals: u64,
    texts: u64,
    objects: u64,
    lists: u64,
    /// Of numbers.
    minimum: Option<f64>,
    maximum: Option<f64>,
    /// Whole numbers, as long as they are few.
    values: BTreeSet<i64>,
    /// There were more than a few.
    many: bool,
    /// Characters of the longest text, elements of the longest list.
    longest: u64,
    members: BTreeMap<String, Seen>,
    element: Option<Box<Seen>>,
}

impl Draft {
    /// Learns from a value.
    pub fn learn_point(&mut self, point: &NewPoint) {
        if let Some(seen) = entry(&mut self.properties, &point.id, NAMES_MAX) {
            seen.learn(&point.value.to_json(), 0);
        }
    }

    /// Learns from an event.
    pub fn learn_event(&mut self, event: &NewEvent) {
        if let Some(seen) = entry(&mut self.events, &event.id, NAMES_MAX) {
            seen.learn(&event.params, 0);
        }
    }

    /// Adds what another draft has learnt.
    pub fn merge(&mut self, other: &Draft) {
        merge(&mut self.properties, &other.properties, NAMES_MAX);
        merge(&mut self.events, &other.events, NAMES_MAX);
    }

    /// The thing model that fits what was seen.
    pub fn to_tsl(&self, product: &str) -> Json {
        let feature =
            |(id, seen): (&String, &Seen)| json!({"identifier": id, "name": id, "dataType": seen.guess()});
        let properties: Vec<Json> = self
            .properties
            .iter()
            .map(|(id, seen)| {
                json!({"identifier": id, "name": id, "accessMode": "rw", "required": false, "dataType": seen.guess()})
            })
            .collect();
        let events = self.events.iter().map(|(id, seen)| {
            let outputs: Vec<Json> = seen.members.iter().map(feature).collect();
            json!({"identifier": id, "name": id, "type": "info", "outputData": outputs})
        });
        json!({
            "profile": {"version": "1.0", "productKey": product},
            "properties": properties,
            "events": events.collect::<Vec<_>>(),
            "services": [],
        })
    }

    /// All that was learnt, to be kept.
    pub fn to_json(&self) -> Json {
        json!({"properties": all_to_json(&self.properties), "events": all_to_json(&self.events)})
    }

    /// What [`Draft::to_json`] has written; `None` if it has not.
    pub fn of_json(json: &Json) -> Option<Draft> {
        Some(Draft {
            properties: all_of_json(json.get("properties")?, 0)?,
            events: all_of_json(json.get("events")?, 0)?,
        })
    }
}

impl Seen {
    fn learn(&mut self, value: &Json, depth: usize) {
        match value {
            Json::Null => {}
            Json::Bool(_) => self.booleans = self.booleans.saturating_add(1),
            Json::Number(number) => {
                match number.as_i64() {
                    Some(integer) => {
                        self.integers = self.integers.saturating_add(1);
                        self.note_value(integer);
                    }
                    None => self.reals = self.reals.saturating_add(1),
                }
                let number = number.as_f64();
                self.minimum = smaller(self.minimum, number);
                self.maximum = larger(self.maximum, number);
            }
            Json::String(text) => {
                self.texts = self.texts.saturating_add(1);
                self.longest = self.longest.max(text.chars().count() as u64);
            }
            Json::Array(list) => {
                self.lists = self.lists.saturating_add(1);
                self.longest = self.longest.max(list.len() as u64);
                if depth < DEPTH_MAX {
                    for value in list.iter().take(MEMBERS_MAX) {
                        self.element.get_or_insert_default().learn(value, depth + 1);
                    }
                }
            }
            Json::Object(object) => {
                self.objects = self.objects.saturating_add(1);
                if depth < DEPTH_MAX {
                    for (name, value) in object {
                        if let Some(seen) = entry(&mut self.members, name, MEMBERS_MAX) {
                            seen.learn(value, depth + 1);
                        }
                    }
                }
            }
        }
    }

    fn note_value(&mut self, value: i64) {
        if !self.many {
            self.values.insert(value);
            self.many = self.values.len() > FEW;
        }
        if self.many {
            self.values.clear();
        }
    }

    fn merge(&mut self, other: &Seen) {
        self.booleans = self.booleans.saturating_add(other.booleans);
        self.integers = self.integers.saturating_add(other.integers);
        self.reals = self.reals.saturating_add(other.reals);
        self.texts = self.texts.saturating_add(other.texts);
        self.objects = self.objects.saturating_add(other.objects);
        self.lists = self.lists.saturating_add(other.lists);
        self.minimum = smaller(self.minimum, other.minimum);
        self.maximum = larger(self.maximum, other.maximum);
        self.values.extend(&other.values);
        self.many |= other.many || self.values.len() > FEW;
        if self.many {
            self.values.clear();
        }
        self.longest = self.longest.max(other.longest);
        merge(&mut self.members, &other.members, MEMBERS_MAX);
        if let Some(element) = &other.element {
            self.element.get_or_insert_default().merge(element);
        }
    }

    /// The narrowest type that takes everything that was seen.
    fn guess(&self) -> Json {
        let kinds = [self.booleans, self.integers.max(self.reals), self.texts, self.objects, self.lists];
        if kinds.iter().filter(|&&count| count > 0).count() > 1 {
            // Booleans beside 0 and 1 are a switch; everything else that is mixed is shown as text.
            let is_switch = self.only_switches() && kinds.iter().skip(2).all(|&count| count == 0);
            return if is_switch { switch() } else { json!({"type": "text", "specs": {"length": "10240"}}) };
        }
        if self.booleans > 0 {
            return switch();
        }
        if self.reals > 0 {
            return json!({"type": "double", "specs": self.range()});
        }
        if self.integers > 0 {
            return self.guess_integer();
        }
        if self.objects > 0 {
            let member = |(id, seen): (&String, &Seen)| json!({"identifier": id, "name": id, "dataType": seen.guess()});
            return json!({"type": "struct", "specs": self.members.iter().map(member).collect::<Vec<_>>()});
        }
        if self.lists > 0 {
            let mut specs = json!({"size": "512"});
            if let (Some(element), Json::Object(specs)) = (&self.element, &mut specs) {
                specs.insert("item".to_owned(), element.guess());
            }
            return json!({"type": "array", "specs": specs});
        }
        json!({"type": "text", "specs": {"length": self.text_length()}})
    }

    fn guess_integer(&self) -> Json {
        if self.integers >= FEW_AFTER && self.only_switches() && self.values.len() == 2 {
            return switch();
        }
        let few =
            !self.many && self.values.iter().all(|value| (0..=15).contains(value)) && self.values.len() > 1;
        if self.integers >= FEW_AFTER && few {
            let values: Map<String, Json> =
                self.values.iter().map(|value| (value.to_string(), json!(value.to_string()))).collect();
            return json!({"type": "enum", "specs": values});
        }
        json!({"type": "int", "specs": self.range()})
    }

    fn only_switches(&self) -> bool {
        self.reals == 0 && !self.many && self.values.iter().all(|value| matches!(value, 0 | 1))
    }

    /// Twice as wide as what was seen, rounded outwards; nothing while little was seen.
    fn range(&self) -> Json {
        let (Some(minimum), Some(maximum)) = (self.minimum, self.maximum) else { return json!({}) };
        if self.integers.saturating_add(self.reals) < RANGE_AFTER {
            return json!({});
        }
        let reach = minimum.abs().max(maximum.abs()).max(1.0) * 2.0;
        let magnitude = 10_f64.powf(reach.log10().ceil());
        // A whole number has to stay one that 64 bits can hold.
        if !magnitude.is_finite() || magnitude > 1.0e15 {
            return json!({});
        }
        let low = if minimum < 0.0 { -magnitude } else { 0.0 };
        json!({"min": format!("{low:.0}"), "max": format!("{magnitude:.0}")})
    }

    fn text_length(&self) -> String {
        let lengths = [64, 256, 1024, 2048, 10_240];
        let fitting = lengths.into_iter().find(|length| self.longest.saturating_mul(2) <= *length);
        fitting.unwrap_or(10_240).to_string()
    }

    fn to_json(&self) -> Json {
        json!({
            "b": self.booleans, "i": self.integers, "r": self.reals, "t": self.texts, "o": self.objects,
            "l": self.lists, "min": self.minimum, "max": self.maximum, "v": self.values, "many": self.many,
            "len": self.longest, "m": all_to_json(&self.members),
            "e": self.element.as_ref().map(|element| element.to_json()),
        })
    }

    fn of_json(json: &Json, depth: usize) -> Option<Seen> {
        if depth > DEPTH_MAX {
            return None;
        }
        let count = |name: &str| json.get(name)?.as_u64();
        let values = json.get("v")?.as_array()?.iter();
        Some(Seen {
            booleans: count("b")?,
            integers: count("i")?,
            reals: count("r")?,
            texts: count("t")?,
            objects: count("o")?,
            lists: count("l")?,
            minimum: json.get("min")?.as_f64(),
            maximum: json.get("max")?.as_f64(),
            values: values.map(Json::as_i64).collect::<Option<_>>()?,
            many: json.get("many")?.as_bool()?,
            longest: count("len")?,
            members: all_of_json(json.get("m")?, depth + 1)?,
            element: match json.get("e")? {
                Json::Null => None,
                element => Some(Box::new(Seen::of_json(element, depth + 1)?)),
            },
        })
    }
}

fn switch() -> Json {
    json!({"type": "bool", "specs": {"0": "off", "1": "on"}})
}

fn entry<'a>(map: &'a mut BTreeMap<String, Seen>, name: &str, bound: usize) -> Option<&'a mut Seen> {
    if !map.contains_key(name) {
        if map.len() >= bound || name.is_empty() || name.len() > 128 {
            return None;
        }
        map.insert(name.to_owned(), Seen::default());
    }
    map.get_mut(name)
}

fn merge(into: &mut BTreeMap<String, Seen>, other: &BTreeMap<String, Seen>, bound: usize) {
    for (name, seen) in other {
        if let Some(known) = entry(into, name, bound) {
            known.merge(seen);
        }
    }
}

fn smaller(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    a.into_iter().chain(b).reduce(f64::min)
}

fn larger(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    a.into_iter().chain(b).reduce(f64::max)
}

fn all_to_json(map: &BTreeMap<String, Seen>) -> Json {
    Json::Object(map.iter().map(|(name, seen)| (name.clone(), seen.to_json())).collect())
}

fn all_of_json(json: &Json, depth: usize) -> Option<BTreeMap<String, Seen>> {
    let member = |(name, seen): (&String, &Json)| Some((name.clone(), Seen::of_json(seen, depth)?));
    json.as_object()?.iter().map(member).collect()
}
