//! The model as a file system of the kernel.

use std::ffi::OsStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner, OpenFlags,
    RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen,
    ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use super::Shared;
use super::model::{Directory, File, Inode, Model, Node, Refusal};

/// The kernel may believe what it was told so long; nobody else changes anything.
const TTL: Duration = Duration::from_secs(1);
const BLOCK: u64 = 4096;

/// The mounted file system.
pub(super) struct Mounted {
    pub(super) shared: Arc<Mutex<Shared>>,
}

impl From<Refusal> for Errno {
    fn from(refusal: Refusal) -> Errno {
        match refusal {
            Refusal::NoEntry => Errno::ENOENT,
            Refusal::Exists => Errno::EEXIST,
            Refusal::NoSpace => Errno::ENOSPC,
            Refusal::ReadOnly => Errno::EROFS,
            Refusal::NotEmpty => Errno::ENOTEMPTY,
            Refusal::NotADirectory => Errno::ENOTDIR,
            Refusal::IsADirectory => Errno::EISDIR,
            Refusal::Io => Errno::EIO,
        }
    }
}

impl Mounted {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        lock(&self.shared)
    }

    fn attributes(model: &Model, inode: Inode) -> Result<FileAttr, Refusal> {
        let (kind, size, perm) = match model.node(inode)? {
            Node::File(file) => (FileType::RegularFile, file.content.len() as u64, 0o644),
            Node::Directory(_) => (FileType::Directory, 0, 0o755),
        };
        let time = SystemTime::UNIX_EPOCH;
        Ok(FileAttr {
            ino: INodeNo(inode),
            size,
            blocks: size.div_ceil(512),
            atime: time,
            mtime: time,
            ctime: time,
            crtime: time,
            kind,
            perm,
            nlink: 1,
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
            rdev: 0,
            blksize: BLOCK as u32,
            flags: 0,
        })
    }

    fn entry(&self, made: impl FnOnce(&mut Model) -> Result<Inode, Refusal>) -> Result<FileAttr, Refusal> {
        let mut shared = self.lock();
        let inode = made(&mut shared.model)?;
        Mounted::attributes(&shared.model, inode)
    }

    /// An fsync that takes its time; meanwhile everything else goes on.
    fn sync(&self, inode: Inode, reply: ReplyEmpty) {
        let (begun, delay) = {
            let shared = self.lock();
            (shared.model.begin_sync(inode), shared.sync_delay)
        };
        let changes = match begun {
            Ok(changes) => changes,
            Err(refusal) => return reply.error(refusal.into()),
        };
        let shared = Arc::clone(&self.shared);
        let finish = move || {
            let mut shared = lock(&shared);
            shared.syncs += 1;
            // One that was under way when it began to fail fails as well.
            let result = shared.model.begin_sync(inode).and_then(|_| shared.model.end_sync(inode, changes));
            drop(shared);
            answer(result, reply);
        };
        if delay.is_zero() {
            finish();
        } else {
            std::thread::spawn(move || {
                std::thread::sleep(delay);
                finish();
            });
        }
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(result: Result<(), Refusal>, reply: ReplyEmpty) {
    match result {
        Ok(()) => reply.ok(),
        Err(refusal) => reply.error(refusal.into()),
    }
}

impl Filesystem for Mounted {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.entry(|model| model.look_up(parent.0, name)) {
            Ok(attributes) => reply.entry(&TTL, &attributes, Generation(0)),
            Err(refusal) => reply.error(refusal.into()),
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match Mounted::attributes(&self.lock().model, inode.0) {
            Ok(attributes) => reply.attr(&TTL, &attributes),
            Err(refusal) => reply.error(refusal.into()),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        inode: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<fuser::BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let resized = self.entry(|model| {
            if let Some(size) = size {
                model.resize(inode.0, usize::try_from(size).map_err(|_| Refusal::NoSpace)?)?;
            }
            Ok(inode.0)
        });
        match resized {
            Ok(attributes) => reply.attr(&TTL, &attributes),
            Err(refusal) => reply.error(refusal.into()),
        }
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        match self.entry(|model| model.make(parent.0, name, Node::Directory(Directory::default()))) {
            Ok(attributes) => reply.entry(&TTL, &attributes, Generation(0)),
            Err(refusal) => reply.error(refusal.into()),
        }
    }

    fn create(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, _: i32, reply: ReplyCreate) {
        match self.entry(|model| model.make(parent.0, name, Node::File(File::default()))) {
            Ok(attributes) => {
                reply.created(&TTL, &attributes, Generation(0), FileHandle(0), FopenFlags::empty());
            }
            Err(refusal) => reply.error(refusal.into()),
        }
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(self.lock().model.unlink(parent.0, name), reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(self.lock().model.unlink(parent.0, name), reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        _: RenameFlags,
        reply: ReplyEmpty,
    ) {
        if parent != new_parent {
            return reply.error(Errno::EXDEV);
        }
        answer(self.lock().model.rename(parent.0, name, new_name), reply);
    }

    fn read(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.lock().model.node(inode.0) {
            Ok(Node::File(file)) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(file.content.len());
                let end = start.saturating_add(size as usize).min(file.content.len());
                reply.data(file.content.get(start..end).unwrap_or_default());
            }
            Ok(Node::Directory(_)) => reply.error(Errno::EISDIR),
            Err(refusal) => reply.error(refusal.into()),
        }
    }

    fn write(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        match self.lock().model.write(inode.0, at, data) {
            Ok(()) => reply.written(data.len() as u32),
            Err(refusal) => reply.error(refusal.into()),
        }
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::empty());
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, inode: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.sync(inode.0, reply);
    }

    fn fsyncdir(&self, _: &Request, inode: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.sync(inode.0, reply);
    }

    fn fallocate(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        if mode != 0 {
            return reply.error(Errno::EOPNOTSUPP);
        }
        let mut shared = self.lock();
        let size = match shared.model.node(inode.0) {
            Ok(Node::File(file)) => file.content.len(),
            _ => return reply.error(Errno::EBADF),
        };
        let wanted = usize::try_from(offset.saturating_add(length)).unwrap_or(usize::MAX).max(size);
        answer(shared.model.resize(inode.0, wanted), reply);
    }

    fn readdir(&self, _: &Request, inode: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let shared = self.lock();
        let Ok(Node::Directory(directory)) = shared.model.node(inode.0) else {
            return reply.error(Errno::ENOTDIR);
        };
        for (place, (name, &inode)) in directory.names.iter().enumerate().skip(offset as usize) {
            let kind = match shared.model.node(inode) {
                Ok(Node::Directory(_)) => FileType::Directory,
                _ => FileType::RegularFile,
            };
            if reply.add(INodeNo(inode), place as u64 + 1, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let shared = self.lock();
        let blocks = shared.model.capacity / BLOCK;
        let free = blocks.saturating_sub(shared.model.used().div_ceil(BLOCK));
        reply.statfs(blocks, free, free, 1 << 20, 1 << 20, BLOCK as u32, 255, BLOCK as u32);
    }
}
