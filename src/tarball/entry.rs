//! One member of an archive, of the four kinds that are copied.

/// What a member is. Devices, fifos and the like are never an [`Entry`], so nobody can make one by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    File,
    Directory,
    Symlink,
    HardLink,
}

/// A member, as its header and the extensions before it say; the owner is not among it, for nobody asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub kind: Kind,
    /// As written in the archive: see [`super::name::clean`].
    pub name: Vec<u8>,
    /// Where a link leads; empty for files and directories.
    pub target: Vec<u8>,
    /// Bytes of contents that follow; 0 for everything but files.
    pub size: u64,
    /// Permission bits, setuid and the like included: users of it mask with [`PERMISSIONS`].
    pub mode: u32,
    pub mtime: Time,
}

/// A device node, as a header says: for who wants to know which one it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    pub is_block: bool,
    pub major: i64,
    pub minor: i64,
    pub mode: u32,
    pub uid: i64,
}

/// The bits of a mode that are ever copied: no setuid, setgid or sticky.
pub const PERMISSIONS: u32 = 0o777;

/// A point in time: seconds since 1970 and the nanoseconds after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Time {
    pub seconds: i64,
    pub nanoseconds: u32,
}

/// Whom an archive's members belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    pub uid: u32,
    pub gid: u32,
}
