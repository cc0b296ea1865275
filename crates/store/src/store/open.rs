//! Opening: the manifest, the segments, and every record in them applied.

use std::collections::VecDeque;

use hexmq_broker::{Numbers, RecordError, RecordFault};
use hexmq_session::Wall;

use super::Store;
use crate::block::{BlockKind, HEADER_BYTES, Header};
use crate::disk::Disk;
use crate::error::{Cut, StoreError};
use crate::image::Image;
use crate::log::find::{self, Link, Tolerance};
use crate::log::scan::{Scan, ScanFault, has_records};
use crate::log::{Found, Log};
use crate::manifest::{Manifest, ManifestFault};
use crate::segment;

/// What a commit is safe against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// A power cut: it is synced to the disk.
    #[default]
    Disk,
    /// The end of the server's process, however sudden: it was given to the operating system.
    Process,
}

/// How a store is kept.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What a commit is safe against.
    pub mode: Mode,
    /// A segment of the log ends when it would be larger than this.
    pub segment_bytes: u64,
    /// The log is cleaned when it is larger than twice what counts in it and this.
    pub slack_bytes: u64,
    /// Bytes of disk that are held ready so that a full disk can still be cleaned; 0: none.
    pub reserve_bytes: u64,
    /// The seed of a store that is made. Random; nobody else knows it.
    pub seed: u64,
    /// The time, for a store that is made.
    pub now: Wall,
}

impl Options {
    /// The usual sizes.
    pub fn new(mode: Mode, seed: u64, now: Wall) -> Options {
        Options { mode, segment_bytes: 32 << 20, slack_bytes: 64 << 20, reserve_bytes: 40 << 20, seed, now }
    }
}

impl Options {
    /// Sizes for a disk of so many bytes, so that a full one can be cleaned, however small it is.
    #[must_use]
    pub fn within(self, bytes: u64) -> Options {
        let segment_bytes = self.segment_bytes.min((bytes / 8).max(4096));
        Options {
            segment_bytes,
            slack_bytes: self.slack_bytes.min(bytes / 4),
            reserve_bytes: self.reserve_bytes.min(segment_bytes + segment_bytes / 4),
            ..self
        }
    }
}

/// What was found when a store was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The numbers it has given out.
    pub numbers: Numbers,
    /// Whether it was made just now.
    pub made: bool,
    /// The end of the log, if it was not whole.
    pub cut: Option<Cut>,
    /// Bytes of the log that were read.
    pub log_bytes: u64,
    /// Records of which what they refer to is not there: only after a repair.
    pub lost: u64,
}

impl<D: Disk> Store<D> {
    /// Opens the store in a directory, or makes one where there is none. Reads the whole log once; writes nothing
    /// in a store that is there.
    pub fn open(mut disk: D, options: Options) -> Result<(Store<D>, Opened), StoreError> {
        let (manifest, made) = manifest(&mut disk, &options)?;
        let (store, opened) = Store::load(disk, manifest, options, &mut Tolerance::None)?;
        Ok((store, Opened { made, ..opened }))
    }

    pub(crate) fn load(
        mut disk: D,
        manifest: Manifest,
        options: Options,
        tolerated: &mut Tolerance<'_>,
    ) -> Result<(Store<D>, Opened), StoreError> {
        let mut image = Image::new(manifest.seed, true);
        let walked = walk(&mut disk, &manifest, tolerated, &mut |step| {
            match step {
                Step::Segment(link) => {
                    image.live.begin(link.header.start);
                    image.next_serial = image.next_serial.max(link.header.next_serial);
                    image.next_version = image.next_version.max(link.header.next_version);
                }
                Step::Block(header, body, position) if has_records(header.kind) => {
                    image.apply(body, position, header.kind == BlockKind::Copies)?;
                }
                Step::Block(..) => {}
            }
            Ok(())
        })?;
        let reserved = disk.size(super::clean::RESERVE).unwrap_or(0);
        let log_bytes = walked.found.end - manifest.start;
        let cut = walked.cut;
        let log = Log::new(disk, walked.found, options.segment_bytes, options.mode == Mode::Disk)
            .map_err(StoreError::disk("cannot read the end of the log again"))?;
        let mut store = Store {
            log,
            image,
            cleaning: None,
            slack_bytes: options.slack_bytes,
            reserve_bytes: options.reserve_bytes,
            reserved,
            copies: Vec::new(),
            cleaned_segments: 0,
            damaged: false,
        };
        store.settle();
        if !store.image.unsettled.is_empty() {
            let error = std::io::Error::other("a message that was there before cannot be read again");
            return Err(StoreError::Disk { what: "cannot read the retained messages".to_owned(), error });
        }
        let lost = store.image.opened();
        let numbers = Numbers {
            next_serial: store.image.next_serial,
            next_version: store.image.next_version,
            seed: manifest.seed,
        };
        Ok((store, Opened { numbers, made: false, cut, log_bytes, lost }))
    }
}

fn manifest(disk: &mut dyn Disk, options: &Options) -> Result<(Manifest, bool), StoreError> {
    match Manifest::read(disk) {
        Ok(manifest) => Ok((manifest, false)),
        Err(ManifestFault::Missing) if find::numbers(disk)?.is_empty() => {
            let manifest = Manifest { seed: options.seed, created: options.now, first: 1, start: 0 };
            manifest.write(disk).map_err(StoreError::disk("cannot make a store"))?;
            Ok((manifest, true))
        }
        Err(fault) => Err(manifest_error(fault)),
    }
}

