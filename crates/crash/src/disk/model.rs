//! A disk that knows what was synced. What was not may be gone after a power cut, in part or in whole.
//!
//! Stricter than most: a file's content is safe after its own fsync, a name (create, rename, unlink) after the
//! fsync of its directory. What was not synced: of names a first part in their order may survive, as from a
//! journal; of a file's writes a first part, the last one torn, or any pages of them, the rest being zeros.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use crate::random::Random;

/// The number of a file or directory.
pub(super) type Inode = u64;
/// The root directory.
pub(super) const ROOT: Inode = 1;
/// What is written at once or not at all.
const SECTOR: usize = 512;
/// What the kernel writes back as one.
const PAGE: usize = 4096;

/// Why something cannot be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    NoEntry,
    Exists,
    NoSpace,
    ReadOnly,
    NotEmpty,
    NotADirectory,
    IsADirectory,
    Io,
}

/// A change of a file that is not safe yet.
#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Resize(usize),
}

/// A change of names that is not safe yet.
#[derive(Clone, Debug)]
enum Naming {
    Link(OsString, Inode),
    Unlink(OsString),
    Rename(OsString, OsString),
}

/// A file: what is there, what is safe, and what lies between.
#[derive(Clone, Debug, Default)]
pub(super) struct File {
    pub(super) content: Vec<u8>,
    safe: Vec<u8>,
    pending: Vec<Change>,
}

/// A directory.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    pub(super) names: BTreeMap<OsString, Inode>,
    safe: BTreeMap<OsString, Inode>,
    pending: Vec<Naming>,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    File(File),
    Directory(Directory),
}

/// The disk.
#[derive(Clone, Debug)]
pub(super) struct Model {
    nodes: BTreeMap<Inode, Node>,
    next: Inode,
    /// Bytes of content it has room for.
    pub(super) capacity: u64,
    pub(super) is_read_only: bool,
    /// Every fsync fails.
    pub(super) fails_to_sync: bool,
}

impl Model {
    pub(super) fn new(capacity: u64) -> Model {
        let root = Node::Directory(Directory::default());
        Model {
            nodes: BTreeMap::from([(ROOT, root)]),
            next: ROOT + 1,
            capacity,
            is_read_only: false,
            fails_to_sync: false,
        }
    }

    pub(super) fn node(&self, inode: Inode) -> Result<&Node, Refusal> {
        self.nodes.get(&inode).ok_or(Refusal::NoEntry)
    }

    fn file(&mut self, inode: Inode) -> Result<&mut File, Refusal> {
        match self.nodes.get_mut(&inode) {
            Some(Node::File(file)) => Ok(file),
            Some(Node::Directory(_)) => Err(Refusal::IsADirectory),
            None => Err(Refusal::NoEntry),
        }
    }

    fn directory(&mut self, inode: Inode) -> Result<&mut Directory, Refusal> {
        match self.nodes.get_mut(&inode) {
            Some(Node::Directory(directory)) => Ok(directory),
            Some(Node::File(_)) => Err(Refusal::NotADirectory),
            None => Err(Refusal::NoEntry),
        }
    }

    /// Bytes of all files.
    pub(super) fn used(&self) -> u64 {
        let size = |node: &Node| match node {
            Node::File(file) => file.content.len() as u64,
            Node::Directory(_) => 0,
        };
        self.nodes.values().map(size).sum()
    }

    fn writable(&self) -> Result<(), Refusal> {
        if self.is_read_only { Err(Refusal::ReadOnly) } else { Ok(()) }
    }

    pub(super) fn look_up(&self, parent: Inode, name: &OsStr) -> Result<Inode, Refusal> {
        match self.node(parent)? {
            Node::Directory(directory) => directory.names.get(name).copied().ok_or(Refusal::NoEntry),
            Node::File(_) => Err(Refusal::NotADirectory),
        }
    }

    /// Makes a file or directory.
    pub(super) fn make(&mut self, parent: Inode, name: &OsStr, node: Node) -> Result<Inode, Refusal> {
        self.writable()?;
        let inode = self.next;
        let directory = self.directory(parent)?;
        if directory.names.contains_key(name) {
            return Err(Refusal::Exists);
        }
        directory.names.insert(name.to_owned(), inode);
        directory.pending.push(Naming::Link(name.to_owned(), inode));
        self.nodes.insert(inode, node);
        self.next += 1;
        Ok(inode)
    }

    pub(super) fn unlink(&mut self, parent: Inode, name: &OsStr) -> Result<(), Refusal> {
        self.writable()?;
        let inode = self.look_up(parent, name)?;
        if let Node::Directory(directory) = self.node(inode)?
            && !directory.names.is_empty()
        {
            return Err(Refusal::NotEmpty);
        }
        let directory = self.directory(parent)?;
        directory.names.remove(name);
        directory.pending.push(Naming::Unlink(name.to_owned()));
        Ok(())
    }

