//! What both ends of an MQTT connection keep: messages in flight, packet identifiers, topic
//! aliases, and the two clocks they are measured with.
//!
//! Guarantees: nothing here does I/O or reads a clock; an empty value owns no heap; the sender's
//! side ([`InFlight`]) does not allocate in steady state.
//!
//! Not here: what a message is (the owner chooses the type), queues in front of the window, and
//! any decision that needs more than one connection.

mod aliases;
mod clock;
mod inflight;
mod keep_alive;
mod received;

pub use aliases::{AliasError, AliasUse, AliasesIn, AliasesOut};
pub use clock::{Mono, Now, Wall};
pub use inflight::{AckError, InFlight, Resend};
pub use keep_alive::keep_alive_deadline;
pub use received::Received;
