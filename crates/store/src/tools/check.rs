//! What is in a store, and what of it is not what was written.

use crate::block::BlockKind;
use crate::disk::Disk;
use crate::error::{Cut, StoreError};
use crate::log::find::{Finding, Tolerance};
use crate::log::scan::has_records;
use crate::manifest;
use crate::store::{Figures, Mode, Opened, Options, Step, Store, walk};

/// What [`check`] has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What is not what was written; nothing was acknowledged of `cut`, so it is not among this.
    pub findings: Vec<Finding>,
    /// The end of the log, if it is not whole.
    pub cut: Option<Cut>,
    /// Segments that count.
    pub segments: u64,
    /// Commits in them.
    pub commits: u64,
    /// Bytes of the log.
    pub log_bytes: u64,
    /// Where damage was repaired earlier.
    pub holes: u64,
    /// Records of which what they refer to is not there.
    pub lost: u64,
    /// What counts of it.
    pub figures: Figures,
}

impl Report {
    /// Whether nothing that was acknowledged is missing.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Reads the whole log and lists all damage. Changes nothing. An error says that it cannot be read at all, or is of another
/// version.
pub fn check<D: Disk>(mut disk: D) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let (manifest, fault) = super::manifest_or_guess(&mut disk)?;
    if let Some(what) = fault {
        let file = manifest::NAME;
        Tolerance::List(&mut report.findings).whole(file, 0, 0, &what)?;
    }
    let mut findings = Vec::new();
    let walked = walk(&mut disk, &manifest, &mut Tolerance::List(&mut findings), &mut |step| {
        match step {
            Step::Segment(_) => report.segments += 1,
            Step::Block(header, ..) if has_records(header.kind) => {
                report.commits += u64::from(header.kind == BlockKind::Commit);
            }
            Step::Block(header, ..) => report.holes += u64::from(header.kind == BlockKind::Hole),
        }
        Ok(())
    })?;
    report.cut = walked.cut;
    report.log_bytes = walked.found.end - manifest.start;
    findings.clear();
    // Once more with the records, which may make no sense although their block is whole.
    let (store, opened) = load(disk, &mut findings)?;
    report.findings.append(&mut findings);
    report.lost = opened.lost;
    report.figures = store.figures();
    Ok(report)
}

/// Opens a store for reading, with whatever of it is whole.
pub(super) fn load<D: Disk>(
    mut disk: D,
    findings: &mut Vec<Finding>,
) -> Result<(Store<D>, Opened), StoreError> {
    let (manifest, _) = super::manifest_or_guess(&mut disk)?;
    // In this mode nothing is prepared to be written.
    let options = Options::new(Mode::Process, manifest.seed, manifest.created);
    Store::load(disk, manifest, options, &mut Tolerance::List(findings))
}
