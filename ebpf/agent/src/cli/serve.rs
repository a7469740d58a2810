//! `traffic-agent run`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use tracing::{info, warn};

use super::error::Failure;
use super::live::Live;
use crate::checkpoint;
use crate::config::Config;
use crate::containers::{Containers, records};
use crate::engine::{Chain, Engine, Shared, Stop, now, run};
use crate::export::Source;
use crate::http::Running;
use crate::kernel::hooks::{Hooks, Kernel};
use crate::kernel::lock::{Alone, LockError};
use crate::kernel::privileges::{Needs, keep_only};
use crate::kernel::{DeviceOnly, bpffs, lock, maps, pins};
use crate::ledger::{Formers, Ledger, Memory, Pinned, Store};
use crate::observe;
use crate::sampler::Sampler;
use crate::scope::ScopeMaps;
use crate::snapshot::Agent;

/// How often the sums are written down.
const CHECKPOINT: Duration = Duration::from_mins(1);

/// What the agent works with.
struct Ground {
    store: Box<dyn Store>,
    hooks: Box<dyn Hooks>,
    /// Why it is less than it should be.
    missing: Option<String>,
    _alone: Option<Alone>,
}

/// Counts until SIGTERM or SIGINT. What is missing makes it count less, not end.
pub(super) fn serve(config: &Config) -> Result<ExitCode, Failure> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .without_time()
        .init();
    let stop = stop_at_signals()?;
    let Ground {
        store,
        hooks,
        missing,
        _alone,
    } = ground(config)?;
    let kept = missing.is_none();
    let mut ledger = Ledger::open(store, now().uptime)?;
    begin(&mut ledger, config, kept)?;
    let shared = Shared::new(ledger);
    shared.notes().troubles.missing.extend(missing);
    let containers = if kept {
        containers(config, &shared, &stop)
    } else {
        None
    };
    let sampler = config.sample.filter(|_| kept);
    let live = Arc::new(Live {
        sampler: sampler.and_then(|every| sampling(config, every, &shared, &stop)),
        containers,
        agent: Agent {
            node: config.node.clone(),
            started: now().time,
            kernel: config.containers.kernel.clone(),
        },
        shared: Arc::clone(&shared),
    });
    let source: Arc<dyn Source> = Arc::<Live<_>>::clone(&live);
    let served = Running::start(&config.http, &config.export, source)?;
    info!(address = %served.address(), "metrics and page are served");
    let clusters = config.clusters.clone();
    let mut engine = Engine::new(Arc::clone(&shared), hooks, config.hold, clusters);
    let (mut said, mut written) = (BTreeSet::new(), now().uptime);
    run(&mut engine, &config.run_dir, &stop, now, &mut |now| {
        say(&live, &mut said);
        if kept && now.uptime.saturating_sub(written) >= CHECKPOINT {
            write_down(&shared, &config.state_dir);
            written = now.uptime;
        }
    });
    served.end();
    if kept {
        write_down(&shared, &config.state_dir);
    }
    info!("ended; what is attached counts on");
    Ok(ExitCode::SUCCESS)
}

/// The kernel's maps and hooks, or, where they cannot be had, the devices' own counters.
fn ground(config: &Config) -> Result<Ground, Failure> {
    match whole_ground(config) {
        Ok(ground) => Ok(ground),
        Err(failure @ Failure::Lock(LockError::Taken { .. })) => Err(failure),
        Err(failure) => {
            let slots = berth_ebpf_common::SLOTS;
            let room = usize::try_from(berth_ebpf_common::WORKLOADS).unwrap_or(usize::MAX);
            let why = Chain(&failure);
            Ok(Ground {
                store: Box::new(Memory::new(slots, room)),
                hooks: Box::new(DeviceOnly),
                missing: Some(format!(
                    "nothing is counted in the kernel, only by devices and not kept: {why}; {}",
                    failure.hint()
                )),
                _alone: None,
            })
        }
    }
}

fn whole_ground(config: &Config) -> Result<Ground, Failure> {
    bpffs::check(&config.bpffs)?;
    let alone = lock::alone(&config.bpffs)?;
    let folder = maps::folder(&config.bpffs)?;
    let store = Pinned::make(&folder)?;
    let mut hooks = Kernel::new(folder.clone(), config.manner, store.slots_map()?);
    hooks.scopes = Some(ScopeMaps::open(&folder)?);
    Ok(Ground {
        store: Box::new(store),
        hooks: Box::new(hooks),
        missing: None,
        _alone: Some(alone),
    })
}

