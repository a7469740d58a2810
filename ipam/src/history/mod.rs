//! Who had an address, and when: from its record, and from what nodes wrote down.
//!
//! An address's record remembers its last holders and no more; [`spans()`] says what it knows, and
//! [`History::at`] answers for one moment, with *unknown* where nothing reaches. Each node
//! writes down every [`Change`] it makes in its [`Log`]; [`History::with_changes`] adds those.

mod change;
mod log;
#[cfg(test)]
mod log_tests;
mod read;
mod spans;

pub use change::{Change, What};
pub use log::Log;
pub use read::Changes;
pub use spans::{End, History, Span, Who, spans};