    /// Renames within a directory.
    pub(super) fn rename(&mut self, parent: Inode, from: &OsStr, to: &OsStr) -> Result<(), Refusal> {
        self.writable()?;
        let inode = self.look_up(parent, from)?;
        let directory = self.directory(parent)?;
        directory.names.remove(from);
        directory.names.insert(to.to_owned(), inode);
        directory.pending.push(Naming::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    pub(super) fn write(&mut self, inode: Inode, at: usize, bytes: &[u8]) -> Result<(), Refusal> {
        self.writable()?;
        let end = at.saturating_add(bytes.len());
        let growth = end.saturating_sub(self.file(inode)?.content.len()) as u64;
        if growth > 0 && self.used() + growth > self.capacity {
            return Err(Refusal::NoSpace);
        }
        let file = self.file(inode)?;
        let change = Change::Write { at, bytes: bytes.to_vec() };
        apply(&mut file.content, &change);
        file.pending.push(change);
        Ok(())
    }

    pub(super) fn resize(&mut self, inode: Inode, size: usize) -> Result<(), Refusal> {
        self.writable()?;
        let growth = size.saturating_sub(self.file(inode)?.content.len()) as u64;
        if growth > 0 && self.used() + growth > self.capacity {
            return Err(Refusal::NoSpace);
        }
        let file = self.file(inode)?;
        apply(&mut file.content, &Change::Resize(size));
        file.pending.push(Change::Resize(size));
        Ok(())
    }

    /// What an fsync that begins now will make safe: the number of changes.
    pub(super) fn begin_sync(&self, inode: Inode) -> Result<usize, Refusal> {
        if self.fails_to_sync {
            return Err(Refusal::Io);
        }
        match self.node(inode)? {
            Node::File(file) => Ok(file.pending.len()),
            Node::Directory(directory) => Ok(directory.pending.len()),
        }
    }

    /// The fsync that began with so many changes is over.
    pub(super) fn end_sync(&mut self, inode: Inode, changes: usize) -> Result<(), Refusal> {
        match self.nodes.get_mut(&inode) {
            Some(Node::File(file)) => {
                // Two that overlap make the same changes safe.
                let count = changes.min(file.pending.len());
                for change in file.pending.drain(..count) {
                    apply(&mut file.safe, &change);
                }
            }
            Some(Node::Directory(directory)) => {
                let count = changes.min(directory.pending.len());
                for naming in directory.pending.drain(..count) {
                    name(&mut directory.safe, naming);
                }
                self.forget_unnamed();
            }
            None => return Err(Refusal::NoEntry),
        }
        Ok(())
    }

    /// Frees what no name leads to, not even after a cut.
    fn forget_unnamed(&mut self) {
        let mut named = std::collections::BTreeSet::from([ROOT]);
        for node in self.nodes.values() {
            if let Node::Directory(directory) = node {
                named.extend(directory.names.values().chain(directory.safe.values()));
                named.extend(directory.pending.iter().filter_map(|naming| match naming {
                    Naming::Link(_, inode) => Some(*inode),
                    _ => None,
                }));
            }
        }
        // One that is still open has no content any more; a log does not write to what it has removed.
        self.nodes.retain(|inode, _| named.contains(inode));
    }

    /// The power is gone and comes back.
    pub(super) fn cut(&mut self, random: &mut Random) {
        for node in self.nodes.values_mut() {
            match node {
                Node::File(file) => file.cut(random),
                Node::Directory(directory) => directory.cut(random),
            }
        }
        self.forget_unnamed();
    }
}

impl Directory {
    fn cut(&mut self, random: &mut Random) {
        let kept = if random.percent(50) { 0 } else { random.below(self.pending.len() as u64 + 1) };
        for naming in self.pending.drain(..).take(kept as usize) {
            name(&mut self.safe, naming);
        }
        self.names = self.safe.clone();
    }
}

impl File {
    fn cut(&mut self, random: &mut Random) {
        let pending = std::mem::take(&mut self.pending);
        match random.below(3) {
            0 => {}
            1 => {
                let kept = random.below(pending.len() as u64 + 1) as usize;
                pending.iter().take(kept).for_each(|change| apply(&mut self.safe, change));
                if let Some(Change::Write { at, bytes }) = pending.get(kept) {
                    let sectors = random.below((bytes.len() / SECTOR) as u64 + 1) as usize;
                    let bytes = bytes.iter().take(sectors * SECTOR).copied().collect();
                    apply(&mut self.safe, &Change::Write { at: *at, bytes });
                }
            }
            _ => self.keep_some_pages(&pending, random),
        }
        self.content = self.safe.clone();
    }

    /// Pages reach the disk in any order.
    fn keep_some_pages(&mut self, pending: &[Change], random: &mut Random) {
        let mut full = self.safe.clone();
        pending.iter().for_each(|change| apply(&mut full, change));
        let pages = full.len().div_ceil(PAGE);
        let kept: Vec<usize> = (0..pages).filter(|_| random.percent(60)).collect();
        // The size follows the last page that was written, or stays.
        let end = kept.last().map_or(0, |page| (page + 1) * PAGE).min(full.len());
        let mut size = self.safe.len().max(end);
        if full.len() < self.safe.len() && random.percent(50) {
            size = full.len();
        }
        self.safe.resize(size, 0);
        for page in kept {
            let range = page * PAGE..((page + 1) * PAGE).min(full.len()).min(size);
            if let (Some(from), Some(to)) = (full.get(range.clone()), self.safe.get_mut(range)) {
                to.copy_from_slice(from);
            }
        }
    }
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { at, bytes } => {
            let end = at + bytes.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            if let Some(place) = content.get_mut(*at..end) {
                place.copy_from_slice(bytes);
            }
        }
        Change::Resize(size) => content.resize(*size, 0),
    }
}

fn name(names: &mut BTreeMap<OsString, Inode>, naming: Naming) {
    match naming {
        Naming::Link(name, inode) => {
            names.insert(name, inode);
        }
        Naming::Unlink(name) => {
            names.remove(&name);
        }
        Naming::Rename(from, to) => {
            if let Some(inode) = names.remove(&from) {
                names.insert(to, inode);
            }
        }
    }
}
