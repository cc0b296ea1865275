//! Settings that are neither numbers nor text.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error};
use tracing::level_filters::LevelFilter;

use super::RegistryPlace;

/// When an acknowledgement is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Once it is on disk: it outlives a power cut.
    Disk,
    /// Once the operating system has it: it outlives this process, but not the machine.
    Process,
    /// Once the message is in memory: a crash or a restart loses it.
    Memory,
}

impl Durability {
    /// The stable name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Durability::Disk => "disk",
            Durability::Process => "process",
            Durability::Memory => "memory",
        }
    }

    /// What an acknowledgement promises, in words.
    pub(crate) const fn promise(self) -> &'static str {
        match self {
            Durability::Disk => "what is acknowledged is on disk",
            Durability::Process => "what is acknowledged outlives this process, but not a power cut",
            Durability::Memory => "a restart forgets sessions, queues and retained messages",
        }
    }
}

impl FromStr for Durability {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "disk" => Ok(Durability::Disk),
            "process" => Ok(Durability::Process),
            "memory" => Ok(Durability::Memory),
            _ => Err(format!("`{text}` is not a durability; there are `disk`, `process` and `memory`")),
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where the HTTP API listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HttpAddress {
    /// Nowhere.
    Off,
    /// There; port 0 takes any free one.
    On(SocketAddr),
}

impl FromStr for HttpAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(HttpAddress::Off);
        }
        text.to_socket_addrs()
            .ok()
            .and_then(|mut addresses| addresses.next())
            .map(HttpAddress::On)
            .ok_or_else(|| format!("`{text}` is not an address; write HOST:PORT (127.0.0.1:18083) or off"))
    }
}

impl fmt::Display for HttpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HttpAddress::Off => f.write_str("off"),
            HttpAddress::On(address) => address.fmt(f),
        }
    }
}

/// How much is told on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogLevel(pub(crate) LevelFilter);

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let level = match text {
            "off" => LevelFilter::OFF,
            "error" => LevelFilter::ERROR,
            "warn" => LevelFilter::WARN,
            "info" => LevelFilter::INFO,
            "debug" => LevelFilter::DEBUG,
            "trace" => LevelFilter::TRACE,
            _ => return Err(format!("`{text}` is not a level; off, error, warn, info, debug or trace")),
        };
        Ok(LogLevel(level))
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A password. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) String);

impl FromStr for Secret {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            Err("a password cannot be empty".to_owned())
        } else {
            Ok(Secret(text.to_owned()))
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

macro_rules! deserialize_from_text {
    ($($ty:ty),+) => {$(
        impl<'de> Deserialize<'de> for $ty {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    )+};
}

deserialize_from_text!(Durability, HttpAddress, LogLevel, RegistryPlace, Secret);