pub(crate) fn manifest_error(fault: ManifestFault) -> StoreError {
    let file = crate::manifest::NAME;
    match fault {
        ManifestFault::Missing => StoreError::NoManifest,
        ManifestFault::Broken(what) => StoreError::damaged(file, 0, what),
        ManifestFault::Version(found) => StoreError::Version { file: file.to_owned(), found },
        ManifestFault::Disk(error) => StoreError::Disk { what: format!("cannot read {file}"), error },
    }
}

/// What [`walk`] comes by.
pub(crate) enum Step<'a> {
    Segment(&'a Link),
    /// A block, its body, and the position of its body.
    Block(Header, &'a [u8], u64),
}

pub(crate) struct Walk {
    pub(crate) found: Found,
    pub(crate) cut: Option<Cut>,
}

/// What was seen of the log so far.
struct Walked {
    end: u64,
    safe: u64,
    cut: Option<Cut>,
}

/// Walks through the whole log, oldest first. Stops at damage, unless it is tolerated: then it goes on with the next
/// whole block.
pub(crate) fn walk(
    disk: &mut dyn Disk,
    manifest: &Manifest,
    tolerated: &mut Tolerance<'_>,
    each: &mut dyn FnMut(Step<'_>) -> Result<(), RecordError>,
) -> Result<Walk, StoreError> {
    let chain = find::chain(disk, manifest, tolerated)?;
    let mut walked = Walked { end: manifest.start, safe: manifest.start, cut: chain.cut.clone() };
    for (at, link) in chain.segments.iter().enumerate() {
        let next = chain.segments.get(at + 1).map(|next| next.header.start);
        // What is before a segment is safe before there is the segment.
        walked.safe = walked.safe.max(link.header.start);
        each(Step::Segment(link)).map_err(|error| unreadable(link, 0, error))?;
        walk_segment(disk, manifest, link, next, &mut walked, tolerated, each)?;
    }
    walked.end = walked.end.max(walked.safe);
    let segments: VecDeque<_> = chain.segments.iter().map(Link::segment).collect();
    let found = Found {
        manifest: *manifest,
        segments,
        end: walked.end,
        safe: walked.safe,
        next_number: chain.next_number.max(manifest.first),
        debris: chain.debris,
    };
    Ok(Walk { found, cut: walked.cut })
}

fn walk_segment(
    disk: &mut dyn Disk,
    manifest: &Manifest,
    link: &Link,
    next: Option<u64>,
    walked: &mut Walked,
    tolerated: &mut Tolerance<'_>,
    each: &mut dyn FnMut(Step<'_>) -> Result<(), RecordError>,
) -> Result<(), StoreError> {
    let limit = next.map_or(link.file_bytes, |next| segment::HEADER_BYTES + (next - link.header.start));
    let name = segment::name(link.header.number);
    let mut scan = Scan::new(name.clone(), manifest.salt(), link.header.start, limit);
    let mut mark = None;
    loop {
        let offset = scan.offset();
        let fault = match scan.next(disk) {
            Ok(None) => break,
            Ok(Some((header, body, position))) => {
                walked.safe = walked.safe.max(header.safe);
                mark = (header.kind == BlockKind::Mark).then_some(header.position);
                match each(Step::Block(header, body, position)) {
                    Ok(()) => continue,
                    Err(error) => {
                        let error = unreadable(link, offset + HEADER_BYTES as u64, error);
                        if tolerated.is_none() || matches!(error, StoreError::Version { .. }) {
                            return Err(error);
                        }
                        tolerated.whole(&name, offset, header.size(), "its records make no sense")?;
                        continue;
                    }
                }
            }
            Err(fault) => fault,
        };
        let ScanFault::Bad { offset, what } = fault else { return Err(find::damage(&scan, fault)) };
        mark = None;
        if next.is_none() {
            match find::judge_end(disk, &mut scan, offset, what) {
                Ok(cut) => {
                    walked.cut = Some(cut);
                    break;
                }
                Err(error) if tolerated.is_none() => return Err(error),
                Err(_) => {}
            }
        }
        let goes_on = match &tolerated {
            Tolerance::None => None,
            Tolerance::List(_) => scan.find(disk, offset + 1).map_err(StoreError::disk("cannot read on"))?,
        };
        let goes_on = goes_on.map_or(limit, |(offset, _)| offset);
        tolerated.whole(&name, offset, goes_on - offset, what)?;
        scan.seek(goes_on);
    }
    // A mark has said what it had to say; the log goes on in its place.
    walked.end = mark.unwrap_or(scan.position(scan.offset()));
    Ok(())
}

/// A block is whole, but its records make no sense.
fn unreadable(link: &Link, offset: u64, error: RecordError) -> StoreError {
    let file = segment::name(link.header.number);
    match error.fault {
        RecordFault::Kind(kind) => {
            StoreError::Version { file, found: format!("with records of kind {kind}") }
        }
        _ => StoreError::damaged(file, offset + error.offset as u64, error.to_string()),
    }
}
