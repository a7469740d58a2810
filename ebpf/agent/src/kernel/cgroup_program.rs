//! A program for a pod's cgroup, with its constant.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;

use aya::programs::{ProgramError, ProgramFd};
use berth_ebpf_common::constants::LEVEL_MIN;

use super::load::{Constants, LoadError, Maps, Programs, Way};
use crate::containers::apply::Hook;

/// One of them.
#[derive(Debug)]
pub struct CgroupProgram {
    programs: Programs,
    hook: Hook,
}

impl CgroupProgram {
    /// Prepares the program of `hook`, over the maps that are pinned in `folder`. `constant` is the
    /// level of the containers' cgroups, or the slot whose TCP it is.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load(folder: &Path, hook: Hook, constant: u32) -> Result<Self, LoadError> {
        let (slot, depth) = match hook {
            Hook::Receive | Hook::Transmit => (0, constant),
            Hook::Tcp => (constant, 0),
        };
        let constants = Constants {
            slot,
            level: LEVEL_MIN,
            node_end: 0,
            tcp: 0,
            depth,
        };
        let programs = Programs::load(&constants, Maps::Pinned(folder))?;
        Ok(Self { programs, hook })
    }

    /// The program, loaded.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn fd(&mut self) -> Result<BorrowedFd<'_>, LoadError> {
        let refused = |source: ProgramError| LoadError::Program {
            name: self.hook.name(),
            source,
        };
        let fd: Result<&ProgramFd, ProgramError> = match self.hook {
            Hook::Receive => self.programs.container(Way::Receive)?.fd(),
            Hook::Transmit => self.programs.container(Way::Transmit)?.fd(),
            Hook::Tcp => self.programs.connection()?.fd(),
        };
        Ok(fd.map_err(refused)?.as_fd())
    }
}
