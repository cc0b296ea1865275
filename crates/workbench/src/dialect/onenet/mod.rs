//! OneNET inside CONNECT and PUBLISH.

pub(super) mod connect;
mod dp;
pub(super) mod publish;
mod thing;

/// The vendor's rules, by what they are about.
pub(super) const LEGACY: &str = "OneNET CONNECT";
pub(super) const TOKEN: &str = "OneNET token";
pub(super) const TOPICS: &str = "OneNET topics";
pub(super) const DP: &str = "OneNET $dp";
pub(super) const COMMANDS: &str = "OneNET $creq/$crsp";
pub(super) const THING: &str = "OneNET thing model";
