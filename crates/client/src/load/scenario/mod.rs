//! The scenarios.

mod bystanders;
mod churn;
mod crowd;
mod flow;
mod handout;
mod idle;
mod ingest;
mod overload;
mod queued;
mod retained;
mod sessions;
mod stalled;
mod subscriptions;

pub use bystanders::Bystanders;
pub use churn::Churn;
pub use crowd::Crowd;
pub use flow::{Flow, Shape};
pub use handout::Handout;
pub use idle::Idle;
pub use ingest::Ingest;
pub use overload::Overload;
pub use queued::{Part, Queued};
pub use retained::Retained;
pub use sessions::Sessions;
pub use stalled::Stalled;
pub use subscriptions::{Subscriptions, Topics};

use std::time::Duration;

/// A run that is not done by then has failed.
const LIMIT: Duration = Duration::from_secs(300);
/// Bytes of the number at the start of a payload.
const NUMBER_SIZE: usize = 8;
