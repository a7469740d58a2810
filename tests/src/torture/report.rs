//! What a run did, for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use berth_types::AttachmentId;

use super::checker::Violation;
use super::history::{Event, Life, Line};

/// What a run did and what came of it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What every decision was drawn from.
    pub seed: u64,
    /// How often each call ended in each way: `ADD any: given`.
    pub calls: BTreeMap<String, u64>,
    /// How often each trouble came.
    pub troubles: BTreeMap<&'static str, u64>,
    /// How often another member was found leading.
    pub leader_changes: u64,
    /// What is left in the store.
    pub left: BTreeMap<&'static str, usize>,
    /// Every promise that was broken.
    pub violations: Vec<Violation>,
    /// The end of the history of every attachment that one is about.
    pub stories: Vec<String>,
    /// From the first worker's start to the last one's end.
    pub elapsed: Duration,
}

/// How many lines of an attachment's history are told.
const STORY: usize = 24;

impl Report {
    /// Keeps the stories of the attachments that broken promises are about.
    pub fn tell(&mut self, histories: &BTreeMap<String, Vec<Line>>) {
        let about: BTreeSet<_> = self.violations.iter().flat_map(Violation::about).collect();
        for id in about {
            let lines: Vec<_> = histories
                .values()
                .flat_map(|lines| story(lines, id))
                .collect();
            let last = lines.len().saturating_sub(STORY);
            let end = lines.get(last..).unwrap_or_default().concat();
            self.stories.push(format!("{id}\n{end}"));
        }
    }

    /// Counts what a worker did.
    pub fn count(&mut self, history: &[Line]) {
        let mut call = String::new();
        for line in history {
            let (begun, outcome) = told(&line.event);
            if let Some(begun) = begun {
                // A call without an outcome is one whose worker was killed.
                self.outcome(&mut call, "no answer: killed");
                call = begun;
            }
            if let Some(outcome) = outcome {
                self.outcome(&mut call, outcome);
            }
        }
    }

    fn outcome(&mut self, call: &mut String, outcome: &str) {
        if !call.is_empty() {
            let ended = format!("{}: {outcome}", std::mem::take(call));
            *self.calls.entry(ended).or_default() += 1;
        }
    }

    /// How many calls of a kind were made, whatever came of them.
    pub fn made(&self, call: &str) -> u64 {
        let of_kind = self.calls.iter().filter(|(name, _)| name.starts_with(call));
        of_kind.map(|(_, count)| count).sum()
    }
}

/// The call that an event begins, and the outcome that it is.
fn told(event: &Event) -> (Option<String>, Option<&str>) {
    use super::history::Wish;
    match event {
        Event::Began | Event::Ended => (Some(String::new()), None),
        Event::Add { life: _, wish } => {
            let wish = match wish {
                Wish::Any => "any",
                Wish::Exact(_) => "exact",
                Wish::Sticky(_) => "sticky",
                Wish::Reserved(_) => "reserved",
            };
            (Some(format!("ADD {wish}")), None)
        }
        Event::Again { .. } => (Some("ADD again".to_owned()), None),
        Event::Del { .. } => (Some("DEL".to_owned()), None),
        Event::LateDel { .. } => (Some("DEL late".to_owned()), None),
        Event::Given { .. } => (None, Some("given")),
        Event::NotGiven { why } | Event::NotDeleted { why } => (None, Some(why)),
        Event::Deleted { how } => (None, Some(how)),
        Event::Drained { how } => (Some("drain".to_owned()), Some(how)),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls: u64 = self.calls.values().sum();
        let (seed, elapsed) = (self.seed, self.elapsed.as_secs_f64());
        writeln!(f, "seed {seed}: {calls} calls in {elapsed:.1} s")?;
        for (call, count) in &self.calls {
            writeln!(f, "  {count:>8}  {call}")?;
        }
        for (trouble, count) in &self.troubles {
            writeln!(f, "  {count:>8}  {trouble}")?;
        }
        writeln!(f, "  {:>8}  leader changes seen", self.leader_changes)?;
        for (what, count) in &self.left {
            writeln!(f, "  {count:>8}  {what} at the end")?;
        }
        writeln!(f, "  {:>8}  promises broken", self.violations.len())?;
        for violation in &self.violations {
            writeln!(f, "    {violation}")?;
        }
        for story in &self.stories {
            writeln!(f, "    {story}")?;
        }
        Ok(())
    }
}

/// What a worker's history says of one attachment, a line each.
fn story(lines: &[Line], id: &AttachmentId) -> Vec<String> {
    let mut told = Vec::new();
    let mut about = false;
    let is_about = |event: &Event| subject(event).is_some_and(|life| life.attachment == *id);
    if !lines.iter().any(|line| is_about(&line.event)) {
        return told;
    }
    for Line { at_ns, op, event } in lines {
        let (ms, mut said) = (at_ns / 1_000_000, format!("{event:?}"));
        about = subject(event).map_or(about, |_| is_about(event));
        if let Event::Given { addresses, memory } = event {
            let revision = memory.get("revision");
            said = format!("Given {addresses:?} at {revision:?}");
        }
        if about || *event == Event::Began {
            told.push(format!("      {ms} ms, operation {op}: {said}\n"));
        }
    }
    told
}

/// The life that a call is about; `None` for what is no call of one.
fn subject(event: &Event) -> Option<&Life> {
    match event {
        Event::Add { life, .. }
        | Event::Again { life }
        | Event::Del { life }
        | Event::LateDel { life } => Some(life),
        _ => None,
    }
}
