//! A folder as another host's over NFS: the same files, by their inodes, without a word when something changes in them; and with the
//! troubles of that: a server that fails, hangs, or has forgotten what was open.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen,
    Request,
};
use rustix::fs::{Mode, OFlags, openat};
use rustix::mount::{UnmountFlags, unmount};

/// What a file is said to be is said again for so long, without a question to the server.
const ATTRIBUTES_KEPT: Duration = Duration::from_millis(300);

/// How the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Good,
    /// Every question is answered with an error.
    Failing,
    /// No question is answered.
    Hanging,
}

/// A mount of a folder. Dropped, it is gone.
pub struct Remote {
    path: PathBuf,
    server: Arc<Server>,
    session: Option<BackgroundSession>,
}

impl Remote {
    /// Mounts `folder` at `path`. An error says why that cannot be on this machine.
    pub fn mount(folder: &Path, path: &Path) -> Result<Self, String> {
        std::fs::create_dir_all(path).map_err(|error| format!("create {}: {error}", path.display()))?;
        let server = Arc::new(Server::new(folder));
        let mut options = Config::default();
        options.mount_options = vec![MountOption::RO, MountOption::FSName("remote".into())];
        let session = fuser::spawn_mount(Client(Arc::clone(&server)), path, &options)
            .map_err(|error| format!("mount {} with FUSE: {error}", path.display()))?;
        Ok(Self { path: path.to_owned(), server, session: Some(session) })
    }

    /// From now on.
    pub fn set(&self, health: Health) {
        *self.server.health.lock().expect("no handler panics") = health;
        self.server.changed.notify_all();
    }

    /// Takes it away; what is open stays open until it is closed.
    pub fn detach(&mut self) {
        self.set(Health::Good);
        let Some(session) = self.session.take() else { return };
        let _ = unmount(&self.path, UnmountFlags::DETACH);
        // Its thread ends when the last open file is closed.
        std::mem::forget(session);
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.detach();
    }
}

/// The other host.
struct Server {
    health: Mutex<Health>,
    changed: Condvar,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By inode; opened for nothing but their names.
    known: HashMap<u64, Arc<File>>,
    root: u64,
    open: HashMap<u64, (u64, Arc<File>)>,
    opened: u64,
}

struct Client(Arc<Server>);

impl Server {
    fn new(folder: &Path) -> Self {
        let root =
            openat(rustix::fs::CWD, folder, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).expect("open the folder");
        let root = Arc::new(File::from(root));
        let inode = root.metadata().expect("look at the folder").ino();
        let state = State { known: HashMap::from([(inode, root)]), root: inode, ..State::default() };
        Self { health: Mutex::new(Health::Good), changed: Condvar::new(), state: Mutex::new(state) }
    }

    /// Waits while the server hangs.
    fn answers(&self) -> Result<(), Errno> {
        let health = self.health.lock().expect("no handler panics");
        let health = self.changed.wait_while(health, |health| *health == Health::Hanging).expect("no handler panics");
        if *health == Health::Failing { Err(Errno::EIO) } else { Ok(()) }
    }

    fn known(&self, inode: INodeNo) -> Result<Arc<File>, Errno> {
        self.answers()?;
        let state = self.state.lock().expect("no handler panics");
        let inode = if inode == INodeNo::ROOT { state.root } else { inode.0 };
        let file = state.known.get(&inode).ok_or(Errno::ESTALE)?;
        // Whoever removed it on the other host did not ask who has it open here.
        let is_gone = file.metadata().map_err(Errno::from)?.nlink() == 0;
        if is_gone { Err(Errno::ESTALE) } else { Ok(Arc::clone(file)) }
    }

    fn lookup(&self, parent: INodeNo, name: &OsStr) -> Result<FileAttr, Errno> {
        let parent = self.known(parent)?;
        let file = openat(parent.as_fd(), name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| Errno::from_i32(error.raw_os_error()))?;
        let file = File::from(file);
        let attributes = attributes(&file)?;
        self.state.lock().expect("no handler panics").known.entry(attributes.ino.0).or_insert_with(|| Arc::new(file));
        Ok(attributes)
    }

