//! `traffic-agent run`.

use std::process::ExitCode;
use std::sync::Arc;

use nix::sys::signal::{SigSet, Signal};

use super::error::Failure;
use crate::config::Config;
use crate::engine::{Engine, Shared, Stop, now, run};
use crate::kernel::hooks::Kernel;
use crate::kernel::{bpffs, lock, maps};
use crate::ledger::{Ledger, Pinned};


/// Counts until SIGTERM or SIGINT.
pub(super) fn serve(config: &Config) -> Result<ExitCode, Failure> {
    let stop = stop_at_signals()?;
    bpffs::check(&config.bpffs)?;
    let _alone = lock::alone(&config.bpffs)?;
    let folder = maps::folder(&config.bpffs)?;
    let store = Pinned::make(&folder)?;
    let slots_map = store.slots_map()?;
    let shared = Shared::new(Ledger::open(store, now().uptime)?);
    let hooks = Kernel {
        folder,
        manner: config.manner,
        slots_map,
    };
    let mut engine = Engine::new(Arc::clone(&shared), hooks, config.hold);
    run(&mut engine, &config.run_dir, &stop, now, &mut |_| {});
    Ok(ExitCode::SUCCESS)
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
            // An error is a signal that was never blocked: there is nothing to wait for.
            if signals.wait().is_ok() {
                asked.ask();
            }
        })?;
    Ok(stop)
}
