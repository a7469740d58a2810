//! One worker: random operations on its own containers, each written down before and after.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use berth_store::StoreConfig;
use berth_types::Incarnation;
use serde::{Deserialize, Serialize};

use super::allocator::{Allocator, Refused, attachment};
use super::chance::Chance;
use super::desk::{Desk, Standing};
use super::history::{self, Event, Life, Wish, Writer};
use super::stored::WORKLOAD;

/// How many containers a worker has at most.
const CONTAINERS: u64 = 3;
/// How many pods keep their addresses; any worker may start one.
const PODS: u64 = 16;
/// How often what is owed at the end is tried, and how long apart.
const PATIENCE: (u32, Duration) = (600, Duration::from_millis(100));

/// What all workers of a run are told, in the file `order.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// What every decision is drawn from.
    pub seed: u64,
    /// How many workers there are.
    pub workers: u64,
    /// On how many nodes.
    pub nodes: u64,
    /// How many operations each makes.
    pub ops: u64,
    /// How long a worker rests between two operations on average, in milliseconds.
    pub rest_ms: u64,
    /// The store.
    pub store: StoreConfig,
    /// The pool.
    pub pool: String,
    /// Addresses that are asked for by name, by everybody.
    pub sought: Vec<IpAddr>,
    /// Where histories and the nodes' files are.
    pub folder: PathBuf,
}

impl Order {
    /// Where the workers find it.
    pub fn path(folder: &Path) -> PathBuf {
        folder.join("order.json")
    }

    /// The name of the node that a worker is on.
    pub fn node(&self, worker: u64) -> String {
        format!("n{}", worker.checked_rem(self.nodes).unwrap_or(0) + 1)
    }

    /// A worker's history.
    pub fn history(&self, worker: u64) -> PathBuf {
        self.folder.join(format!("history-{worker}.jsonl"))
    }

    fn allocator(&self, worker: u64) -> Result<Allocator, Refused> {
        let node = self.node(worker);
        let state = self.folder.join(&node);
        let random = Chance::new(self.seed, &[1, worker]).bytes();
        Allocator::open(&self.store, (&node, &state), (&self.pool, random))
    }
}

/// A failure of the test itself.
#[derive(Debug)]
pub struct Broken(String);

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<Refused> for Broken {
    fn from(refused: Refused) -> Self {
        Self(refused.message)
    }
}

/// Goes on where the worker's history ends, until its operations are made and no DEL is owed.
///
/// # Errors
/// When files cannot be written, or a DEL stays owed for a minute.
pub async fn work(order: &Order, number: u64) -> Result<(), Broken> {
    let path = order.history(number);
    let lines = history::read(&path)?;
    let mut worker = Worker {
        order,
        number,
        allocator: order.allocator(number)?,
        desk: Desk::of(&lines),
        op: lines.last().map_or(0, |line| line.op + 1),
        history: Writer::open(&path)?,
    };
    worker.note(Event::Began)?;
    worker.recover().await?;
    while worker.op < order.ops {
        worker.op += 1;
        let mut chance = worker.chance();
        let rest = chance.below(2 * order.rest_ms + 1);
        tokio::time::sleep(Duration::from_millis(rest)).await;
        worker.operate(&mut chance).await?;
    }
    for _ in 0..PATIENCE.0 {
        worker.op += 1;
        if worker.pay_owed().await? {
            worker.note(Event::Ended)?;
            return Ok(());
        }
        tokio::time::sleep(PATIENCE.1).await;
    }
    Err(Broken("a DEL cannot be made".to_owned()))
}

/// Makes all releases of the worker's node that waited for the store.
///
/// # Errors
/// When they cannot be made for a minute.
pub async fn drain(order: &Order, number: u64) -> Result<(), Broken> {
    let allocator = order.allocator(number)?;
    let mut last = String::new();
    for _ in 0..PATIENCE.0 {
        match allocator.drain().await {
            Ok(0) => return Ok(()),
            Ok(_) => continue,
            Err(refused) => last = refused.message,
        }
        tokio::time::sleep(PATIENCE.1).await;
    }
    Err(Broken(format!("waiting releases cannot be made: {last}")))
}

struct Worker<'a> {
    order: &'a Order,
    number: u64,
    allocator: Allocator,
    desk: Desk,
    op: u64,
    history: Writer,
}

