//! The classic format: one header, then records of 16 bytes and a packet each.

use super::{Item, RECORD_MAX, Raw, Step, u16_at, u32_at};
use crate::capture::error::Problem;
use crate::capture::link::LinkType;
use crate::recording::Timestamp;

/// Bytes of the file's header.
pub(super) const HEADER: usize = 24;
/// Bytes in front of each packet.
const RECORD: usize = 16;

/// A pcap file behind its header.
#[derive(Debug)]
pub(super) struct Pcap {
    big_endian: bool,
    /// Nanoseconds per unit of the second half of a time.
    unit_ns: u64,
    link: LinkType,
}

impl Pcap {
    /// Reads the header. `None`: it is not whole yet.
    pub(super) fn begin(bytes: &[u8]) -> Result<Option<(Pcap, usize)>, Problem> {
        let Some(&magic) = bytes.first_chunk::<4>() else { return Ok(None) };
        let (big_endian, unit_ns) = match magic {
            [0xD4, 0xC3, 0xB2, 0xA1] => (false, 1_000),
            [0xA1, 0xB2, 0xC3, 0xD4] => (true, 1_000),
            [0x4D, 0x3C, 0xB2, 0xA1] => (false, 1),
            [0xA1, 0xB2, 0x3C, 0x4D] => (true, 1),
            magic => return Err(Problem::NoCapture { magic }),
        };
        let (Some(major), Some(link)) = (u16_at(bytes, 4, big_endian), u32_at(bytes, 20, big_endian)) else {
            return Ok(None);
        };
        if major != 2 {
            return Err(Problem::FormatVersion { major });
        }
        // The upper half may tell of a checksum behind each packet; it does not matter here.
        let link = LinkType::from_code(link as u16);
        Ok(Some((Pcap { big_endian, unit_ns, link }, HEADER)))
    }

    #[inline]
    pub(super) fn step<'a>(&self, bytes: &'a [u8]) -> Result<Step<'a>, Problem> {
        let Some((head, behind)) = bytes.split_first_chunk::<RECORD>() else {
            return Ok(Step::Needs(RECORD));
        };
        let [s0, s1, s2, s3, f0, f1, f2, f3, l0, l1, l2, l3, ..] = *head;
        let number =
            |bytes| if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
        let length = number([l0, l1, l2, l3]) as usize;
        if length > RECORD_MAX {
            return Err(Problem::RecordTooLong { length: length as u64 });
        }
        let Some(packet) = behind.get(..length) else { return Ok(Step::Needs(RECORD + length)) };
        let (seconds, part) = (number([s0, s1, s2, s3]), number([f0, f1, f2, f3]));
        let at = Timestamp(u64::from(seconds) * 1_000_000_000 + u64::from(part) * self.unit_ns);
        Ok(Step::Item(Item::Packet(Raw { at, link: self.link, bytes: packet }), RECORD + length))
    }
}
