//! The newer format: blocks that tell their own length. Sections may differ in byte order, and each
//! interface has its link type and its clock.

use super::{Item, RECORD_MAX, Raw, Step, u16_at, u32_at};
use crate::capture::error::Problem;
use crate::capture::link::LinkType;
use crate::recording::Timestamp;

/// The type of a section header: the same in both byte orders.
pub(super) const SECTION_HEADER: [u8; 4] = [0x0A, 0x0D, 0x0D, 0x0A];

const INTERFACE: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
const SECRETS: u32 = 10;
/// `TLSK`: a key log as browsers and libraries write it.
const SECRETS_TLS: u32 = 0x544C_534B;

/// More interfaces than this in a section are no capture.
const INTERFACES_MAX: usize = 65_536;

/// What an Interface Description Block tells.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: LinkType,
    clock: Clock,
    /// Bytes kept of each packet at most; 0 is no limit.
    snapshot_length: u32,
}

/// How the times of an interface count.
#[derive(Clone, Copy, Debug)]
struct Clock {
    unit: Unit,
    /// Seconds to add.
    offset_s: i64,
}

#[derive(Clone, Copy, Debug)]
enum Unit {
    /// Each unit is so many nanoseconds.
    Nanoseconds(u64),
    /// So many units are a second.
    PerSecond(u64),
}

impl Clock {
    /// Microseconds, where the interface says nothing.
    const USUAL: Clock = Clock { unit: Unit::Nanoseconds(1_000), offset_s: 0 };

    #[inline]
    fn time(self, units: u64) -> Timestamp {
        let ns = match self.unit {
            Unit::Nanoseconds(each) => units.saturating_mul(each),
            Unit::PerSecond(per_second) => {
                let ns = u128::from(units) * 1_000_000_000 / u128::from(per_second.max(1));
                u64::try_from(ns).unwrap_or(u64::MAX)
            }
        };
        if self.offset_s == 0 {
            return Timestamp(ns);
        }
        Timestamp(ns.saturating_add_signed(self.offset_s.saturating_mul(1_000_000_000)))
    }

    /// The unit that an `if_tsresol` byte means.
    fn unit(resolution: u8) -> Unit {
        let exponent = u32::from(resolution & 0x7F);
        if resolution & 0x80 != 0 {
            return Unit::PerSecond(1_u64.checked_shl(exponent).unwrap_or(u64::MAX));
        }
        match exponent {
            0..=9 => Unit::Nanoseconds(10_u64.pow(9 - exponent)),
            _ => Unit::PerSecond(10_u64.checked_pow(exponent).unwrap_or(u64::MAX)),
        }
    }
}

/// A pcapng file.
#[derive(Debug, Default)]
pub(super) struct PcapNg {
    big_endian: bool,
    interfaces: Vec<Interface>,
    /// Simple packets have no time of their own.
    last: Timestamp,
}

