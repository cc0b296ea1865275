//! The dialect of China Mobile OneNET as functions without I/O.
//!
//! [`dp`] reads and writes what devices upload to `$dp`; [`connect`] reads what a CONNECT says of a
//! device; [`token`] computes and verifies the tokens of the newer accesses, [`thing`] reads their
//! JSON; [`topic`] knows which topic means what. Facts are those of the vendor's document "device access protocol 4, MQTT" V2.3
//! and of the vendor's device libraries; each reader names the rule that was broken and its byte.
//!
//! Not here: who is registered, which zone a product's times are in, what becomes of a data point.

pub mod by_token;
pub mod connect;
mod doctor;
pub mod dp;
pub mod legacy;
pub mod rest;
mod secret;
pub mod thing;
pub mod token;
pub mod topic;

pub use by_token::OnenetToken;
pub use legacy::Onenet;
pub use rest::Api;
