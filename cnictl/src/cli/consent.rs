//! What must be said before something is destroyed.

use clap::Args;

/// What must be said before something is destroyed.
#[derive(Debug, Args)]
pub(crate) struct ConsentArgs {
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    /// Show what would be done, and do nothing.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
}

/// Whether to go on after a plan was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    /// Ask on the terminal.
    Ask,
    /// Go on.
    Given,
    /// Stop there.
    DryRun,
}

impl ConsentArgs {
    /// What the flags say.
    pub(crate) const fn consent(&self) -> Consent {
        match self {
            Self { dry_run: true, .. } => Consent::DryRun,
            Self { yes: true, .. } => Consent::Given,
            _ => Consent::Ask,
        }
    }
}
