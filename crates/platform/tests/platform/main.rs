//! The platform with a data base, connections and a clock of the tests' own.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod commands;
mod entry;
mod fleet;
mod gateways;
mod outages;
mod presence;
mod registry;
mod shadows;
mod store;
mod uplinks;
mod webhooks;
mod world;
