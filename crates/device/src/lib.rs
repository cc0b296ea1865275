//! The deciding core of the device cloud.
//!
//! Words: what a device reports ([`Value`], [`Datum`], [`Time`]), where it stands in the bytes ([`Span`]), how
//! devices sign ([`mac`]). Things: [`Product`]s, [`Device`]s, and what is kept of them. [`Dialect`] is what a
//! cloud's language is to the platform; [`port`] says what the platform asks of the world and the world of it.
//!
//! Guarantees: reading never panics and never recurses without a bound, whatever the bytes are; everything
//! that is read keeps its place, so that a person can be shown the very byte. No I/O, no clock, and no name of
//! a vendor but in [`DialectName`].

mod datum;
mod dialect;
mod fleet;
pub mod json;
mod kept;
pub mod life;
pub mod mac;
pub mod model;
mod order;
mod plain;
pub mod port;
pub mod shadow;
mod span;
mod time;
mod value;

pub use datum::Datum;
pub use dialect::{
    Admission, Answered, Ask, Desired, Diagnosis, Dialect, Downlink, Ingredient, Manners, ModelFault,
    ModelFaultKind, NewEvent, NewPoint, Offer, Order, OrderError, Outcome, Problem, ProblemKind, Reach,
    Receipt, Refused, RefusedCode, Registration, RegistrationStyle, Request, Shadow, ShadowAsk, SignIn,
    SubDevice, SubSign, TopicRule, Understood, Uplink, UplinkError,
};
pub use fleet::{Device, DeviceRef, DialectName, Presence, Product, Quirk, Secret, Validation, is_id};
pub use kept::{
    ApiKey, Batch, Command, CommandState, Direction, Document, Event, LOG_BYTES_MAX, LogLine, Point,
    PresenceChange, Scope,
};
pub use plain::Plain;
pub use shadow::DesiredValues;
pub use span::Span;
pub use time::{CivilTime, Time};
pub use value::Value;
