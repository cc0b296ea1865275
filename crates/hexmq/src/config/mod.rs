//! The configuration of `hexmq serve`: flags and a TOML file become one resolved [`Config`].
//!
//! A flag wins over the file, the file over the default. After resolving, nothing is optional
//! that has a default, and every value has been checked.

mod cloud;
mod file;
mod listeners;
mod resolve;
mod settings;
#[cfg(test)]
mod tests;
mod units;
mod values;

pub(crate) use cloud::{Cloud, RegistryPlace};
pub(crate) use file::{ConfigError, ConfigFile};
pub(crate) use resolve::{Config, User};
pub(crate) use settings::Settings;
pub(crate) use units::{ByteSize, Span};
pub(crate) use values::{Durability, HttpAddress, LogLevel, Secret};
