//! Making a damaged store usable: what is whole stays, what is not is replaced by a hole.

use std::io;

use hexmq_broker::RecordReader;

use crate::block::{self, BODY_BYTES_MAX, BlockKind, STORE_SHARD};
use crate::disk::Disk;
use crate::error::StoreError;
use crate::log::find::{self, Finding, Tolerance};
use crate::log::scan::{Scan, has_records};
use crate::manifest::Manifest;
use crate::segment::{self, HeaderFault, SegmentHeader};
use crate::store::{Step, walk};

/// What [`repair`] has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// What was not what was written, and is lost.
    pub findings: Vec<Finding>,
    /// Copies of the files as they were.
    pub kept: Vec<String>,
}

/// Replaces what is damaged by holes, and makes the manifest again if it is damaged. Keeps a copy of each file it changes,
/// named `damaged-…`.
///
/// After it the store can be opened; what referred to something lost is dropped then, and the server says how much.
pub fn repair<D: Disk>(mut disk: D) -> Result<Repaired, StoreError> {
    let mut repaired = Repaired::default();
    let (mut manifest, fault) = super::manifest_or_guess(&mut disk)?;
    if let Some(what) = &fault {
        Tolerance::List(&mut repaired.findings).whole(crate::manifest::NAME, 0, 0, what)?;
        keep(&mut disk, crate::manifest::NAME, &mut repaired.kept)?;
    }
    mend_headers(&mut disk, &manifest, &mut repaired)?;
    let mut findings = Vec::new();
    let mut starts = Vec::new();
    let mut first = None;
    walk(&mut disk, &manifest, &mut Tolerance::List(&mut findings), &mut |step| {
        match step {
            Step::Segment(link) => {
                first.get_or_insert((link.header.number, link.header.start));
                starts.push((segment::name(link.header.number), link.header.start));
            }
            Step::Block(header, body, _) if has_records(header.kind) => {
                // Only whether it makes sense is asked.
                let mut reader = RecordReader::new(body);
                while let Some(record) = reader.next() {
                    record?;
                }
            }
            Step::Block(..) => {}
        }
        Ok(())
    })?;
    for finding in &findings {
        let file = &finding.damage.file;
        let start = starts.iter().find(|(name, _)| name == file).map(|(_, start)| *start);
        match start {
            Some(start) if finding.bytes > 0 => {
                keep(&mut disk, file, &mut repaired.kept)?;
                let position = start + (finding.damage.offset - segment::HEADER_BYTES);
                fill(&mut disk, &manifest, finding, position)
                    .map_err(StoreError::disk(format!("cannot write {file}")))?;
            }
            // Nobody knows where in the log it belongs.
            _ if finding.bytes > 0 => {
                keep(&mut disk, file, &mut repaired.kept)?;
                disk.remove(file).map_err(StoreError::disk(format!("cannot remove {file}")))?;
            }
            _ => {}
        }
    }
    let moved = first.filter(|(_, start)| *start != manifest.start);
    if let Some((number, start)) = moved {
        (manifest.first, manifest.start) = (number, start);
    }
    if moved.is_some() || fault.is_some() {
        manifest.write(&mut disk).map_err(StoreError::disk("cannot write the manifest"))?;
    }
    repaired.findings.append(&mut findings);
    disk.sync_directory().map_err(StoreError::disk("cannot sync the directory"))?;
    Ok(repaired)
}

/// Makes the headers again that are not whole, in segments that hold whole blocks: these say where they belong.
fn mend_headers(disk: &mut dyn Disk, manifest: &Manifest, repaired: &mut Repaired) -> Result<(), StoreError> {
    let salt = manifest.salt();
    for number in find::numbers(disk)?.into_iter().filter(|number| *number >= manifest.first) {
        let name = segment::name(number);
        let (file_bytes, header) = find::read_header(disk, &name, salt)?;
        if header != Err(HeaderFault::Broken) {
            continue;
        }
        let mut scan = Scan::new(name.clone(), salt, 0, file_bytes);
        let first =
            scan.find_any(disk, 0).map_err(StoreError::disk(format!("cannot read {name}")))?.and_then(
                |(offset, header)| header.position.checked_sub(offset.checked_sub(segment::HEADER_BYTES)?),
            );
        let Some(start) = first else { continue };
        keep(disk, &name, &mut repaired.kept)?;
        let (seed, created) = (manifest.seed, manifest.created.0);
        let header = SegmentHeader { number, start, next_serial: 1, next_version: 1, seed, created };
        disk.write(&name, 0, &header.to_bytes(salt))
            .and_then(|()| disk.sync(&name))
            .map_err(StoreError::disk(format!("cannot write {name}")))?;
        let what = "the header was not whole; it was made again";
        Tolerance::List(&mut repaired.findings).whole(&name, 0, segment::HEADER_BYTES, what)?;
    }
    Ok(())
}

/// Writes a hole over a stretch of a segment.
fn fill(disk: &mut dyn Disk, manifest: &Manifest, finding: &Finding, position: u64) -> io::Result<()> {
    let body_bytes = finding
        .bytes
        .checked_sub(block::HEADER_BYTES as u64)
        .and_then(|bytes| u32::try_from(bytes).ok())
        .filter(|bytes| *bytes < BODY_BYTES_MAX)
        .ok_or_else(|| io::Error::other("the damaged stretch has a length that no block can have"))?;
    let header = block::Header { shard: STORE_SHARD, kind: BlockKind::Hole, position, safe: 0, body_bytes };
    let mut bytes = Vec::new();
    block::put(&mut bytes, manifest.salt(), &header, &vec![0; body_bytes as usize]);
    disk.write(&finding.damage.file, finding.damage.offset, &bytes)?;
    disk.sync(&finding.damage.file)
}

/// Keeps a copy of a file as it is.
fn keep(disk: &mut dyn Disk, name: &str, kept: &mut Vec<String>) -> Result<(), StoreError> {
    const PIECE: usize = 1 << 20;
    let copy = format!("damaged-{name}");
    if kept.contains(&copy) {
        return Ok(());
    }
    let cannot = || StoreError::disk(format!("cannot keep a copy of {name} as {copy}"));
    match disk.create(&copy) {
        // An earlier repair has kept it, before it changed anything.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        result => result.map_err(cannot())?,
    }
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    loop {
        let read = match disk.read(name, at, &mut piece) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(cannot()(error)),
        };
        let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        disk.write(&copy, at, bytes).map_err(cannot())?;
        at += read as u64;
    }
    disk.sync(&copy).map_err(cannot())?;
    kept.push(copy);
    Ok(())
}