    fn list(&self, inode: INodeNo) -> Result<Vec<(INodeNo, FileType, std::ffi::OsString)>, Errno> {
        let folder = self.known(inode)?;
        let entries = std::fs::read_dir(by_descriptor(&folder)).map_err(Errno::from)?;
        let entry = |entry: std::fs::DirEntry| {
            let metadata = entry.metadata().ok()?;
            Some((INodeNo(metadata.ino()), kind(&metadata), entry.file_name()))
        };
        Ok(entries.flatten().filter_map(entry).collect())
    }

    fn open(&self, inode: INodeNo) -> Result<u64, Errno> {
        let file = File::open(by_descriptor(&*self.known(inode)?)).map_err(Errno::from)?;
        let mut state = self.state.lock().expect("no handler panics");
        state.opened += 1;
        let handle = state.opened;
        state.open.insert(handle, (inode.0, Arc::new(file)));
        Ok(handle)
    }

    fn read(&self, handle: FileHandle, offset: u64, size: u32) -> Result<Vec<u8>, Errno> {
        let (inode, file) = {
            let state = self.state.lock().expect("no handler panics");
            let (inode, file) = state.open.get(&handle.0).ok_or(Errno::ESTALE)?;
            (*inode, Arc::clone(file))
        };
        self.known(INodeNo(inode))?;
        let mut bytes = vec![0; size as usize];
        let mut filled = 0;
        while filled < bytes.len() {
            match file.read_at(&mut bytes[filled..], offset + filled as u64).map_err(Errno::from)? {
                0 => break,
                read => filled += read,
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }
}

/// A name for what is open here.
fn by_descriptor(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

fn kind(metadata: &std::fs::Metadata) -> FileType {
    if metadata.is_dir() { FileType::Directory } else { FileType::RegularFile }
}

fn attributes(file: &File) -> Result<FileAttr, Errno> {
    let metadata = file.metadata().map_err(Errno::from)?;
    let time = |seconds: i64, nanoseconds: i64| -> SystemTime {
        UNIX_EPOCH + Duration::new(seconds.unsigned_abs(), u32::try_from(nanoseconds).unwrap_or(0))
    };
    Ok(FileAttr {
        ino: INodeNo(metadata.ino()),
        size: metadata.len(),
        blocks: metadata.blocks(),
        atime: time(metadata.atime(), metadata.atime_nsec()),
        mtime: time(metadata.mtime(), metadata.mtime_nsec()),
        ctime: time(metadata.ctime(), metadata.ctime_nsec()),
        crtime: UNIX_EPOCH,
        kind: kind(&metadata),
        perm: (metadata.mode() & 0o7777) as u16,
        nlink: metadata.nlink() as u32,
        uid: metadata.uid(),
        gid: metadata.gid(),
        rdev: 0,
        blksize: 4096,
        flags: 0,
    })
}

impl Filesystem for Client {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.0.lookup(parent, name) {
            Ok(attributes) => reply.entry(&ATTRIBUTES_KEPT, &attributes, Generation(0)),
            Err(error) => reply.error(error),
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.0.known(inode).and_then(|file| attributes(&file)) {
            Ok(attributes) => reply.attr(&ATTRIBUTES_KEPT, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn open(&self, _: &Request, inode: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.0.open(inode) {
            // No pages are kept that the other host has changed since.
            Ok(handle) => reply.opened(FileHandle(handle), FopenFlags::FOPEN_DIRECT_IO),
            Err(error) => reply.error(error),
        }
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.0.read(handle, offset, size) {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error),
        }
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.0.state.lock().expect("no handler panics").open.remove(&handle.0);
        reply.ok();
    }

    fn readdir(&self, _: &Request, inode: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        match self.0.list(inode) {
            Ok(entries) => {
                for (index, (inode, kind, name)) in entries.iter().enumerate().skip(offset as usize) {
                    if reply.add(*inode, index as u64 + 1, *kind, name) {
                        break;
                    }
                }
                reply.ok();
            }
            Err(error) => reply.error(error),
        }
    }
}
