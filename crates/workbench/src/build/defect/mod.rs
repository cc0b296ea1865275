//! Deliberately wrong packets: named mistakes that devices really make.
//!
//! Each is one mistake in one place; what it does not touch stays right. So whoever looks at the
//! packet, a server under test or [`explain`](crate::explain), has one thing to find.

mod body;
mod connect;
mod header;
mod needs;
mod property;
mod sheet;
mod string;

use std::fmt;

use hexmq_wire::Version;

use crate::{Language, Text};
use sheet::Sheet;

/// A named mistake.
#[derive(Debug)]
pub struct Defect {
    /// The stable name, in lower case with hyphens.
    pub name: &'static str,
    /// What is wrong then.
    pub about: Text,
    /// The packets it can be made in.
    pub needs: Text,
    /// The codes [`explain`](crate::explain) finds it by, at least one of them; `rest` stands for bytes that
    /// are left over or missing.
    pub finds: &'static [&'static str],
    /// Whether it is found in every packet. Otherwise the bytes may be legal as they stand, and only
    /// the intention is wrong: then it is found where more in the packet speaks for it, if at all.
    pub always: bool,
    make: fn(&Sheet<'_>) -> Option<Vec<u8>>,
}

/// A defect that cannot be made in a packet.
#[derive(Clone, Copy, Debug)]
pub struct DefectError {
    /// Which one.
    pub defect: &'static Defect,
}

impl fmt::Display for DefectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let needs = self.defect.needs.in_language(Language::English);
        write!(f, "the defect `{}` cannot be made in this packet: it needs {needs}", self.defect.name)
    }
}

impl std::error::Error for DefectError {}

impl Defect {
    /// All defects, in the order of the bytes they are about.
    pub fn all() -> impl Iterator<Item = &'static Defect> {
        let tables = [header::DEFECTS, connect::DEFECTS, string::DEFECTS, body::DEFECTS, property::DEFECTS];
        tables.into_iter().flatten()
    }

    /// The defect with this name.
    pub fn from_name(name: &str) -> Option<&'static Defect> {
        Defect::all().find(|defect| defect.name == name)
    }

    /// The packet with this defect. `frame` is one whole packet; a CONNECT says its version itself.
    ///
    /// # Errors
    /// The packet has nothing the mistake could be made with.
    pub fn apply(&'static self, frame: &[u8], version: Version) -> Result<Vec<u8>, DefectError> {
        let sheet = Sheet::new(frame, version);
        let spoiled = sheet.and_then(|sheet| (self.make)(&sheet)).filter(|spoiled| spoiled != frame);
        spoiled.ok_or(DefectError { defect: self })
    }
}
