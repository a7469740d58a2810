//! The CNI plugin `berth`: puts a container on the physical network, with an address of its own;
//! and `berth-ipam`, the same addresses for interfaces that another plugin makes.
//!
//! One call of the plugin is one verb of the CNI specification. The flow of an ADD:
//!
//! 1. [`spec`] parses environment and configuration into a [`wanted::Wanted`];
//! 2. the host is observed, and [`plan`] decides the steps, purely;
//! 3. [`verbs`] writes the intent down, claims an address *while* the link is made in the
//!    container's namespace, applies the remaining steps through [`host`], verifies, writes the
//!    attachment's record and prints the result;
//! 4. a failure undoes the steps that were made, newest first.
//!
//! Stdout belongs to the protocol: a result, or an error object.

pub mod bandwidth;
mod clock;
pub mod delegate;
pub mod files;
pub mod host;
pub mod host_access;
pub mod ovs;
pub mod plan;
pub mod spec;
pub mod verbs;
pub mod vlan;
pub mod wanted;
pub mod wire;

use std::io::{self, Read, Write};
use std::process::ExitCode;

use spec::{CniError, Config, Invocation, MainConfig, Verb};
use verbs::delegated;

/// Most bytes of configuration that are read; real ones have a few thousand.
const LONGEST_CONFIG: u64 = 4 << 20;

/// Which of the programs this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `berth`, which makes the interface and gives it its addresses.
    Main,
    /// `berth-ipam`, which another main plugin asks for addresses.
    Delegated,
}

/// The whole program: this process's environment, stdin and stdout.
pub fn program(which: Program) -> ExitCode {
    run(
        which,
        |name| std::env::var(name).ok(),
        &mut io::stdin().lock(),
        &mut io::stdout().lock(),
    )
}

/// Runs the call that the environment describes, and writes what the specification wants.
///
/// `env` answers for environment variables.
pub fn run(
    which: Program,
    env: impl Fn(&str) -> Option<String>,
    stdin: &mut impl Read,
    stdout: &mut impl Write,
) -> ExitCode {
    let mut config = Vec::new();
    let read = stdin.take(LONGEST_CONFIG).read_to_end(&mut config);
    let mut version = spec::written_version(&config);
    let answer = match which {
        Program::Main => answer_main,
        Program::Delegated => answer_delegated,
    };
    let outcome = match read {
        Err(error) => Err(CniError::io("stdin", &error)),
        Ok(_) => Invocation::parse(env).and_then(|call| answer(&call, &config, &mut version)),
    };
    let (text, code) = match outcome {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(error) => (error.to_json(version), ExitCode::FAILURE),
    };
    // A runtime that has closed its end no longer wants to know.
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

fn answer_main(
    call: &Invocation,
    config: &[u8],
    version: &mut spec::Version,
) -> Result<String, CniError> {
    let serve: fn(&Invocation, &MainConfig) -> Result<String, CniError> = match call.verb {
        Verb::Version => return Ok(verbs::version(config)),
        Verb::Add => verbs::add,
        Verb::Del => verbs::del,
        Verb::Check => verbs::check,
        Verb::Status => verbs::status,
        Verb::Gc => verbs::gc,
    };
    let config = MainConfig::parse(config)?;
    *version = config.common.version;
    version.allows(call.verb)?;
    if call.verb == Verb::Add {
        for misspelt in &config.misspelt {
            // Nobody reads a warning that cannot be written.
            drop(writeln!(io::stderr(), "berth: warning: {misspelt}"));
        }
    }
    serve(call, &config)
}

fn answer_delegated(
    call: &Invocation,
    config: &[u8],
    version: &mut spec::Version,
) -> Result<String, CniError> {
    let serve: fn(&Invocation, &Config) -> Result<String, CniError> = match call.verb {
        Verb::Version => return Ok(verbs::version(config)),
        Verb::Add => delegated::add,
        Verb::Del => delegated::del,
        Verb::Check => delegated::check,
        Verb::Status => |_, config| delegated::status(config),
        Verb::Gc => delegated::gc,
    };
    let config = Config::parse_delegated(config)?;
    *version = config.version;
    version.allows(call.verb)?;
    serve(call, &config)
}