/// In new maps: goes on from what was written down before the reboot.
fn begin<S: Store>(ledger: &mut Ledger<S>, config: &Config, kept: bool) -> Result<(), Failure> {
    if ledger.is_new()? {
        ledger.reserve(now().time)?;
    }
    if !kept {
        return Ok(());
    }
    if take_over(ledger, config)? || !ledger.is_new()? {
        return Ok(());
    }
    match checkpoint::read(&config.state_dir) {
        Ok(Some(before)) => {
            let found = observe::read(&config.run_dir);
            let workloads = checkpoint::restore(ledger, &before, &found)?;
            info!(workloads, "went on from the sums before the reboot");
        }
        Ok(None) => {}
        Err(error) => warn!(%error, "the sums before the reboot are lost"),
    }
    ledger.begin(now().time)?;
    Ok(())
}

/// Goes on from another version's maps; `false` when there are none.
fn take_over<S: Store>(ledger: &mut Ledger<S>, config: &Config) -> Result<bool, Failure> {
    let mut found = false;
    for (abi, folder) in maps::other_versions(&config.bpffs) {
        let formers = match Formers::open(abi, &folder) {
            Ok(formers) => formers,
            // Its agent's successor was killed while it removed them.
            Err(_) if !ledger.is_new()? && !ledger.names(abi) => {
                pins::remove_all(&folder)?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let (theirs, ours) = (formers.begun()?, ledger.begun()?);
        ledger.read_with(formers);
        match (theirs, ours) {
            // Killed before it took anything over: it is removed with the others.
            (None, _) => {}
            (Some(_), None) => {
                ledger.take_over(abi)?;
                found = true;
            }
            // It took over from us, and was not done.
            (Some(theirs), Some(ours)) if theirs > ours => {
                return Err(Failure::TakenOver(abi));
            }
            (Some(_), Some(_)) => found = true,
        }
    }
    if found {
        if ledger.is_new()? {
            ledger.begin(now().time)?;
        }
        ledger.move_links(&maps::folder_of(&config.bpffs))?;
        info!("went on from another version's counters");
    }
    Ok(found)
}

fn write_down<S: Store>(shared: &Shared<S>, state_dir: &Path) {
    let taken = checkpoint::take(&shared.ledger());
    if let Err(error) = taken.and_then(|taken| checkpoint::write(state_dir, &taken)) {
        warn!(%error, "the sums cannot be written down");
    }
}

/// Says what is newly wrong, once.
fn say<S: Store>(live: &Live<S>, said: &mut BTreeSet<String>) {
    let sentences = live.sentences();
    for new in sentences.difference(said) {
        warn!("{new}");
    }
    *said = sentences;
}

/// Measures what the programs cost, on a thread of its own.
fn sampling<S: Store>(
    config: &Config,
    every: Duration,
    shared: &Shared<S>,
    stop: &Arc<Stop>,
) -> Option<Arc<Sampler>> {
    let folder = maps::folder_of(&config.bpffs);
    match Sampler::start(folder, every, stop, now) {
        Ok(sampler) => Some(sampler),
        Err(error) => {
            let sentence = format!("what the programs cost is not measured: {error}");
            shared.notes().troubles.missing.insert(sentence);
            None
        }
    }
}

/// Tells the containers within pods apart, on a thread of its own. Pods are counted without it.
fn containers<S: Store + 'static>(
    config: &Config,
    shared: &Arc<Shared<S>>,
    stop: &Arc<Stop>,
) -> Option<Arc<Containers>> {
    let known = Arc::clone(shared);
    let started = Containers::open(&maps::folder_of(&config.bpffs), now()).and_then(|opened| {
        let records = move || records(&known);
        let settings = config.containers.clone();
        opened.start(settings, records, stop, now)?;
        Ok(opened)
    });
    match started {
        Ok(started) => Some(started),
        Err(error) => {
            let sentence = format!("containers are not told apart: {}", Chain(&error));
            shared.notes().troubles.missing.insert(sentence);
            None
        }
    }
}

/// Blocks the signals before any thread is there, and waits for them on one of its own.
fn stop_at_signals() -> Result<Arc<Stop>, Failure> {
    let stop = Arc::new(Stop::new());
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTERM);
    signals.add(Signal::SIGINT);
    signals.thread_block().map_err(std::io::Error::from)?;
    let asked = Arc::clone(&stop);
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            keep_only(Needs::Nothing);
            // An error is a signal that was never blocked: there is nothing to wait for.
            if signals.wait().is_ok() {
                asked.ask();
            }
        })?;
    Ok(stop)
}
