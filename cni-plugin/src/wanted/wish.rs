//! What one ADD asks of IPAM: pools, addresses, a reservation, whether they are kept.

use std::net::IpAddr;

use berth_ipam::{Request, Stickiness};
use berth_types::{
    AttachmentId, Family, Incarnation, MacAddr, NetnsRef, ObjectName, PodRef, PoolName,
    ReservationId, parse_address,
};

use crate::spec::{CniError, Code, Config, Invocation, IpamConfig, OtherIpam, OwnIpam, POOL_NAME};

/// The annotation that names the pools.
const POOL: &str = "berth.dev/pool";
/// The annotation that names the addresses.
const ADDRESSES: &str = "berth.dev/addresses";
/// The annotation that names the workload's reservation.
const RESERVATION: &str = "berth.dev/reservation";
/// The annotation that says whether the pod's addresses are kept for its next life.
const STICKY: &str = "berth.dev/sticky";
/// The longest name that Kubernetes gives anything, in bytes.
const LONGEST_NAME: usize = 253;

/// What an ADD asks of IPAM, free of contradictions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Where the addresses are to come from: the first of these that can give them. Empty only
    /// with a reservation, which names its own, and where another plugin gives the addresses.
    pub pools: Vec<PoolName>,
    /// The addresses asked for, at most one of each family.
    pub exact: Vec<IpAddr>,
    /// The workload's set that they are to be drawn from.
    pub reservation: Option<ReservationId>,
    /// Whether they are kept for the pod's next life.
    pub stickiness: Stickiness,
    /// The pod, when the runtime named one.
    pub pod: Option<PodRef>,
}

impl Wish {
    /// Resolves what is asked of IPAM.
    ///
    /// Addresses may be asked for in four places; the first that does is heard: the annotation,
    /// `runtimeConfig.ips`, `args.cni.ips`, `IP` in `CNI_ARGS` (CNI conventions: `args` wins over
    /// `CNI_ARGS`). An annotation's pools take the place of the configuration's.
    ///
    /// # Errors
    /// Code 7, naming the place and the value; both places where two contradict each other.
    pub fn new(call: &Invocation, config: &Config) -> Result<Self, CniError> {
        match &config.ipam {
            IpamConfig::Own(own) => Self::of_own(own, call, config),
            IpamConfig::Other(other) => Self::left_to(other, call, config),
        }
    }

    /// Nothing is asked of this IPAM. What is in the call's own words goes to the other one.
    fn left_to(other: &OtherIpam, call: &Invocation, config: &Config) -> Result<Self, CniError> {
        let ours = [POOL, ADDRESSES, RESERVATION, STICKY].into_iter();
        let mut asked = ours.filter_map(|name| Some((name, annotation(config, name)?)));
        if let Some((name, value)) = asked.next() {
            let remedy = format!(
                "remove it: the addresses of this network come from plugin {}",
                other.plugin
            );
            return Err(CniError::field(name, format!("{value:?}"), &remedy));
        }
        Ok(Self {
            pools: Vec::new(),
            exact: Vec::new(),
            reservation: None,
            stickiness: Stickiness::AsPool,
            pod: pod(call)?,
        })
    }

    fn of_own(own: &OwnIpam, call: &Invocation, config: &Config) -> Result<Self, CniError> {
        let pod = pod(call)?;
        let asked = asked(call, config);
        let exact = asked.as_ref().map(|(place, list)| exact(place, list));
        let exact = exact.transpose()?.unwrap_or_default();
        let reservation = annotation(config, RESERVATION)
            .map(|raw| reservation(raw, pod.as_ref()))
            .transpose()?;
        let stickiness = stickiness(annotation(config, STICKY))?;
        if stickiness == Stickiness::Sticky {
            needs_a_pod(pod.as_ref())?;
            if reservation.is_some() {
                return Err(contradiction(RESERVATION));
            }
            if let Some((place, _)) = asked {
                return Err(contradiction(place));
            }
        }
        let pools = match annotation(config, POOL) {
            Some(list) => listed_pools(list)?,
            None => own.pools.clone(),
        };
        if pools.is_empty() && reservation.is_none() {
            let remedy = "name a pool here or by the annotation berth.dev/pool";
            return Err(CniError::field("ipam.pool", "null", remedy));
        }
        Ok(Self {
            pools,
            exact,
            reservation,
            stickiness,
            pod,
        })
    }

    /// The wish as one attachment's request.
    pub fn request(
        &self,
        attachment: AttachmentId,
        incarnation: Incarnation,
        netns: NetnsRef,
        mac: Option<MacAddr>,
    ) -> Request {
        let Self {
            pools,
            exact,
            reservation,
            stickiness,
            pod,
        } = self.clone();
        Request {
            attachment,
            incarnation,
            pod,
            netns: Some(netns),
            pools,
            exact,
            reservation,
            stickiness,
            mac,
        }
    }
}

/// An annotation of the pod.
pub(super) fn annotation<'a>(config: &'a Config, name: &str) -> Option<&'a str> {
    config.runtime.annotations.get(name).map(String::as_str)
}

/// Where addresses are asked for, and which: the first place that asks.
fn asked<'a>(call: &'a Invocation, config: &'a Config) -> Option<(&'static str, Vec<&'a str>)> {
    let texts = |list: &'a [String]| list.iter().map(String::as_str).collect();
    let annotated = annotation(config, ADDRESSES);
    let annotated = annotated.map(|list| list.split(',').map(str::trim).collect());
    let places: [(&str, Vec<&str>); 4] = [
        (ADDRESSES, annotated.unwrap_or_default()),
        ("runtimeConfig.ips", texts(&config.runtime.ips)),
        ("args.cni.ips", texts(&config.args_ips)),
        ("CNI_ARGS IP", call.args.ip.as_deref().into_iter().collect()),
    ];
    places.into_iter().find(|(_, list)| !list.is_empty())
}

