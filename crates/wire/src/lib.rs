//! MQTT control packets of 3.1, 3.1.1 and 5.0: one model, decoded in place, encoded, traced.
//!
//! Guarantees: decoding and encoding a PUBLISH never allocates; every packet borrows from the
//! frame it was read from; the protocol version is an argument, never a copy of the code. The
//! decoder that serves is the decoder that explains: what differs is the [`Trace`] given to it.
//!
//! Not here: when a packet is allowed (that is `session` and `broker`), and any I/O.

mod decode;
mod encode;
mod fault;
mod fixed_header;
mod framer;
mod frames;
mod packet;
mod property;
mod qos;
mod reader;
mod reason_code;
mod trace;
mod version;

pub use decode::{Leniency, decode, decode_publish};
pub use encode::{EncodeError, PublishParts, encode_publish, patch_packet_identifier};
pub use fault::{Fault, FaultCode, Severity};
pub use fixed_header::{
    FixedHeader, PacketType, REMAINING_LENGTH_MAX, encode_remaining_length, remaining_length_size,
};
pub use framer::{Fed, Frame, FrameError, FrameStatus, Framer, scan_frame};
pub use frames::Frames;
pub use packet::*;
pub use property::{
    Place, Places, Properties, PropertiesBuf, PropertiesIter, Property, PropertyId, PropertyRow,
    PropertyType, Repeat, property_rows,
};
pub use qos::{Delivery, PacketIdentifier, QoS};
pub use reason_code::ReasonCode;
pub use trace::{Field, NoTrace, Section, Trace, Value, Verdict};
pub use version::Version;
