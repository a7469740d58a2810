//! `cnictl pool`.

use std::net::IpAddr;

use berth_types::{AddressRange, BlockSize, PoolName, VlanId};
use clap::{Args, Subcommand};
use ipnetwork::IpNetwork;

use super::{ConsentArgs, values};

#[derive(Debug, Subcommand)]
pub(crate) enum PoolCommand {
    /// Make a pool.
    Create(CreateArgs),
    /// List all pools.
    List,
    /// Show a pool, its subnets and its blocks.
    Show {
        /// The pool.
        name: PoolName,
    },
    /// Add subnets to a pool.
    Extend(ExtendArgs),
    /// Hand out some of a pool's addresses no more; whoever holds one keeps it.
    Exclude(ExcludeArgs),
    /// Hand out again what was excluded.
    Include(ExcludeArgs),
    /// Change who may draw from a pool, and how long addresses are kept.
    Set(SetArgs),
    /// Hand out nothing of a pool any more; what is held stays held.
    Drain(StateArgs),
    /// Let a draining pool hand out addresses again.
    Resume(StateArgs),
    /// Delete a pool that drains and that nobody uses.
    Delete(DeleteArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// The pool's name.
    pub(crate) name: PoolName,
    #[command(flatten)]
    pub(crate) subnets: SubnetArgs,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExtendArgs {
    /// The pool's name.
    pub(crate) name: PoolName,
    #[command(flatten)]
    pub(crate) subnets: SubnetArgs,
    /// Show what would be done, and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Subnets with options, each of which belongs to the subnet that contains it.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct SubnetArgs {
    /// A subnet; may be given several times.
    #[arg(long = "subnet", required = true, value_name = "CIDR", value_parser = values::cidr)]
    pub(crate) subnets: Vec<IpNetwork>,
    /// The gateway of the subnet that contains it.
    #[arg(long = "gateway", value_name = "IP", value_parser = berth_types::parse_address)]
    pub(crate) gateways: Vec<IpAddr>,
    /// The part of the subnet around it that is handed out.
    #[arg(long = "range", value_name = "FIRST-LAST")]
    pub(crate) ranges: Vec<AddressRange>,
    /// A part that is not handed out: FIRST-LAST, an address or a CIDR.
    #[arg(long = "exclude", value_name = "RANGE")]
    pub(crate) excludes: Vec<AddressRange>,
    /// The 802.1Q VLAN of all these subnets.
    #[arg(long, value_name = "ID", value_parser = values::vlan)]
    pub(crate) vlan: Option<VlanId>,
}

/// Who may draw from a pool, and how long addresses are kept.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct SettingsArgs {
    /// Addresses per block, a power of two up to 256, at first 16; fixed once a node has
    /// claimed a block.
    #[arg(long, value_name = "ADDRESSES", value_parser = values::block_size)]
    pub(crate) block_size: Option<BlockSize>,
    /// The Kubernetes namespaces that may draw from it: names, or patterns with `*`, with commas
    /// between them; empty for all, also for containers of no pod.
    #[arg(long, value_name = "PATTERN,…", value_parser = values::patterns)]
    pub(crate) namespaces: Option<values::Patterns>,
    /// The nodes that may draw from it, in the same way; empty for all.
    #[arg(long, value_name = "PATTERN,…", value_parser = values::patterns)]
    pub(crate) nodes: Option<values::Patterns>,
    /// Keep a pod's address for the next pod of the same name.
    #[arg(
        long,
        value_name = "on|off",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "on",
        value_parser = values::switch
    )]
    pub(crate) sticky: Option<bool>,
    /// How long it is kept unused, as 12h; at first 7d, and 0 is for ever.
    #[arg(long, value_name = "TIME", value_parser = values::seconds)]
    pub(crate) sticky_for: Option<u32>,
    /// How long a released address rests before it is given again, as 5m; at first 30s.
    #[arg(long, value_name = "TIME", value_parser = values::seconds)]
    pub(crate) cooldown: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct ExcludeArgs {
    /// The pool's name.
    pub(crate) name: PoolName,
    /// FIRST-LAST, an address or a CIDR.
    #[arg(required = true, value_name = "RANGE")]
    pub(crate) ranges: Vec<AddressRange>,
    /// Show what would be done, and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SetArgs {
    /// The pool's name.
    pub(crate) name: PoolName,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    /// Show what would be done, and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StateArgs {
    /// The pool's name.
    pub(crate) name: PoolName,
    /// Show what would be done, and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// The pool's name.
    pub(crate) name: PoolName,
    #[command(flatten)]
    pub(crate) consent: ConsentArgs,
}
