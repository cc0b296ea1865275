//! The container: pcap or pcapng, read from the front as bytes come.
//!
//! Own code in place of a crate: both formats are a handful of fixed headers, and reading them out
//! of the caller's buffer costs neither a copy nor an allocation per packet.

mod pcap;
mod pcapng;

use super::error::{CaptureError, Problem};
use super::link::LinkType;
use crate::recording::Timestamp;

use pcap::Pcap;
use pcapng::PcapNg;

/// The longest record or block that is believed, in bytes. The largest packets are below 256 KiB;
/// a key log inside a capture may be longer.
pub(crate) const RECORD_MAX: usize = 16 << 20;

/// A packet as it stands in the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raw<'a> {
    pub(crate) at: Timestamp,
    pub(crate) link: LinkType,
    /// What was kept of it.
    pub(crate) bytes: &'a [u8],
}

/// What stands at the front of the bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Item<'a> {
    Packet(Raw<'a>),
    /// A key log inside the capture.
    Secrets(&'a [u8]),
    /// Something that says nothing about packets.
    Nothing,
}

/// One step through the file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step<'a> {
    /// An item and the bytes it takes.
    Item(Item<'a>, usize),
    /// Nothing whole yet: so many bytes are needed in all.
    Needs(usize),
}

/// What kind of file it is, once its first bytes have told.
#[derive(Debug)]
enum Format {
    Unknown,
    Pcap(Pcap),
    PcapNg(PcapNg),
    /// No file: packets are handed in one by one.
    None,
}

/// A capture file in the course of being read.
#[derive(Debug)]
pub(crate) struct File {
    format: Format,
    /// Bytes passed so far.
    pub(crate) offset: u64,
    /// Packets passed so far.
    pub(crate) packets: u64,
}

impl File {
    pub(crate) const fn new() -> File {
        File { format: Format::Unknown, offset: 0, packets: 0 }
    }

    /// What stands at the front of `bytes`. The caller passes on by the length it is told.
    #[inline]
    pub(crate) fn step<'a>(&mut self, bytes: &'a [u8]) -> Result<Step<'a>, CaptureError> {
        let step = match &mut self.format {
            Format::Pcap(pcap) => pcap.step(bytes),
            Format::PcapNg(pcapng) => pcapng.step(bytes),
            Format::Unknown => self.recognise(bytes),
            Format::None => Ok(Step::Needs(usize::MAX)),
        };
        match step {
            Ok(Step::Item(item, length)) => {
                self.offset += length as u64;
                self.packets += u64::from(matches!(item, Item::Packet(_)));
                Ok(Step::Item(item, length))
            }
            Ok(needs) => Ok(needs),
            Err(problem) => Err(self.error(problem)),
        }
    }

    /// One packet that comes from no file.
    pub(crate) fn count_packet(&mut self, length: usize) {
        self.format = Format::None;
        self.offset += length as u64;
        self.packets += 1;
    }

    fn recognise<'a>(&mut self, bytes: &'a [u8]) -> Result<Step<'a>, Problem> {
        let Some(magic) = bytes.first_chunk::<4>() else { return Ok(Step::Needs(4)) };
        if *magic == pcapng::SECTION_HEADER {
            let mut pcapng = PcapNg::default();
            let step = pcapng.step(bytes)?;
            self.format = Format::PcapNg(pcapng);
            return Ok(step);
        }
        let Some((pcap, length)) = Pcap::begin(bytes)? else { return Ok(Step::Needs(pcap::HEADER)) };
        self.format = Format::Pcap(pcap);
        Ok(Step::Item(Item::Nothing, length))
    }

    /// The end of the input with `rest` left over.
    pub(crate) fn end(&mut self, rest: &[u8]) -> Result<(), CaptureError> {
        if rest.is_empty() {
            return match self.format {
                Format::Unknown => Err(self.error(Problem::Empty)),
                _ => Ok(()),
            };
        }
        match self.step(rest)? {
            Step::Item(..) => Ok(()),
            Step::Needs(needs) => {
                Err(self.error(Problem::Truncated { missing: needs.saturating_sub(rest.len()) }))
            }
        }
    }

    fn error(&self, problem: Problem) -> CaptureError {
        CaptureError { offset: self.offset, packet: self.packets + 1, problem }
    }
}

/// Two bytes at `at` in the byte order of the file.
#[inline]
fn u16_at(bytes: &[u8], at: usize, big_endian: bool) -> Option<u16> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(if big_endian { u16::from_be_bytes(*bytes) } else { u16::from_le_bytes(*bytes) })
}

/// Four bytes at `at` in the byte order of the file.
#[inline]
fn u32_at(bytes: &[u8], at: usize, big_endian: bool) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(if big_endian { u32::from_be_bytes(*bytes) } else { u32::from_le_bytes(*bytes) })
}
