//! The workers' processes: started, killed, paused, started again.

use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;

use super::worker::Order;
use crate::process::Daemon;

/// What a worker's process is at.
#[derive(Debug)]
enum Place {
    /// It runs.
    Runs(Daemon),
    /// It was killed and is to be started again.
    Killed,
    /// It ended by itself, all operations made.
    Done,
}

/// All workers of a run. Killed when dropped.
#[derive(Debug)]
pub struct Crew {
    program: PathBuf,
    folder: PathBuf,
    places: Vec<Place>,
}

impl Crew {
    /// No worker runs yet.
    pub fn new(program: &Path, order: &Order) -> Self {
        Self {
            program: program.to_owned(),
            folder: order.folder.clone(),
            places: (0..order.workers).map(|_| Place::Killed).collect(),
        }
    }

    /// Starts a worker that does not run. `on` makes a command for a program on its node.
    pub fn start(&mut self, worker: u64, on: impl FnOnce(&Path) -> Command) {
        let Some(place @ Place::Killed) = at(&mut self.places, worker) else {
            return;
        };
        let mut command = on(&self.program);
        command
            .arg("work")
            .arg(&self.folder)
            .arg(worker.to_string());
        let log = self.folder.join(format!("log-{worker}"));
        *place = Place::Runs(Daemon::start(&mut command, &log));
    }

    /// Kills a worker; `false` when it does not run.
    pub fn kill(&mut self, worker: u64) -> bool {
        self.look_at(worker);
        let Some(place) = at(&mut self.places, worker) else {
            return false;
        };
        let Place::Runs(daemon) = place else {
            return false;
        };
        daemon.kill();
        *place = Place::Killed;
        true
    }

    /// Stops a worker where it is; `false` when it does not run.
    pub fn pause(&mut self, worker: u64) -> bool {
        self.signal(worker, Signal::SIGSTOP)
    }

    /// Lets it go on.
    pub fn resume(&mut self, worker: u64) {
        self.signal(worker, Signal::SIGCONT);
    }

    fn signal(&mut self, worker: u64, signal: Signal) -> bool {
        let Some(Place::Runs(daemon)) = at(&mut self.places, worker) else {
            return false;
        };
        daemon.signal(signal);
        true
    }

    /// Whether all workers have ended.
    ///
    /// # Panics
    /// When one ended badly; the message is its log.
    pub fn is_done(&mut self) -> bool {
        let workers = u64::try_from(self.places.len()).expect("not that many");
        (0..workers).for_each(|worker| self.look_at(worker));
        self.places.iter().all(|place| matches!(place, Place::Done))
    }

    /// Notices the end of a worker.
    fn look_at(&mut self, worker: u64) {
        let Some(place) = at(&mut self.places, worker) else {
            return;
        };
        let Place::Runs(daemon) = place else {
            return;
        };
        if let Some(status) = daemon.ended() {
            let log = daemon.log();
            assert!(status.success(), "worker {worker}: {status}\n{log}");
            *place = Place::Done;
        }
    }
}

fn at(places: &mut [Place], worker: u64) -> Option<&mut Place> {
    places.get_mut(usize::try_from(worker).ok()?)
}
