//! Arrays of counters in this process's memory: reading them takes no system call.
#![expect(
    unsafe_code,
    reason = "an array of the kernel's is memory that others write to"
)]

use std::io;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use aya::Pod;
use nix::libc;

/// Bytes of a word: what is read at once.
const WORD: usize = size_of::<u64>();

/// An array map's values, as they are at the moment of each reading.
#[derive(Debug)]
pub struct Mapped<V> {
    start: NonNull<AtomicU64>,
    entries: usize,
    value: PhantomData<V>,
}

// SAFETY: it is memory that is only read, word by word, and each atomically.
unsafe impl<V> Send for Mapped<V> {}
// SAFETY: as above.
unsafe impl<V> Sync for Mapped<V> {}

impl<V: Pod> Mapped<V> {
    const WORDS: usize = size_of::<V>() / WORD;
    const WHOLE: () = assert!(size_of::<V>().is_multiple_of(WORD));

    /// Maps the array `map`, whose values are `V` and which has `entries` of them.
    ///
    /// # Errors
    /// The kernel's, as when the map was not made to be mapped.
    pub fn new(map: BorrowedFd<'_>, entries: u32) -> io::Result<Self> {
        let () = Self::WHOLE;
        let entries = usize::try_from(entries).map_err(io::Error::other)?;
        // SAFETY: the kernel chooses where; nothing of this process's own is there.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                entries * size_of::<V>(),
                libc::PROT_READ,
                libc::MAP_SHARED,
                map.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("mapped at 0"))?;
        Ok(Self {
            start,
            entries,
            value: PhantomData,
        })
    }

    /// The value at `index`; `None` beyond the end.
    pub fn get(&self, index: u32) -> Option<V> {
        let index = usize::try_from(index)
            .ok()
            .filter(|at| *at < self.entries)?;
        let mut value = MaybeUninit::<V>::uninit();
        let to = value.as_mut_ptr().cast::<u64>();
        for word in 0..Self::WORDS {
            // SAFETY: `index` is less than `entries`, so that the word is in the mapping.
            let from = unsafe { self.start.add(index * Self::WORDS + word) };
            // SAFETY: aligned, as mappings begin at a page, and mapped until drop.
            let read = unsafe { from.as_ref() }.load(Ordering::Relaxed);
            // SAFETY: the word is within `value`, which is as long as its words.
            let to = unsafe { to.add(word) };
            // SAFETY: as above; `V` may be aligned to less than a word.
            unsafe { to.write_unaligned(read) };
        }
        // SAFETY: all its words are written, and a `Pod` may hold any bits.
        Some(unsafe { value.assume_init() })
    }
}

impl<V> Drop for Mapped<V> {
    fn drop(&mut self) {
        // SAFETY: what `new` mapped; nobody else has an address in it.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.entries * size_of::<V>()) };
    }
}
