//! What a worker knows of its containers, from its own history. Pure.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use berth_types::AttachmentId;
use serde_json::Value;

use super::history::{Event, Life, Line, Wish};

/// How many ended lives are remembered for late DELs.
const REMEMBERED: usize = 16;

/// A container that is not simply absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its ADD was called and has not answered: the worker was killed.
    Adding {
        /// The life.
        life: Life,
        /// What it asked for.
        wish: Wish,
    },
    /// Its interface lives.
    Live {
        /// The life.
        life: Life,
        /// What it has.
        addresses: Vec<IpAddr>,
        /// What the node's record would say.
        memory: Value,
        /// What it had asked for.
        wish: Wish,
    },
    /// It is gone, and a DEL is owed.
    Gone {
        /// Its latest life.
        life: Life,
        /// The node's record, when the ADD had finished.
        memory: Option<Value>,
    },
}

/// All containers of one worker.
#[derive(Clone, Debug, Default)]
pub struct Desk {
    /// Those that are not simply absent.
    pub standing: BTreeMap<AttachmentId, Standing>,
    /// Ended lives with their records, oldest first.
    pub ended: VecDeque<(Life, Value)>,
    /// What is being asked for.
    wish: Option<Wish>,
    current: Option<Life>,
}

impl Desk {
    /// What a history leads to.
    pub fn of(history: &[Line]) -> Self {
        let mut desk = Self::default();
        for line in history {
            desk.learn(&line.event);
        }
        desk
    }

    /// Takes in the next event.
    pub fn learn(&mut self, event: &Event) {
        match event {
            Event::Began | Event::Drained { .. } | Event::Ended => {}
            Event::Add { life, wish } => {
                self.end(&life.attachment);
                self.current = Some(life.clone());
                self.wish = Some(wish.clone());
                let standing = Standing::Adding {
                    life: life.clone(),
                    wish: wish.clone(),
                };
                self.standing.insert(life.attachment.clone(), standing);
            }
            Event::Again { .. } | Event::LateDel { .. } | Event::NotDeleted { .. } => {
                self.current = None;
            }
            Event::Given { addresses, memory } => self.given(addresses, memory),
            Event::NotGiven { .. } => {
                if let Some(life) = self.current.take() {
                    let id = life.attachment.clone();
                    let memory = None;
                    self.standing.insert(id, Standing::Gone { life, memory });
                }
            }
            Event::Del { life } => {
                let memory = self.end(&life.attachment);
                let (id, life) = (life.attachment.clone(), life.clone());
                self.current = Some(life.clone());
                self.standing.insert(id, Standing::Gone { life, memory });
            }
            Event::Deleted { .. } => {
                if let Some(life) = self.current.take() {
                    self.standing.remove(&life.attachment);
                }
            }
        }
    }

    fn given(&mut self, addresses: &[IpAddr], memory: &Value) {
        let (Some(life), Some(wish)) = (self.current.take(), self.wish.take()) else {
            return;
        };
        let live = Standing::Live {
            life: life.clone(),
            addresses: addresses.to_vec(),
            memory: memory.clone(),
            wish,
        };
        self.standing.insert(life.attachment, live);
    }

    /// Whatever lives there ends; its record is kept for late DELs and returned.
    fn end(&mut self, id: &AttachmentId) -> Option<Value> {
        match self.standing.remove(id)? {
            Standing::Live { life, memory, .. } => {
                self.ended.push_back((life, memory.clone()));
                if self.ended.len() > REMEMBERED {
                    self.ended.pop_front();
                }
                Some(memory)
            }
            Standing::Gone { memory, .. } => memory,
            Standing::Adding { .. } => None,
        }
    }
}
