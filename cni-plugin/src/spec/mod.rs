//! The CNI specification's words: versions, calls, configuration, results, errors.

mod chained;
mod config;
mod error;
mod invocation;
mod result;
mod version;

pub use chained::Chained;
pub(crate) use config::POOL_NAME;
pub use config::{
    Config, ConflictCheck, Driver, GcFields, HostAccess, IpamConfig, LinkConfig, MacvlanConfig,
    MainConfig, Misspelt, Mode, OtherIpam, OvsConfig, OwnIpam, PluginName, RuntimeConfig,
    ValidAttachments,
};
pub use error::{CniError, Code};
pub use invocation::{CniArgs, Invocation, Verb};
pub use result::{CniResult, Dns, Interface, Ip, RouteEntry};
pub use version::{Version, written_version};

#[cfg(test)]
mod hostile;