impl PcapNg {
    #[inline]
    pub(super) fn step<'a>(&mut self, bytes: &'a [u8]) -> Result<Step<'a>, Problem> {
        const LEAST: usize = 12;
        if bytes.len() < LEAST {
            return Ok(Step::Needs(LEAST));
        }
        if bytes.first_chunk() == Some(&SECTION_HEADER) {
            self.begin_section(bytes)?;
        }
        let length = u32_at(bytes, 4, self.big_endian).unwrap_or_default() as usize;
        if length > RECORD_MAX {
            return Err(Problem::RecordTooLong { length: length as u64 });
        }
        if length < LEAST || !length.is_multiple_of(4) {
            return Err(Problem::BlockLength { length: length as u64 });
        }
        let Some(block) = bytes.get(..length) else { return Ok(Step::Needs(length)) };
        let again = u32_at(block, length - 4, self.big_endian).unwrap_or_default();
        if again as usize != length {
            return Err(Problem::BlockLengths { front: length as u64, back: u64::from(again) });
        }
        let kind = u32_at(block, 0, self.big_endian).unwrap_or_default();
        let body = block.get(8..length - 4).unwrap_or_default();
        Ok(Step::Item(self.block(kind, body)?, length))
    }

    /// The byte order comes first: without it not even the length can be read.
    #[cold]
    fn begin_section(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        self.big_endian = match bytes.get(8..).and_then(<[u8]>::first_chunk::<4>) {
            Some([0x1A, 0x2B, 0x3C, 0x4D]) => true,
            Some([0x4D, 0x3C, 0x2B, 0x1A]) => false,
            _ => return Err(Problem::ByteOrder),
        };
        self.interfaces.clear();
        Ok(())
    }

    #[inline]
    fn block<'a>(&mut self, kind: u32, body: &'a [u8]) -> Result<Item<'a>, Problem> {
        match kind {
            ENHANCED_PACKET => self.enhanced(body),
            SIMPLE_PACKET => self.simple(body),
            PACKET => self.obsolete(body),
            INTERFACE => self.interface(body).map(|()| Item::Nothing),
            SECRETS => Ok(self.secrets(body)),
            _ => Ok(Item::Nothing),
        }
    }

    fn number(&self, body: &[u8], at: usize) -> Result<u32, Problem> {
        u32_at(body, at, self.big_endian).ok_or(Problem::BlockTooShort)
    }

    #[inline]
    fn enhanced<'a>(&mut self, body: &'a [u8]) -> Result<Item<'a>, Problem> {
        let interface = self.number(body, 0)?;
        self.packet(body, interface, 4, 20)
    }

    /// A packet with its time at `time` and its bytes at `data`, lengths right before them.
    #[inline]
    fn packet<'a>(
        &mut self,
        body: &'a [u8],
        interface: u32,
        time: usize,
        data: usize,
    ) -> Result<Item<'a>, Problem> {
        let interface =
            *self.interfaces.get(interface as usize).ok_or(Problem::UnknownInterface { interface })?;
        let (high, low) = (self.number(body, time)?, self.number(body, time + 4)?);
        let length = self.number(body, time + 8)? as usize;
        let bytes = body.get(data..).and_then(|data| data.get(..length)).ok_or(Problem::BlockTooShort)?;
        self.last = interface.clock.time(u64::from(high) << 32 | u64::from(low));
        Ok(Item::Packet(Raw { at: self.last, link: interface.link, bytes }))
    }

    fn obsolete<'a>(&mut self, body: &'a [u8]) -> Result<Item<'a>, Problem> {
        let interface = u16_at(body, 0, self.big_endian).ok_or(Problem::BlockTooShort)?;
        self.packet(body, u32::from(interface), 4, 20)
    }

    fn simple<'a>(&mut self, body: &'a [u8]) -> Result<Item<'a>, Problem> {
        let interface = *self.interfaces.first().ok_or(Problem::UnknownInterface { interface: 0 })?;
        let mut length = self.number(body, 0)? as usize;
        if interface.snapshot_length != 0 {
            length = length.min(interface.snapshot_length as usize);
        }
        let data = body.get(4..).unwrap_or_default();
        // The block is padded to four bytes and tells the original length, which may be longer.
        let bytes = data.get(..length).unwrap_or(data);
        Ok(Item::Packet(Raw { at: self.last, link: interface.link, bytes }))
    }

    fn interface(&mut self, body: &[u8]) -> Result<(), Problem> {
        if self.interfaces.len() >= INTERFACES_MAX {
            return Err(Problem::TooManyInterfaces);
        }
        let link = u16_at(body, 0, self.big_endian).ok_or(Problem::BlockTooShort)?;
        let snapshot_length = self.number(body, 4)?;
        let mut interface =
            Interface { link: LinkType::from_code(link), clock: Clock::USUAL, snapshot_length };
        let mut options = body.get(8..).unwrap_or_default();
        while let (Some(code), Some(length)) =
            (u16_at(options, 0, self.big_endian), u16_at(options, 2, self.big_endian))
        {
            let length = usize::from(length);
            let Some(value) = options.get(4..4 + length) else { break };
            match (code, value) {
                (0, _) => break,
                (9, &[resolution]) => interface.clock.unit = Clock::unit(resolution),
                (14, value) => interface.clock.offset_s = self.seconds(value),
                _ => {}
            }
            options = options.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        }
        self.interfaces.push(interface);
        Ok(())
    }

    fn seconds(&self, value: &[u8]) -> i64 {
        match value.first_chunk() {
            Some(bytes) if self.big_endian => i64::from_be_bytes(*bytes),
            Some(bytes) => i64::from_le_bytes(*bytes),
            None => 0,
        }
    }

    fn secrets<'a>(&self, body: &'a [u8]) -> Item<'a> {
        let (kind, length) = (u32_at(body, 0, self.big_endian), u32_at(body, 4, self.big_endian));
        let text = length.and_then(|length| body.get(8..)?.get(..length as usize));
        match (kind, text) {
            (Some(SECRETS_TLS), Some(text)) => Item::Secrets(text),
            _ => Item::Nothing,
        }
    }
}
