//! Thing models: what a product's devices report, tell and can do.
//!
//! A model is read from and written as TSL, the JSON both old clouds describe their products in; values, events and
//! orders are judged by it. A [`Draft`] is a model learnt from what devices send.

mod check;
mod draft;
mod tsl;

use std::collections::BTreeMap;

use serde_json::Value as Json;

pub use check::too_late;
pub use draft::Draft;

/// What a product's devices report, tell and can do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    properties: BTreeMap<String, Property>,
    events: BTreeMap<String, Vec<Member>>,
    services: BTreeMap<String, Service>,
    /// The TSL it was read from, with everything that nothing is judged by: names, descriptions, units.
    source: Json,
}

/// A value that devices report or take.
#[derive(Clone, Debug, PartialEq)]
struct Property {
    kind: DataType,
    readable: bool,
    writable: bool,
}

/// Something that devices can do.
#[derive(Clone, Debug, Default, PartialEq)]
struct Service {
    inputs: Vec<Member>,
}

/// A named part of a structure, of an event or of a service's inputs.
#[derive(Clone, Debug, PartialEq)]
struct Member {
    identifier: String,
    kind: DataType,
    required: bool,
}

/// What a value may be.
#[derive(Clone, Debug, PartialEq)]
enum DataType {
    Integer {
        minimum: Option<i64>,
        maximum: Option<i64>,
    },
    Real {
        minimum: Option<f64>,
        maximum: Option<f64>,
    },
    Boolean,
    Enumeration(Vec<i64>),
    /// At most so many characters.
    Text(Option<usize>),
    Date,
    Structure(Vec<Member>),
    Array {
        size: Option<usize>,
        element: Option<Box<DataType>>,
    },
}

/// Why a TSL is no thing model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelError {
    /// Where: `properties[3].dataType`.
    pub path: String,
    /// In a sentence.
    pub message: String,
}

impl Model {
    /// The model that a TSL describes.
    pub fn parse(tsl: &Json) -> Result<Model, ModelError> {
        tsl::parse(tsl)
    }

    /// The TSL, as it was read.
    pub fn tsl(&self) -> &Json {
        &self.source
    }
}
