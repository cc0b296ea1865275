//! Looking at a store that no server uses: checking, repairing, taking out and putting in.

mod check;
mod export;
mod import;
mod json;
mod repair;

pub use check::{Report, check};
pub use export::export;
pub use import::{ImportError, Imported, import};
pub use repair::{Repaired, repair};

use hexmq_session::Wall;

use crate::disk::Disk;
use crate::error::StoreError;
use crate::log::find;
use crate::manifest::{Manifest, ManifestFault};
use crate::segment;
use crate::store::manifest_error;

/// The manifest, or what it must have been; with what is wrong with it.
fn manifest_or_guess(disk: &mut dyn Disk) -> Result<(Manifest, Option<String>), StoreError> {
    let fault = match Manifest::read(disk) {
        Ok(manifest) => return Ok((manifest, None)),
        Err(fault @ (ManifestFault::Version(_) | ManifestFault::Disk(_))) => {
            return Err(manifest_error(fault));
        }
        Err(ManifestFault::Missing) => "it is missing".to_owned(),
        Err(ManifestFault::Broken(what)) => what.to_owned(),
    };
    for number in find::numbers(disk)? {
        let name = segment::name(number);
        let mut bytes = [0; segment::HEADER_BYTES as usize];
        let read =
            disk.read(&name, 0, &mut bytes).map_err(StoreError::disk(format!("cannot read {name}")))?;
        let bytes = bytes.get(..read).unwrap_or_default();
        if let Some((seed, created)) = segment::seed(bytes)
            && let Ok(header) = segment::SegmentHeader::from_bytes(bytes, segment::salt(seed))
        {
            let manifest = Manifest { seed, created: Wall(created), first: number, start: header.start };
            return Ok((manifest, Some(fault)));
        }
    }
    Err(StoreError::damaged(crate::manifest::NAME, 0, format!("{fault}, and no segment says what it was")))
}
