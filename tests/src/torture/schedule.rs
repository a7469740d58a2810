//! Which trouble comes when: drawn from the seed alone. Pure.

use super::chance::Chance;

/// Something that happens to a worker, to a member of the cluster, or to a cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A worker is killed, and started again when the trouble ends.
    KillWorker(u64),
    /// A worker stands still: between any two of its steps, also before it sends.
    PauseWorker(u64),
    /// A node's cable is pulled: what its workers send arrives when it is back.
    CutNode(u64),
    /// A member is killed, and started again.
    KillMember(u64),
    /// A member stands still.
    PauseMember(u64),
    /// A member's cable is pulled.
    CutMember(u64),
    /// The leader is killed, and started again.
    KillLeader,
    /// The leader stands still.
    PauseLeader,
    /// The leader's cable is pulled.
    CutLeader,
    /// The leader hands over.
    MoveLeader,
    /// The whole cluster stands still.
    PauseAll,
}

impl Trouble {
    /// What it is called in the report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::KillWorker(_) => "worker killed",
            Self::PauseWorker(_) => "worker paused",
            Self::CutNode(_) => "node cut off",
            Self::KillMember(_) => "member killed",
            Self::PauseMember(_) => "member paused",
            Self::CutMember(_) => "member cut off",
            Self::KillLeader => "leader killed",
            Self::PauseLeader => "leader paused",
            Self::CutLeader => "leader cut off",
            Self::MoveLeader => "leader moved",
            Self::PauseAll => "cluster paused",
        }
    }
}

/// A trouble with its times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// When it begins, in milliseconds since the workers began.
    pub at_ms: u64,
    /// How long it lasts, in milliseconds.
    pub lasts_ms: u64,
    /// What it is.
    pub trouble: Trouble,
}

/// What kind of troubles a [`Stream`] is of; those of one stream come one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Workers are killed.
    Kills,
    /// Workers are paused.
    Pauses,
    /// Nodes are cut off.
    Cables,
    /// Members have trouble.
    Members,
}

impl Source {
    /// Those that an embedded store can have.
    pub const LOCAL: [Self; 2] = [Self::Kills, Self::Pauses];
    /// Those that a cluster can have.
    pub const ALL: [Self; 4] = [Self::Kills, Self::Pauses, Self::Cables, Self::Members];
}

/// Endless troubles of one source, in the order of their times.
#[derive(Clone, Debug)]
pub struct Stream {
    source: Source,
    chance: Chance,
    clock_ms: u64,
    workers: u64,
    nodes: u64,
    members: u64,
}

impl Stream {
    /// The troubles of a run's seed.
    pub fn new(source: Source, seed: u64, (workers, nodes, members): (u64, u64, u64)) -> Self {
        let purpose = match source {
            Source::Kills => 10,
            Source::Pauses => 11,
            Source::Cables => 12,
            Source::Members => 13,
        };
        Self {
            source,
            chance: Chance::new(seed, &[purpose]),
            clock_ms: 0,
            workers,
            nodes,
            members,
        }
    }

    fn draw(&mut self) -> Planned {
        let chance = &mut self.chance;
        let (trouble, lasts_ms, rest_ms) = match self.source {
            Source::Kills => {
                let worker = chance.below(self.workers);
                let lasts = chance.between(0, 60);
                (Trouble::KillWorker(worker), lasts, chance.between(100, 500))
            }
            Source::Pauses => {
                let worker = chance.below(self.workers);
                let lasts = chance.between(5, 700);
                (Trouble::PauseWorker(worker), lasts, chance.between(0, 300))
            }
            Source::Cables => {
                let node = chance.below(self.nodes);
                let lasts = chance.between(200, 1500);
                (Trouble::CutNode(node), lasts, chance.between(300, 2000))
            }
            Source::Members => {
                let trouble = member_trouble(chance, self.members);
                let lasts = chance.between(300, 1500);
                (trouble, lasts, chance.between(1000, 4000))
            }
        };
        let at_ms = self.clock_ms + rest_ms;
        self.clock_ms = at_ms + lasts_ms;
        Planned {
            at_ms,
            lasts_ms,
            trouble,
        }
    }
}

impl Iterator for Stream {
    type Item = Planned;

    fn next(&mut self) -> Option<Planned> {
        Some(self.draw())
    }
}

fn member_trouble(chance: &mut Chance, members: u64) -> Trouble {
    let member = chance.below(members);
    match chance.below(10) {
        0 => Trouble::KillMember(member),
        1 => Trouble::PauseMember(member),
        2 => Trouble::CutMember(member),
        3 | 4 => Trouble::KillLeader,
        5 => Trouble::PauseLeader,
        6 => Trouble::CutLeader,
        7 | 8 => Trouble::MoveLeader,
        _ => Trouble::PauseAll,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_troubles_and_they_do_not_overlap() {
        for source in Source::ALL {
            let draw = |seed| Stream::new(source, seed, (64, 8, 3)).take(200);
            let drawn: Vec<_> = draw(7).collect();
            assert_eq!(drawn, draw(7).collect::<Vec<_>>());
            assert_ne!(drawn, draw(8).collect::<Vec<_>>());
            let apart = |pair: &[Planned]| pair[0].at_ms + pair[0].lasts_ms <= pair[1].at_ms;
            assert!(drawn.windows(2).all(apart), "{source:?}");
        }
    }

    #[test]
    fn every_trouble_comes_within_three_minutes() {
        let mut seen = std::collections::BTreeSet::new();
        for source in Source::ALL {
            let stream = Stream::new(source, 1, (64, 8, 3));
            let soon = stream.take_while(|planned| planned.at_ms < 180_000);
            seen.extend(soon.map(|planned| planned.trouble.name()));
        }
        assert_eq!(seen.len(), 11, "{seen:?}");
    }
}
