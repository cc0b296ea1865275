//! The commands, one file each.

pub(crate) mod admin;
pub(crate) mod bench;
pub(crate) mod build;
pub(crate) mod capture;
pub(crate) mod client;
pub(crate) mod connection;
pub(crate) mod diff;
pub(crate) mod explain;
pub(crate) mod publish;
pub(crate) mod raw;
pub(crate) mod recorded;
pub(crate) mod replay;
pub(crate) mod request;
pub(crate) mod serve;
pub(crate) mod simulate;
pub(crate) mod store;
pub(crate) mod subscribe;
pub(crate) mod user;
