//! What the node's files say: which interfaces there are, and whose.

mod record;
mod watch;
mod workload;

pub use record::{Found, Wanted, file_name, read};
pub use watch::Watch;
pub use workload::workload;
