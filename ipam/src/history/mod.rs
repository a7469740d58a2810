//! Who had an address, and when: from its record, and from what nodes wrote down.
//!
//! An address's record remembers its last holders and no more; [`spans`] says what it knows, and
//! [`History::at`] answers for one moment, with *unknown* where nothing reaches. Each node
//! writes down every [`Change`] it makes; [`History::with_changes`] adds those.

mod change;
mod spans;

pub use change::{Change, What};
pub use spans::{End, History, Span, Who, spans};