/// The addresses of a list, which has one of each family at most.
fn exact(place: &str, list: &[&str]) -> Result<Vec<IpAddr>, CniError> {
    let mut addresses: Vec<IpAddr> = Vec::new();
    for raw in list {
        let address = one_address(place, raw)?;
        let family = Family::of(address);
        if addresses.iter().any(|known| Family::of(*known) == family) {
            let remedy = "ask for at most one IPv4 and one IPv6 address: an interface has no more";
            return Err(CniError::field(place, format!("{list:?}"), remedy));
        }
        addresses.push(address);
    }
    Ok(addresses)
}

fn one_address(place: &str, raw: &str) -> Result<IpAddr, CniError> {
    // A prefix length may be given, as the conventions allow; the pool's subnet decides.
    let (address, prefix) = raw
        .split_once('/')
        .map_or((raw, None), |(a, p)| (a, Some(p)));
    let remedy = "write IPv4 or IPv6 addresses without leading zeros";
    let wrong = || CniError::field(place, format!("{raw:?}"), remedy);
    if prefix.is_some_and(|prefix| prefix.parse::<u8>().is_err()) {
        return Err(wrong());
    }
    parse_address(address).map_err(|_address| wrong())
}

/// The pools of the annotation, in order, each once.
fn listed_pools(list: &str) -> Result<Vec<PoolName>, CniError> {
    let mut pools = Vec::new();
    for raw in list.split(',').map(str::trim) {
        let wrong = |_name| CniError::field(POOL, format!("{raw:?}"), POOL_NAME);
        let pool = raw.parse().map_err(wrong)?;
        if !pools.contains(&pool) {
            pools.push(pool);
        }
    }
    Ok(pools)
}

/// The workload's set of that name in the pod's namespace.
fn reservation(raw: &str, pod: Option<&PodRef>) -> Result<ReservationId, CniError> {
    let remedy = "use a reservation's name: up to 253 of a-z, 0-9, '.' and '-'";
    let wrong = |_name| CniError::field(RESERVATION, format!("{raw:?}"), remedy);
    let name = raw.parse::<ObjectName>().map_err(wrong)?;
    let namespace = pod.map(|pod| pod.namespace.as_str()).unwrap_or_default();
    let namespace = namespace.parse().map_err(|_name| {
        let remedy = "it is looked for in the pod's namespace: pass K8S_POD_NAMESPACE in CNI_ARGS";
        CniError::field(RESERVATION, format!("{raw:?}"), remedy)
    })?;
    Ok(ReservationId::Workload { namespace, name })
}

fn stickiness(raw: Option<&str>) -> Result<Stickiness, CniError> {
    match raw {
        None => Ok(Stickiness::AsPool),
        Some("true") => Ok(Stickiness::Sticky),
        Some("false") => Ok(Stickiness::Loose),
        Some(other) => {
            let remedy = r#"write "true" or "false", or leave it to the pool"#;
            Err(CniError::field(STICKY, format!("{other:?}"), remedy))
        }
    }
}

/// An address is kept for the pod of a name, and a pod without one has none to be known by.
fn needs_a_pod(pod: Option<&PodRef>) -> Result<(), CniError> {
    let named = pod.is_some_and(
        |PodRef {
             namespace,
             name,
             uid: _,
         }| {
            namespace.parse::<berth_types::NamespaceName>().is_ok()
                && name.parse::<ObjectName>().is_ok()
        },
    );
    if named {
        return Ok(());
    }
    let remedy = "an address is kept for a pod by its name: pass K8S_POD_NAMESPACE and K8S_POD_NAME in CNI_ARGS";
    Err(CniError::field(STICKY, r#""true""#, remedy))
}

fn contradiction(place: &str) -> CniError {
    let message = format!("{STICKY}: \"true\" contradicts {place}");
    CniError::new(Code::InvalidConfig, message).details(
        "ask for one of the two: addresses that are named or reserved are the pod's own already",
    )
}

/// The pod, as the runtime names it.
fn pod(call: &Invocation) -> Result<Option<PodRef>, CniError> {
    let args = &call.args;
    let pod = PodRef {
        namespace: name("K8S_POD_NAMESPACE", args.namespace.as_deref())?,
        name: name("K8S_POD_NAME", args.pod.as_deref())?,
        uid: name("K8S_POD_UID", args.uid.as_deref())?,
    };
    Ok((pod != PodRef::default()).then_some(pod))
}

/// A name that can stand in a path and in a list, whoever gave it; empty when there is none.
///
/// Not only Kubernetes names containers, so that not every such name is one of Kubernetes.
fn name(variable: &str, given: Option<&str>) -> Result<String, CniError> {
    let given = given.unwrap_or_default();
    let fits = |c: char| c != '/' && !c.is_control() && !c.is_whitespace();
    if given.len() <= LONGEST_NAME && given.chars().all(fits) {
        return Ok(given.to_owned());
    }
    let shown: String = given.chars().take(64).collect();
    let remedy = "use a name of at most 253 bytes without '/' or white space";
    Err(CniError::field(
        &format!("CNI_ARGS {variable}"),
        format!("{shown:?}"),
        remedy,
    ))
}
