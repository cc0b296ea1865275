//! The durable store: an append-only log, and an index of what in it still counts.
//!
//! [`Store`] is the store without thread or clock, over any [`Disk`]: real ([`FileDisk`]) or simulated ([`sim`]).
//! The format of the files and what each mode promises are in `docs/store.md`.

mod block;
mod disk;
mod error;
mod event;
mod file_disk;
mod image;
mod keeper;
mod limited;
mod log;
mod manifest;
mod segment;
pub mod sim;
mod store;
mod tools;

pub use disk::Disk;
pub use error::{Cut, Damage, StoreError};
pub use event::StoreEvent;
pub use file_disk::FileDisk;
pub use keeper::{Keeper, KeeperFigures, KeeperOptions, Tell};
pub use limited::Limited;
pub use log::find::Finding;
pub use store::{BadCommit, Cleaned, Figures, Mode, Opened, Options, Store};
pub use tools::{ImportError, Imported, Repaired, Report, check, export, import, repair};
