//! Where programs are attached, and what the kernel tells of it.

/// The hooks of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hook {
    /// What arrives at it.
    Ingress,
    /// What leaves by it.
    Egress,
}

impl Hook {
    pub(super) const fn attach_type(self) -> u32 {
        match self {
            Self::Ingress => 46,
            Self::Egress => 47,
        }
    }
}

/// Where in the row of programs a new one stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Before all that are there.
    #[default]
    Head,
    /// Behind them.
    Tail,
}

impl Order {
    pub(super) const fn flags(self) -> u32 {
        match self {
            Self::Head => 1 << 3,
            Self::Tail => 1 << 4,
        }
    }
}

/// What the kernel tells of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub id: u32,
    /// The program's.
    pub program: u32,
    /// Its interface; 0 when that is gone.
    pub ifindex: u32,
}

/// A program on a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// The number of the link that holds it; 0 when none does.
    pub link: u32,
    /// Its own.
    pub program: u32,
}
