//! The options, with their defaults, free of contradictions.

mod served;
mod split;

use std::path::PathBuf;
use std::time::Duration;

use berth_ebpf_common::constants::{LEVEL_DEFAULT, LEVEL_DETAIL, LEVEL_MIN};
use berth_types::NodeName;
use ipnetwork::IpNetwork;

use crate::args::{AttachOrder, HookChoice, Level, Options};
use crate::decide::GRACE;
use crate::export::ExportOptions;
use crate::kernel::bpf::Order;
use crate::kernel::hooks::{Choice, Manner};
use crate::{containers, http};

/// A second of fewer is not measured: it would cost all the time.
const SAMPLE_AT_MOST: u64 = 10;

/// How this agent counts.
#[derive(Clone, Debug)]
pub struct Config {
    /// The plugin's `runDir`.
    pub run_dir: PathBuf,
    /// Where pins are kept.
    pub bpffs: PathBuf,
    /// Where the sums are kept over a reboot.
    pub state_dir: PathBuf,
    /// The node's name.
    pub node: NodeName,
    /// How programs are attached.
    pub manner: Manner,
    /// Prefixes of the clusters.
    pub clusters: Vec<IpNetwork>,
    /// How containers are told apart.
    pub containers: containers::Settings,
    /// How long an interface or container that has ended is shown.
    pub hold: Duration,
    /// How often it is measured what the programs cost; never when absent.
    pub sample: Option<Duration>,
    /// Where it is served, and to whom.
    pub http: http::Settings,
    /// What is exported.
    pub export: ExportOptions,
}

/// An option that cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{option} {value:?}: {problem}")]
pub struct BadOption {
    /// Which.
    option: &'static str,
    /// Its value.
    value: String,
    /// What is wrong with it.
    problem: String,
}

/// Checks `options` and fills in what they leave out.
///
/// # Errors
/// [`BadOption`].
pub fn config(options: Options) -> Result<Config, BadOption> {
    let (http, export) = (served::http(&options), served::export(&options));
    let hold = hold(options.show_ended)?;
    let containers = split::settings(&options, hold)?;
    let Options {
        config: _,
        run_dir,
        bpffs,
        state_dir,
        node,
        level,
        tcp,
        containers: _,
        cri: _,
        cgroup: _,
        cluster_cidr,
        hook,
        attach_order,
        show_ended: _,
        listen: _,
        allow_host: _,
        tls_cert: _,
        tls_key: _,
        token_file: _,
        sample_programs,
        max_series: _,
        cadvisor: _,
    } = options;
    Ok(Config {
        http,
        export,
        run_dir: run_dir.unwrap_or_else(|| "/run/berth".into()),
        bpffs: bpffs.unwrap_or_else(|| "/sys/fs/bpf".into()),
        state_dir: state_dir.unwrap_or_else(|| "/var/lib/berth".into()),
        node: node_name(node)?,
        manner: manner(
            hook,
            attach_order,
            level.unwrap_or_default(),
            tcp.unwrap_or_default(),
        ),
        clusters: cluster_cidr.unwrap_or_default(),
        containers,
        hold,
        sample: sample(sample_programs)?,
    })
}

fn hold(seconds: Option<u64>) -> Result<Duration, BadOption> {
    let hold = Duration::from_secs(seconds.unwrap_or(120));
    if hold < GRACE {
        return Err(BadOption {
            option: "--show-ended",
            value: hold.as_secs().to_string(),
            problem: "at least 1 second, in which programs come to their end".into(),
        });
    }
    Ok(hold)
}

fn sample(seconds: Option<u64>) -> Result<Option<Duration>, BadOption> {
    match seconds {
        Some(seconds) if seconds < SAMPLE_AT_MOST => Err(BadOption {
            option: "--sample-programs",
            value: seconds.to_string(),
            problem: "at least 10 seconds, of which one is measured".into(),
        }),
        seconds => Ok(seconds.map(Duration::from_secs)),
    }
}

fn manner(hook: Option<HookChoice>, order: Option<AttachOrder>, level: Level, tcp: bool) -> Manner {
    Manner {
        choice: match hook.unwrap_or_default() {
            HookChoice::Auto => Choice::Auto,
            HookChoice::Tcx => Choice::Tcx,
            HookChoice::Clsact => Choice::Clsact,
            HookChoice::Device => Choice::Device,
        },
        order: match order.unwrap_or_default() {
            AttachOrder::Head => Order::Head,
            AttachOrder::Tail => Order::Tail,
        },
        level: match level {
            Level::Min => LEVEL_MIN,
            Level::Default => LEVEL_DEFAULT,
            Level::Detail => LEVEL_DETAIL,
        },
        tcp: u32::from(tcp),
    }
}

fn node_name(said: Option<String>) -> Result<NodeName, BadOption> {
    let name = said.unwrap_or_else(|| {
        let host = nix::unistd::gethostname().unwrap_or_default();
        host.to_string_lossy().into_owned()
    });
    name.parse()
        .map_err(|error: berth_types::InvalidName| BadOption {
            option: "--node",
            value: name,
            problem: error.rule.into(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_measured_when_that_is_asked_for_and_not_all_the_time() {
        let cases = [
            ("not asked for", None, Some(None)),
            ("a second in ten", Some(10), Some(Some(10))),
            ("a second in nine", Some(9), None),
            ("without a pause", Some(0), None),
        ];
        for (case, said, expected) in cases {
            let sampled = sample(said).ok();
            let expected = expected.map(|every| every.map(Duration::from_secs));
            assert_eq!(sampled, expected, "case: {case}");
        }
    }
}
