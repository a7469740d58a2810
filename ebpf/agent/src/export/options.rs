//! What is asked of the export.

/// How much is told apart, and so how many series there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// No scopes: all traffic is `other`.
    Min,
    /// By where the peer is.
    #[default]
    Default,
    /// By protocol and family as well, and the loopback interface of containers.
    Detail,
}

/// Whether how TCP does is counted and shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tcp {
    /// No.
    #[default]
    Off,
    /// Yes.
    On,
}

/// What is exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportOptions {
    /// How much is told apart.
    pub level: Level,
    /// Whether TCP is shown.
    pub tcp: Tcp,
    /// Most series of pods, containers and workloads together; the rest goes into `other`. The
    /// agent's own, the node's and the namespaces' are not in it, nor are the `_created` lines.
    pub max_series: usize,
}

impl ExportOptions {
    /// Enough for 2,000 pods of two counted containers each.
    pub const MAX_SERIES: usize = 60_000;
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self {
            level: Level::Default,
            tcp: Tcp::Off,
            max_series: Self::MAX_SERIES,
        }
    }
}
