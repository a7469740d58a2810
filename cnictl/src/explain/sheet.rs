//! The plan as it is printed. Pure.

use berth_cni::plan::Whole;
use berth_cni::spec::CniError;
use berth_types::AttachmentId;
use serde::Serialize;

use super::first::{First, How};
use crate::output::{Cell, Heading, Row, Sheet, cell, sheet};

/// The plan of an ADD. Stable JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Explained {
    /// Of which interface.
    attachment: String,
    /// The pool.
    pool: String,
    /// The addresses that would be tried first.
    addresses: Vec<String>,
    /// What would be done, in order.
    steps: Vec<StepRow>,
}

/// One step. Stable JSON but for its words.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StepRow {
    /// Counted from 1.
    number: u64,
    /// `store`, `node` or `interface`.
    place: &'static str,
    /// What would be done.
    step: String,
}

/// Why there is no plan. Stable JSON.
#[derive(Debug, Serialize)]
pub(super) struct Refused {
    error: ErrorObject,
}

#[derive(Debug, Serialize)]
struct ErrorObject {
    /// The error's code in the CNI specification, or Berth's own.
    code: u32,
    /// What is wrong.
    message: String,
    /// What to do about it.
    remedy: String,
}

impl Explained {
    /// The plan of the ADD of `id`.
    pub(super) fn of(id: &AttachmentId, first: &First, whole: &Whole) -> Self {
        let First { pool, addresses } = first;
        let claims = addresses.iter().map(|tried| {
            let how = match tried.how {
                How::Asked => "it is asked for",
                How::Reserved => "it is kept for this workload",
                How::Hint => "would be tried first, as this node believes",
                How::Scan => "would be tried first, or another that a look into the store finds",
            };
            (
                "store",
                format!("claim {} of pool {pool}: {how}", tried.address),
            )
        });
        let Whole { node, inside } = whole;
        let node = node.iter().map(|step| ("node", step.to_string()));
        let inside = inside.iter().map(|step| ("interface", step.to_string()));
        let steps = claims.chain(node).chain(inside);
        Self {
            attachment: id.to_string(),
            pool: pool.to_string(),
            addresses: addresses
                .iter()
                .map(|tried| tried.address.to_string())
                .collect(),
            steps: (1..)
                .zip(steps)
                .map(|(number, (place, step))| StepRow {
                    number,
                    place,
                    step,
                })
                .collect(),
        }
    }
}

impl Refused {
    /// As the plugin would say it.
    pub(super) fn of(error: &CniError) -> Self {
        let error = ErrorObject {
            code: error.code().into(),
            message: error.message().to_owned(),
            remedy: error.remedy().to_owned(),
        };
        Self { error }
    }
}

impl Sheet for Explained {
    fn text(&self) -> String {
        sheet(&self.steps).trim_start().to_owned()
    }
}

impl Sheet for Refused {
    fn text(&self) -> String {
        let ErrorObject {
            code,
            message,
            remedy,
        } = &self.error;
        format!("an ADD would fail with error {code}: {message}\n  hint: {remedy}\n")
    }
}

impl Row for StepRow {
    const HEADINGS: &'static [Heading] = &[
        Heading::Number("#"),
        Heading::Text("WHERE"),
        Heading::Text("STEP"),
    ];

    fn cells(&self) -> Vec<Cell> {
        let Self {
            number,
            place,
            step,
        } = self;
        vec![cell(*number), cell(*place), Cell::sentence(step)]
    }
}
