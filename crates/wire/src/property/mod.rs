//! Properties of 5.0 (section 2.2.2): the table, the values, and the bytes that hold them.

mod buf;
mod properties;
mod table;
mod value;

pub use buf::PropertiesBuf;
pub use properties::{Properties, PropertiesIter};
pub use table::{Place, Places, PropertyId, PropertyRow, PropertyType, Repeat, property_rows};
pub use value::Property;

pub(crate) use value::{RawValue, RawValueError, read_raw_value};
