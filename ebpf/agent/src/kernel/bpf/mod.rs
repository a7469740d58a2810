//! bpf(2), as far as the loader has it not: links by their index and pins by their path.
//!
//! Numbers and layouts are those of `linux/bpf.h`. The kernel takes an attribute that is shorter
//! than its own as one that ends in zeroes.
#![expect(
    unsafe_code,
    reason = "the system call has no wrapper that tells a link's interface or takes its index"
)]

mod attr;
mod cgroup;
mod hook;

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use nix::libc;

pub use attr::MapShape;
use attr::{
    ByFd, ById, Element, Info, LinkCreate, LinkInfo, LinkUpdate, MapCreate, ObjectAt, ProgramInfo,
    Query,
};
pub use cgroup::{CgroupHook, attach_cgroup, cgroup_of};
pub use hook::{Attached, Hook, Link, Order};

/// Most programs of one hook that are looked at.
const HOOK_PROGRAMS: usize = 64;
/// Most maps of one program that are looked at.
const PROGRAM_MAPS: usize = 16;

/// Makes a map called `name`.
///
/// # Errors
/// The kernel's: `EPERM` without `CAP_BPF`, `ENOMEM` beyond the cgroup's limit.
pub fn create_map(name: &str, shape: &MapShape) -> io::Result<OwnedFd> {
    let mut attr = MapCreate::new(name, shape);
    call(0, &mut attr).map(new_fd)
}

/// Pins what `object` is at `path`.
///
/// # Errors
/// `EEXIST` when something is there, `EPERM` on another file system than the kernel's own.
pub fn pin(object: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attr = ObjectAt::new(&path, object.as_raw_fd());
    call(6, &mut attr).map(drop)
}

/// Opens what is pinned at `path`.
///
/// # Errors
/// `ENOENT` when nothing is.
pub fn open(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attr = ObjectAt::new(&path, 0);
    call(7, &mut attr).map(new_fd)
}

/// Attaches `program` to `hook` of the interface `ifindex` of the thread's network namespace. It
/// stays as long as what is returned, or a pin of it, does.
///
/// # Errors
/// `EINVAL` from a kernel without TCX, `ENODEV` without that interface, `EPERM`.
pub fn attach(
    program: BorrowedFd<'_>,
    ifindex: u32,
    hook: Hook,
    order: Order,
) -> io::Result<OwnedFd> {
    let mut attr = LinkCreate {
        program: program.as_raw_fd(),
        ifindex,
        attach_type: hook.attach_type(),
        flags: order.flags(),
        ..LinkCreate::default()
    };
    call(28, &mut attr).map(new_fd)
}

/// Puts `program` in the place of the one that `link` holds, without a gap.
///
/// # Errors
/// `ENOLINK` when the interface is gone.
pub fn update(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr = LinkUpdate {
        link: link.as_raw_fd(),
        program: program.as_raw_fd(),
        ..LinkUpdate::default()
    };
    call(29, &mut attr).map(drop)
}

/// What the kernel tells of `link`.
///
/// # Errors
/// The kernel's, and when it is no link of an interface.
pub fn link(link: BorrowedFd<'_>) -> io::Result<Link> {
    const TCX: u32 = 11;
    let mut found = LinkInfo::default();
    info(link, &mut found)?;
    if found.kind != TCX {
        return Err(io::Error::other("not the link of an interface"));
    }
    Ok(Link {
        id: found.id,
        program: found.program,
        ifindex: found.ifindex,
    })
}

/// Detaches the link `id`, whoever holds it.
///
/// # Errors
/// `ENOENT` when there is none.
pub fn detach(id: u32) -> io::Result<()> {
    let mut by_id = ById {
        id,
        ..ById::default()
    };
    let link = new_fd(call(30, &mut by_id)?);
    let mut attr = ByFd {
        fd: link.as_raw_fd(),
    };
    call(34, &mut attr).map(drop)
}

