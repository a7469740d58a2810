//! One line of the diagnosis.

use std::fmt;

use serde::Serialize;

use crate::output::{Cell, Heading, Row, cell};

/// How a check ended, better before worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// All is well.
    Ok,
    /// Not looked at, for the reason that is given.
    Skipped,
    /// It works, but somebody should look.
    Warning,
    /// Containers cannot be served.
    Failure,
}

/// The outcome of one check. Stable JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    /// How it ended.
    pub(super) state: State,
    /// The network it is about; null for the host.
    pub(super) network: Option<String>,
    /// What was looked at: a word that never changes.
    pub(super) check: &'static str,
    /// What was found.
    pub(super) found: String,
    /// What to do about it; null when there is nothing to do.
    pub(super) remedy: Option<String>,
}

impl Line {
    /// All is well.
    pub(super) fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self {
            state: State::Ok,
            network: None,
            check,
            found: found.into(),
            remedy: None,
        }
    }

    /// Not looked at.
    pub(super) fn skipped(check: &'static str, why: impl Into<String>) -> Self {
        Self {
            state: State::Skipped,
            ..Self::ok(check, why)
        }
    }

    /// It works, but somebody should look.
    pub(super) fn warning(
        check: &'static str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            state: State::Warning,
            remedy: Some(remedy.into()),
            ..Self::ok(check, found)
        }
    }

    /// Containers cannot be served.
    pub(super) fn failure(
        check: &'static str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            state: State::Failure,
            ..Self::warning(check, found, remedy)
        }
    }

    /// The same, of a network.
    pub(super) fn of(self, network: &str) -> Self {
        let network = Some(network.to_owned());
        Self { network, ..self }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Failure => "failure",
        })
    }
}

impl Row for Line {
    const HEADINGS: &'static [Heading] = &[
        Heading::Text("STATE"),
        Heading::Text("NETWORK"),
        Heading::Text("CHECK"),
        Heading::Text("FOUND"),
    ];

    fn cells(&self) -> Vec<Cell> {
        let Self {
            state,
            network,
            check,
            found,
            remedy,
        } = self;
        let words = match remedy {
            Some(remedy) => format!("{found}; to do: {remedy}"),
            None => found.clone(),
        };
        vec![
            Cell::show(state),
            cell(network.as_deref()),
            cell(*check),
            Cell::sentence(&words),
        ]
    }
}
