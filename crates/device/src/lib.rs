//! The deciding core of the device cloud.
//!
//! Words: what a device reports ([`Value`], [`Datum`], [`Time`]), where it stands in the bytes ([`Span`]), how
//! devices sign ([`mac`]). Things: [`Product`]s, [`Device`]s, and what is kept of them. [`Dialect`] is what a
//! cloud's language is to the platform; [`port`] says what the platform asks of the world and the world of it.
//!
//! Guarantees: reading never panics and never recurses without a bound, whatever the bytes are; everything
//! that is read keeps its place, so that a person can be shown the very byte. No I/O, no clock, and no name of
//! a vendor but in [`DialectName`].

mod ask;
mod datum;
mod dialect;
mod fleet;
pub mod json;
mod kept;
pub mod life;
pub mod mac;
pub mod model;
mod order;
mod outcome;
pub mod percent;
mod plain;
pub mod port;
mod rest;
pub mod shadow;
mod span;
mod time;
mod value;

pub use ask::{Answered, Ask, NewEvent, NewPoint, Receipt, Request, ShadowAsk, SubDevice, SubSign};
pub use datum::Datum;
pub use dialect::{
    Admission, Diagnosis, Dialect, Ingredient, Manners, Reach, Refused, RefusedCode, Registration,
    RegistrationStyle, SignIn, TopicRule, Understood, Uplink, UplinkError,
};
pub use fleet::{Device, DeviceRef, DialectName, Presence, Product, Quirk, Secret, Validation, is_id};
pub use kept::{
    ApiKey, Batch, Command, CommandState, Direction, Document, Event, LOG_BYTES_MAX, LogLine, Point,
    PresenceChange, Scope,
};
pub use order::{Downlink, Order, OrderError};
pub use outcome::{Desired, ModelFault, ModelFaultKind, Offer, Outcome, Problem, ProblemKind, Shadow};
pub use plain::Plain;
pub use shadow::DesiredValues;
pub use span::Span;
pub use time::{CivilTime, Time};
pub use value::Value;