/// The programs on `hook` of the interface `ifindex` of the thread's network namespace.
///
/// # Errors
/// The kernel's.
pub fn attached(ifindex: u32, hook: Hook) -> io::Result<Vec<Attached>> {
    let (mut programs, mut links) = ([0_u32; HOOK_PROGRAMS], [0_u32; HOOK_PROGRAMS]);
    let mut attr = Query {
        ifindex,
        attach_type: hook.attach_type(),
        programs: address(&mut programs),
        count: HOOK_PROGRAMS.try_into().unwrap_or(0),
        links: address(&mut links),
        ..Query::default()
    };
    call(16, &mut attr)?;
    let count = usize::try_from(attr.count).unwrap_or(0);
    let both = programs.into_iter().zip(links).take(count);
    Ok(both
        .map(|(program, link)| Attached { link, program })
        .collect())
}

/// The maps that the program `id` uses, by their numbers.
///
/// # Errors
/// `ENOENT` when it is gone.
pub fn maps_of(id: u32) -> io::Result<Vec<u32>> {
    let mut by_id = ById {
        id,
        ..ById::default()
    };
    let program = new_fd(call(13, &mut by_id)?);
    let mut maps = [0_u32; PROGRAM_MAPS];
    let mut found = ProgramInfo {
        map_count: PROGRAM_MAPS.try_into().unwrap_or(0),
        maps: address(&mut maps),
        ..ProgramInfo::default()
    };
    info(
        // SAFETY: `program` is open until the end of this function.
        unsafe { BorrowedFd::borrow_raw(program.as_raw_fd()) },
        &mut found,
    )?;
    let count = usize::try_from(found.map_count).unwrap_or(0);
    Ok(maps.into_iter().take(count).collect())
}

/// Reads the value at `key` of a map whose values are as long as `value`; `false` without one.
///
/// # Errors
/// The kernel's.
pub fn lookup(map: BorrowedFd<'_>, key: &mut [u8], value: &mut [u8]) -> io::Result<bool> {
    found(call(1, &mut element(map, address(key), address(value))))
}

/// Puts the key that follows `key` into `next`, or the first; `false` behind the last.
///
/// # Errors
/// The kernel's.
pub fn next_key(map: BorrowedFd<'_>, key: Option<&mut [u8]>, next: &mut [u8]) -> io::Result<bool> {
    let key = key.map_or(0, address);
    found(call(4, &mut element(map, key, address(next))))
}

fn element(map: BorrowedFd<'_>, key: u64, value: u64) -> Element {
    Element {
        map: map.as_raw_fd(),
        key,
        value,
        ..Element::default()
    }
}

fn found(answer: io::Result<RawFd>) -> io::Result<bool> {
    match answer {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        other => other.map(|_| true),
    }
}

fn info<T>(object: BorrowedFd<'_>, found: &mut T) -> io::Result<()> {
    let mut attr = Info {
        fd: object.as_raw_fd(),
        len: u32::try_from(size_of::<T>()).map_err(io::Error::other)?,
        found: address(std::slice::from_mut(found)),
    };
    call(15, &mut attr).map(drop)
}

/// The address of a buffer as the kernel wants it in an attribute.
fn address<T>(of: &mut [T]) -> u64 {
    u64::try_from(of.as_mut_ptr().expose_provenance()).unwrap_or_default()
}

fn new_fd(raw: RawFd) -> OwnedFd {
    // SAFETY: the kernel has just made it for this process, and nobody else knows it.
    unsafe { OwnedFd::from_raw_fd(raw) }
}

/// The system call. `attr` and every buffer it points to must be what `command` reads and writes,
/// and outlive the call: all callers are in this file.
fn call<T>(command: libc::c_int, attr: &mut T) -> io::Result<RawFd> {
    // SAFETY: the kernel reads and writes `size_of::<T>()` bytes at `attr`, and what that points
    // to, which the callers keep.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_mut(attr),
            size_of::<T>(),
        )
    };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    RawFd::try_from(answer).map_err(io::Error::other)
}
