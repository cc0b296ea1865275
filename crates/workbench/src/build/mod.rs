//! Packets from fields, right ones and deliberately wrong ones, in every form a tool takes.
//!
//! A [`Draft`] is a neutral description: fields by the standard's names in snake_case, the ones
//! that [`explain`](crate::explain) tells. It writes what it is told, so that a packet that was
//! explained can be written again byte by byte, faults included; what it is not told gets the
//! value a right packet has, and lengths are always computed. For right packets its bytes are those
//! of the encoder that serves, which a property test shows.
//!
//! A [`Defect`] turns a right packet into a wrong one that a device could really have sent.

mod defect;
mod draft;
mod error;
mod json;
mod names;
mod payload;
mod property;
mod sign_in;
mod value;
mod write;

pub use defect::{Defect, DefectError};
pub use draft::{ConnectFlags, Draft, DraftSubscription, DraftWill, FirstByte};
pub use error::BuildError;
pub use json::{Assumed, drafts_from_json};
pub use payload::{alink, alink_topic, dp};
pub use property::{DraftProperty, DraftValue};
pub use sign_in::{Credentials, SignIn, SignMethod};
