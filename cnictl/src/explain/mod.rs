//! `cnictl explain`: what an ADD would do on this host, by the planner that an ADD executes.
//!
//! Reads the host and the store, and changes neither. The addresses are those that would be tried
//! first: whoever comes in between may take them.

mod first;
mod sheet;

use std::io::Write;

use berth_cni::host::Netlink;
use berth_cni::host_access::node_addresses;
use berth_cni::plan::{self, Fresh, Granted, Seen};
use berth_cni::spec::{CniError, Code, Invocation, MainConfig};
use berth_cni::wanted::{Wanted, attachment};
use berth_types::{Incarnation, MacAddr};
use serde_json::{Map, Value, json};

use crate::cli::ExplainArgs;
use crate::conf::{self, Conf};
use crate::error::{Ended, Failure};
use crate::node::random;
use crate::output::Printer;
use first::First;
use sheet::{Explained, Refused};

/// The container that is talked of.
const CONTAINER: &str = "explained";
/// Where the runtime's annotations are in a configuration.
const ANNOTATIONS: &str = "io.kubernetes.cri.pod-annotations";

/// `cnictl explain`
pub(crate) async fn run(
    args: &ExplainArgs,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let conf = with_annotations(only(args)?, &args.annotations);
    if let Ok(config) = MainConfig::parse(&conf.stdin()) {
        for misspelt in &config.misspelt {
            out.remark(format!("warning: {misspelt}"))?;
        }
    }
    match explain(args, &conf).await {
        Ok(explained) => {
            out.sheet(&explained)?;
            Ok(Ended::Clean)
        }
        Err(error) => {
            out.sheet(&Refused::of(&error))?;
            Ok(Ended::Findings)
        }
    }
}

/// The one network that is meant.
fn only(args: &ExplainArgs) -> Result<Conf, Failure> {
    let path = args.conf.display();
    let wrong = |problem: String| Failure::Usage {
        problem,
        hint: "name the file of one network of type berth with --conf".to_owned(),
    };
    let mut ours = Vec::new();
    for found in conf::read(&args.conf)? {
        match found {
            Ok(conf) => ours.push(conf),
            Err(bad) => return Err(wrong(format!("{}: {}", bad.file.display(), bad.problem))),
        }
    }
    match (ours.pop(), ours.pop()) {
        (Some(conf), None) => Ok(conf),
        (Some(_), Some(_)) => Err(wrong(format!("{path} has several networks of type berth"))),
        (None, _) => Err(wrong(format!("{path} has no network of type berth"))),
    }
}

/// The configuration as a runtime passes it, with the annotations of the pod.
fn with_annotations(mut conf: Conf, annotations: &[(String, String)]) -> Conf {
    if annotations.is_empty() {
        return conf;
    }
    let given: Map<_, _> = annotations
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    let runtime = conf.plugin.entry("runtimeConfig").or_insert(json!({}));
    if let Some(runtime) = runtime.as_object_mut() {
        runtime.insert(ANNOTATIONS.to_owned(), Value::Object(given));
    }
    conf
}

async fn explain(args: &ExplainArgs, conf: &Conf) -> Result<Explained, CniError> {
    let config = MainConfig::parse(&conf.stdin())?;
    let call = Invocation::parse(|name| variable(args, name))?;
    let wanted = Wanted::new(&call, &config.common)?;
    let id = attachment(&call, &config.common)?;
    let unknown = |failure: Failure| CniError::new(Code::Internal, failure.to_string());
    let life = Incarnation::from_random(random().map_err(unknown)?);
    let mut host = Netlink::open()?;
    // What the host refuses, an ADD refuses before it asks the store.
    let parent = plan::parent(&config.link.driver, |name| host.link_by_name(name))?;
    let addresses = match &config.link.host_access {
        Some(_) => node_addresses(&mut host, parent.index)?,
        None => Vec::new(),
    };
    let seen = Seen {
        links: host.links()?,
        vlans: host.vlans()?,
        addresses,
    };
    let first = first::first(&config.common, &wanted.wish).await?;
    let grant = |fresh: &Fresh| Ok(granted(&first, fresh));
    let whole = plan::whole((&wanted, &config.link), (&id, &life), &seen, grant)?;
    Ok(Explained::of(&id, &first, &whole))
}

/// The environment that a runtime would set.
fn variable(args: &ExplainArgs, name: &str) -> Option<String> {
    let pod = |key: &str, value: &Option<String>| {
        let value = value.as_ref()?;
        Some(format!("{key}={value}"))
    };
    Some(match name {
        "CNI_COMMAND" => "ADD".to_owned(),
        "CNI_CONTAINERID" => CONTAINER.to_owned(),
        // Nobody looks there.
        "CNI_NETNS" => "/proc/self/ns/net".to_owned(),
        "CNI_IFNAME" => args.ifname.clone(),
        "CNI_ARGS" => args.args.clone().unwrap_or_else(|| {
            let namespace = pod("K8S_POD_NAMESPACE", &args.namespace);
            let pairs = [namespace, pod("K8S_POD_NAME", &args.pod)];
            pairs.into_iter().flatten().collect::<Vec<_>>().join(";")
        }),
        _ => return None,
    })
}

fn granted(first: &First, fresh: &Fresh) -> Granted {
    let addresses = first
        .addresses
        .iter()
        .map(|tried| (tried.address, tried.subnet.clone()));
    let doubtful = first.addresses.iter().filter(|tried| tried.unproven);
    let least = first.addresses.iter().map(|tried| tried.address).min();
    let least = least.unwrap_or(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
    let subnets = first.addresses.iter().map(|tried| &tried.subnet);
    Granted {
        routes: subnets.flat_map(plan::routes_of).collect(),
        addresses: addresses.collect(),
        doubtful: doubtful.map(|tried| tried.address).collect(),
        mac: fresh.mac.unwrap_or_else(|| MacAddr::of_address(least)),
    }
}