impl Worker<'_> {
    /// Decisions of one operation hang on the seed, the worker and the operation's number only.
    fn chance(&self) -> Chance {
        Chance::new(self.order.seed, &[2, self.number, self.op])
    }

    fn note(&mut self, event: Event) -> Result<(), Broken> {
        let line = self.history.write(self.op, event)?;
        self.desk.learn(&line.event);
        Ok(())
    }

    /// Does about unfinished calls what a runtime and the plugin do.
    async fn recover(&mut self) -> Result<(), Broken> {
        let standing: Vec<_> = self.desk.standing.values().cloned().collect();
        for standing in standing {
            if let Standing::Adding { life, wish } = standing {
                self.op += 1;
                // A runtime that keeps container ids starts it anew; others delete it first.
                if self.chance().below(2) == 0 {
                    self.allocator.expect_late(&life)?;
                    let container = life.attachment.container.to_string();
                    self.add(&container, wish).await?;
                } else {
                    self.del(&life, None).await?;
                }
            }
        }
        self.pay_owed().await.map(drop)
    }

    /// Makes the DELs that are owed; `false` when one still is.
    async fn pay_owed(&mut self) -> Result<bool, Broken> {
        let standing: Vec<_> = self.desk.standing.values().cloned().collect();
        let mut paid = true;
        for standing in standing {
            if let Standing::Gone { life, memory } = standing {
                paid &= self.del(&life, memory).await?;
            }
        }
        Ok(paid)
    }

    async fn operate(&mut self, chance: &mut Chance) -> Result<(), Broken> {
        if chance.below(10) == 0 {
            self.pay_owed().await?;
        }
        let container = format!("w{}-{}", self.number, chance.below(CONTAINERS));
        let id = attachment(&self.order.node(self.number), &container);
        let dice = chance.below(100);
        match self.desk.standing.get(&id).cloned() {
            _ if dice < 6 => self.late_del(chance).await,
            _ if dice < 9 => self.drain().await,
            None => {
                let wish = self.wish(chance);
                self.add(&container, wish).await
            }
            Some(Standing::Live { life, wish, .. }) if dice < 20 => self.again(&life, &wish).await,
            // A container that is started again under its old id, rarely with another wish.
            Some(Standing::Live { wish, .. }) if dice < 36 => self.add(&container, wish).await,
            Some(Standing::Live { .. }) if dice < 40 => {
                let wish = self.wish(chance);
                self.add(&container, wish).await
            }
            Some(Standing::Live { life, memory, .. }) => {
                self.del(&life, Some(memory)).await.map(drop)
            }
            Some(Standing::Gone { life, memory }) => self.del(&life, memory).await.map(drop),
            Some(Standing::Adding { life, .. }) => self.del(&life, None).await.map(drop),
        }
    }

    fn wish(&self, chance: &mut Chance) -> Wish {
        let sought = chance.pick(&self.order.sought);
        match (chance.below(16), sought) {
            (0 | 1, Some(address)) => Wish::Exact(*address),
            (2 | 3, _) => Wish::Sticky(format!("web-{}", chance.below(PODS))),
            (4, _) => Wish::Reserved(WORKLOAD.to_owned()),
            _ => Wish::Any,
        }
    }

    /// An ADD of a new life; where it fails, the DEL that a runtime makes.
    async fn add(&mut self, container: &str, wish: Wish) -> Result<(), Broken> {
        let mut chance = Chance::new(self.order.seed, &[3, self.number, self.op]);
        let life = Life {
            attachment: attachment(&self.order.node(self.number), container),
            incarnation: Incarnation::from_random(chance.bytes()),
        };
        self.note(Event::Add {
            life: life.clone(),
            wish: wish.clone(),
        })?;
        match self.allocator.add(&life, &wish).await {
            Ok(given) => self.note(Event::Given {
                addresses: given.addresses,
                memory: given.memory,
            }),
            Err(refused) => {
                let why = refused.kind;
                self.note(Event::NotGiven { why })?;
                self.del(&life, None).await.map(drop)
            }
        }
    }

    /// The same ADD once more: whatever it answers, the interface lives on.
    async fn again(&mut self, life: &Life, wish: &Wish) -> Result<(), Broken> {
        self.note(Event::Again { life: life.clone() })?;
        match self.allocator.add(life, wish).await {
            Ok(given) => self.note(Event::Given {
                addresses: given.addresses,
                memory: given.memory,
            }),
            Err(refused) => self.note(Event::NotGiven { why: refused.kind }),
        }
    }

    /// A DEL, once the interface is gone; `false` when it is still owed.
    async fn del(
        &mut self,
        life: &Life,
        memory: Option<serde_json::Value>,
    ) -> Result<bool, Broken> {
        self.note(Event::Del { life: life.clone() })?;
        let ended = self.allocator.del(life, memory.as_ref()).await;
        self.ended(ended)
    }

    async fn late_del(&mut self, chance: &mut Chance) -> Result<(), Broken> {
        let Some((life, memory)) = chance.pick(self.desk.ended.make_contiguous()).cloned() else {
            return self.drain().await;
        };
        self.note(Event::LateDel { life: life.clone() })?;
        let ended = self.allocator.late_del(&life, &memory).await;
        self.ended(ended).map(drop)
    }

    fn ended(&mut self, ended: Result<&'static str, Refused>) -> Result<bool, Broken> {
        let event = match ended {
            Ok(how) => Event::Deleted {
                how: how.to_owned(),
            },
            Err(refused) => Event::NotDeleted { why: refused.kind },
        };
        let paid = matches!(event, Event::Deleted { .. });
        self.note(event)?;
        Ok(paid)
    }

    async fn drain(&mut self) -> Result<(), Broken> {
        let how = match self.allocator.drain().await {
            Ok(0) => "nothing".to_owned(),
            Ok(_) => "some".to_owned(),
            Err(refused) => refused.kind,
        };
        self.note(Event::Drained { how })
    }
}
