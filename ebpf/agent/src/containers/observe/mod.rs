//! What cgroups there are.

mod mount;
mod walk;
mod watch;

pub use mount::{Hierarchy, MountError};
pub use walk::{Child, PodCgroup, Tree, walk};
pub use watch::Watch;
