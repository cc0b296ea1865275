//! What is on disk when a store is opened: which segments there are and where each ends.

use std::collections::VecDeque;

use super::Segment;
use super::scan::{Scan, ScanFault};
use crate::disk::Disk;
use crate::error::{Cut, Damage, StoreError};
use crate::manifest::Manifest;
use crate::segment::{self, HeaderFault, SegmentHeader};

/// The segments that count, before their blocks were read.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    pub(crate) segments: VecDeque<Link>,
    pub(crate) debris: Vec<String>,
    pub(crate) next_number: u64,
    /// A segment that was being made when everything stopped.
    pub(crate) cut: Option<Cut>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) header: SegmentHeader,
    pub(crate) file_bytes: u64,
}

impl Link {
    pub(crate) fn segment(&self) -> Segment {
        Segment { number: self.header.number, start: self.header.start, ours: false }
    }
}

/// A stretch of a file that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where it begins and what is wrong.
    pub damage: Damage,
    /// Bytes that cannot be used; 0 if a file is missing.
    pub bytes: u64,
}

/// What becomes of damage.
pub(crate) enum Tolerance<'a> {
    /// It ends whatever is done.
    None,
    /// It is listed, and what is whole is used.
    List(&'a mut Vec<Finding>),
}

impl Tolerance<'_> {
    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Tolerance::None)
    }

    pub(crate) fn whole(
        &mut self,
        file: &str,
        offset: u64,
        bytes: u64,
        what: &str,
    ) -> Result<(), StoreError> {
        let damage = Damage { file: file.to_owned(), offset, what: what.to_owned() };
        match self {
            Tolerance::None => Err(StoreError::Damaged(damage)),
            Tolerance::List(findings) => {
                findings.push(Finding { damage, bytes });
                Ok(())
            }
        }
    }
}

/// The numbers of all segment files, in order.
pub(crate) fn numbers(disk: &mut dyn Disk) -> Result<Vec<u64>, StoreError> {
    let names = disk.list().map_err(StoreError::disk("cannot list the files of the store"))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment::number(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Reads the headers of all segments. Damage goes to `tolerated`, if there is such a list, and ends it otherwise.
pub(crate) fn chain(
    disk: &mut dyn Disk,
    manifest: &Manifest,
    tolerated: &mut Tolerance<'_>,
) -> Result<Chain, StoreError> {
    let mut chain = Chain { next_number: manifest.first, ..Chain::default() };
    let salt = manifest.salt();
    for number in numbers(disk)? {
        let name = segment::name(number);
        chain.next_number = number.saturating_add(1);
        if number < manifest.first {
            chain.debris.push(name);
            continue;
        }
        let (file_bytes, header) = read_header(disk, &name, salt)?;
        match header {
            Ok(header) if header.number == number => {
                // What an earlier segment has from here on was not trusted when this one was made.
                while let Some(last) = chain.segments.back().filter(|last| last.header.start >= header.start)
                {
                    chain.debris.push(segment::name(last.header.number));
                    chain.segments.pop_back();
                }
                chain.segments.push_back(Link { header, file_bytes });
                chain.cut = None;
            }
            Ok(_) => tolerated.whole(&name, 16, file_bytes, "it is the file of another segment")?,
            Err(HeaderFault::Version(version)) => {
                return Err(StoreError::Version { file: name, found: version.to_string() });
            }
            Err(HeaderFault::Broken) if was_in_use(disk, &name, salt, file_bytes)? => {
                tolerated.whole(&name, 0, file_bytes, "the header is not whole")?;
            }
            Err(HeaderFault::Broken) => {
                let cut = Cut { file: name.clone(), offset: 0, bytes: file_bytes };
                chain.cut = Some(cut).filter(|cut| cut.bytes > 0);
                chain.debris.push(name);
            }
        }
    }
    let start = chain.segments.front().map(|first| first.header.start);
    let fresh = manifest.start == 0 && chain.segments.is_empty();
    if start != Some(manifest.start) && !fresh {
        let name = segment::name(manifest.first);
        let what =
            format!("the log begins at position {}, and no segment does: a file is missing", manifest.start);
        tolerated.whole(&name, 0, 0, &what)?;
    }
    Ok(chain)
}

type HeaderRead = (u64, Result<SegmentHeader, HeaderFault>);

pub(crate) fn read_header(disk: &mut dyn Disk, name: &str, salt: u32) -> Result<HeaderRead, StoreError> {
    let cannot = || StoreError::disk(format!("cannot read {name}"));
    let file_bytes = disk.size(name).map_err(cannot())?;
    let mut bytes = [0; segment::HEADER_BYTES as usize];
    let read = disk.read(name, 0, &mut bytes).map_err(cannot())?;
    Ok((file_bytes, SegmentHeader::from_bytes(bytes.get(..read).unwrap_or_default(), salt)))
}

/// Whether a segment without a whole header was ever synced, as one of its blocks tells.
fn was_in_use(disk: &mut dyn Disk, name: &str, salt: u32, file_bytes: u64) -> Result<bool, StoreError> {
    let mut scan = Scan::new(name.to_owned(), salt, 0, file_bytes);
    let mut first = None;
    let mut from = 0;
    while let Some((offset, header)) =
        scan.find_any(disk, from).map_err(StoreError::disk(format!("cannot read {name}")))?
    {
        if header.safe > *first.get_or_insert(header.position) {
            return Ok(true);
        }
        from = offset + header.size();
    }
    Ok(false)
}

/// What the end of the last segment is, where no whole block follows: the end of what was written,
/// or damage, if a block behind it tells that this was safe.
pub(crate) fn judge_end(
    disk: &mut dyn Disk,
    scan: &mut Scan,
    offset: u64,
    what: &str,
) -> Result<Cut, StoreError> {
    let name = scan.name().to_owned();
    let position = scan.position(offset);
    let mut from = offset + 1;
    while let Some((found, header)) =
        scan.find(disk, from).map_err(StoreError::disk(format!("cannot read {name}")))?
    {
        if header.safe > position {
            return Err(StoreError::damaged(name, offset, what));
        }
        from = found + header.size();
    }
    scan.seek(offset);
    Ok(Cut { file: name, offset, bytes: scan.rest() })
}

/// A fault in a place that was safe.
pub(crate) fn damage(scan: &Scan, fault: ScanFault) -> StoreError {
    match fault {
        ScanFault::Disk(error) => StoreError::Disk {
            what: format!("cannot read {} at offset {}", scan.name(), scan.offset()),
            error,
        },
        ScanFault::Bad { offset, what } => StoreError::damaged(scan.name(), offset, what),
    }
}
