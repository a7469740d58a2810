//! The attributes of bpf(2), as `linux/bpf.h` lays them out. All numbers: every field is written.

use std::ffi::CStr;
use std::os::fd::RawFd;

/// What makes one map differ from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapShape {
    /// Its type, as the kernel numbers them.
    pub kind: u32,
    /// Bytes of a key.
    pub key: u32,
    /// Bytes of a value.
    pub value: u32,
    /// Most entries.
    pub entries: u32,
    /// Its flags.
    pub flags: u32,
}

#[derive(Debug)]
#[repr(C)]
pub(super) struct MapCreate {
    pub(super) shape: [u32; 5],
    pub(super) inner: u32,
    pub(super) numa: u32,
    pub(super) name: [u8; 16],
}

impl MapCreate {
    pub(super) fn new(name: &str, shape: &MapShape) -> Self {
        let MapShape {
            kind,
            key,
            value,
            entries,
            flags,
        } = *shape;
        let mut short = [0; 16];
        // The last byte stays zero.
        for (to, from) in short.iter_mut().take(15).zip(name.bytes()) {
            *to = from;
        }
        Self {
            shape: [kind, key, value, entries, flags],
            inner: 0,
            numa: 0,
            name: short,
        }
    }
}

#[derive(Debug)]
#[repr(C)]
pub(super) struct ObjectAt {
    pub(super) path: u64,
    pub(super) fd: RawFd,
    pub(super) flags: u32,
}

impl ObjectAt {
    /// `path` has to outlive it.
    pub(super) fn new(path: &CStr, fd: RawFd) -> Self {
        Self {
            path: u64::try_from(path.as_ptr().expose_provenance()).unwrap_or_default(),
            fd,
            flags: 0,
        }
    }
}

#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct LinkCreate {
    pub(super) program: RawFd,
    pub(super) ifindex: u32,
    pub(super) attach_type: u32,
    pub(super) flags: u32,
    pub(super) relative: u32,
    pub(super) padding: u32,
    pub(super) revision: u64,
}

#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct LinkUpdate {
    pub(super) link: RawFd,
    pub(super) program: RawFd,
    pub(super) flags: u32,
    pub(super) old: u32,
}

#[derive(Debug)]
#[repr(C)]
pub(super) struct ByFd {
    pub(super) fd: RawFd,
}

#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct ById {
    pub(super) id: u32,
    pub(super) next: u32,
    pub(super) flags: u32,
}

#[derive(Debug)]
#[repr(C)]
pub(super) struct Info {
    pub(super) fd: RawFd,
    pub(super) len: u32,
    pub(super) found: u64,
}

#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct LinkInfo {
    pub(super) kind: u32,
    pub(super) id: u32,
    pub(super) program: u32,
    pub(super) padding: u32,
    pub(super) ifindex: u32,
    pub(super) attach_type: u32,
    pub(super) rest: [u64; 4],
}

#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct CgroupLinkInfo {
    pub(super) kind: u32,
    id: u32,
    program: u32,
    padding: u32,
    pub(super) cgroup: u64,
    attach_type: u32,
    rest: [u32; 7],
}

#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct ProgramInfo {
    pub(super) kind: u32,
    pub(super) id: u32,
    pub(super) tag: u64,
    pub(super) lengths: [u32; 2],
    pub(super) instructions: [u64; 2],
    pub(super) loaded: u64,
    pub(super) user: u32,
    pub(super) map_count: u32,
    pub(super) maps: u64,
}

#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Query {
    pub(super) ifindex: u32,
    pub(super) attach_type: u32,
    pub(super) which: u32,
    pub(super) attach_flags: u32,
    pub(super) programs: u64,
    pub(super) count: u32,
    pub(super) padding: u32,
    pub(super) program_flags: u64,
    pub(super) links: u64,
    pub(super) link_flags: u64,
    pub(super) revision: u64,
}

const _: () = assert!(size_of::<MapCreate>() == 44);
const _: () = assert!(size_of::<LinkCreate>() == 32);
const _: () = assert!(size_of::<Query>() == 64);
const _: () = assert!(size_of::<ProgramInfo>() == 64);

#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Element {
    pub(super) map: RawFd,
    pub(super) padding: u32,
    pub(super) key: u64,
    pub(super) value: u64,
    pub(super) flags: u64,
}
