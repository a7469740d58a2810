//! Queues, and leading traffic from one link to another.

use berth_types::IfName;
use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_core::{Nla as _, NlasIterator};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoKind, LinkAttribute, LinkInfo, LinkMessage,
};
use netlink_packet_route::tc::{
    TcAction, TcActionAttribute, TcActionMirrorOption, TcActionOption, TcActionType, TcAttribute,
    TcFilterU32Option, TcHandle, TcMessage, TcMirror, TcMirrorActionType, TcOption, TcU32Key,
    TcU32Selector, TcU32SelectorFlags,
};
use nix::errno::Errno;

use super::{Netlink, NetlinkError};
use crate::bandwidth::Bucket;

/// The kind of a token bucket.
const TBF: &str = "tbf";
/// `TCA_TBF_PARMS`: a `struct tc_tbf_qopt`.
const TBF_PARAMETERS: u16 = 1;
/// `TCA_TBF_RATE64`: the rate in bytes a second, of which the parameters hold 32 bits.
const TBF_RATE64: u16 = 4;
/// `TCA_TBF_BURST`: the burst in bytes, of which the parameters hold a time.
const TBF_BURST: u16 = 6;
/// `TC_LINKLAYER_ETHERNET`: packets cost their length, so that no table of costs is needed.
const ETHERNET: u8 = 1;
/// Where filters on what arrives hang, below `clsact`.
const ARRIVING: TcHandle = TcHandle {
    major: u16::MAX,
    minor: TcHandle::MIN_INGRESS,
};
/// `ETH_P_ALL` in the order of the wire, below the first priority: `tcm_info` of a filter.
const FIRST_FOR_ALL: u32 = {
    let [high, low] = 3_u16.to_be_bytes();
    (1 << 16)
        | u32::from_ne_bytes(if cfg!(target_endian = "little") {
            [high, low, 0, 0]
        } else {
            [0, 0, high, low]
        })
};

/// A token bucket that stands at a link's root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenBucket {
    /// The link's index.
    pub link: u32,
    /// Its rate in bytes a second.
    pub rate: u64,
}

impl Netlink {
    /// Puts a token bucket before all that leaves by the link, in place of whatever queue it has.
    ///
    /// # Errors
    /// [`NetlinkError`]; `ENOENT` on a kernel without `sch_tbf`.
    pub fn set_bucket(&mut self, link: u32, bucket: Bucket) -> Result<(), NetlinkError> {
        let mut message = of_link(link, TcHandle::ROOT);
        message.attributes = vec![
            TcAttribute::Kind(TBF.into()),
            TcAttribute::Options(tbf_options(bucket)),
        ];
        let what = format!("limit what leaves by link {link}");
        let message = RouteNetlinkMessage::NewQueueDiscipline(message);
        self.change(&what, message, NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Makes an intermediate device.
    ///
    /// # Errors
    /// [`NetlinkError`]; `EOPNOTSUPP` on a kernel without `ifb`.
    pub fn create_ifb(&mut self, name: &IfName, mtu: u32) -> Result<(), NetlinkError> {
        let mut message = LinkMessage::default();
        message.attributes = vec![
            LinkAttribute::IfName(name.to_string()),
            LinkAttribute::Mtu(mtu),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Ifb)]),
        ];
        self.change(
            &format!("make intermediate device {name}"),
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// Keeps IPv6 from giving the link an address by itself.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn without_own_ipv6(&mut self, link: u32) -> Result<(), NetlinkError> {
        let mut message = LinkMessage::default();
        message.header.index = link;
        let none = vec![AfSpecInet6::AddrGenMode(In6AddrGenMode::None)];
        message.attributes = vec![LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(none)])];
        let what = format!("keep link {link} without an address");
        match self.change(&what, RouteNetlinkMessage::SetLink(message), 0) {
            // Without IPv6 there is none to be had.
            Err(error) if error.errno() == Some(Errno::EAFNOSUPPORT) => Ok(()),
            other => other,
        }
    }

    /// Gives the link a place where filters on what arrives can hang.
    ///
    /// # Errors
    /// [`NetlinkError`]; `ENOENT` on a kernel without `sch_ingress`.
    pub fn hook_arriving(&mut self, link: u32) -> Result<(), NetlinkError> {
        let mut hook = of_link(link, TcHandle::CLSACT);
        hook.header.handle = TcHandle {
            major: u16::MAX,
            minor: 0,
        };
        hook.attributes = vec![TcAttribute::Kind("clsact".into())];
        let what = format!("hook into what arrives at link {link}");
        let flags = NLM_F_CREATE | NLM_F_EXCL;
        self.change(&what, RouteNetlinkMessage::NewQueueDiscipline(hook), flags)
    }

    /// Leads all that arrives at the hooked link `from` through the intermediate device `to`, from
    /// where it comes back.
    ///
    /// # Errors
    /// [`NetlinkError`]; `ENOENT` on a kernel without `cls_u32` or `act_mirred`.
    pub fn lead_arriving(&mut self, from: u32, to: u32) -> Result<(), NetlinkError> {
        let mut filter = of_link(from, ARRIVING);
        filter.header.info = FIRST_FOR_ALL;
        filter.attributes = vec![
            TcAttribute::Kind("u32".into()),
            TcAttribute::Options(vec![
                TcOption::U32(TcFilterU32Option::Selector(everything())),
                TcOption::U32(TcFilterU32Option::Action(vec![redirect(to)])),
            ]),
        ];
        let what = format!("lead what arrives at link {from} to link {to}");
        let filter = RouteNetlinkMessage::NewTrafficFilter(filter);
        self.change(&what, filter, NLM_F_CREATE | NLM_F_EXCL)
    }

    /// The token buckets of this namespace.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn buckets(&mut self) -> Result<Vec<SeenBucket>, NetlinkError> {
        let all = RouteNetlinkMessage::GetQueueDiscipline(TcMessage::default());
        let answers = self.dump("list queues", &all)?;
        let bucket = |answer| match answer {
            RouteNetlinkMessage::NewQueueDiscipline(message) => seen_bucket(&message),
            _ => None,
        };
        Ok(answers.into_iter().filter_map(bucket).collect())
    }

    /// The links that what arrives at the link is led to.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn led_to(&mut self, from: u32) -> Result<Vec<u32>, NetlinkError> {
        let filters = RouteNetlinkMessage::GetTrafficFilter(of_link(from, ARRIVING));
        let answers = self.dump("list filters", &filters)?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewTrafficFilter(message) => redirected_to(message),
                _ => None,
            })
            .collect())
    }

    /// Removes the link of that name; one that is gone already counts as removed.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn delete_link_called(&mut self, name: &IfName) -> Result<(), NetlinkError> {
        let mut message = LinkMessage::default();
        message
            .attributes
            .push(LinkAttribute::IfName(name.to_string()));
        let what = format!("remove link {name}");
        match self.change(&what, RouteNetlinkMessage::DelLink(message), 0) {
            Err(error) if error.errno() == Some(Errno::ENODEV) => Ok(()),
            other => other,
        }
    }
}

fn of_link(link: u32, parent: TcHandle) -> TcMessage {
    // The kernel's indexes are positive and signed.
    let mut message = TcMessage::with_index(i32::try_from(link).unwrap_or(0));
    message.header.parent = parent;
    message
}

fn tbf_options(bucket: Bucket) -> Vec<TcOption> {
    let Bucket { rate, burst, queue } = bucket;
    let attribute = |kind, value: Vec<u8>| TcOption::Other(DefaultNla::new(kind, value));
    vec![
        attribute(TBF_PARAMETERS, tbf_parameters(rate, queue)),
        attribute(TBF_RATE64, rate.to_ne_bytes().to_vec()),
        attribute(TBF_BURST, burst.to_ne_bytes().to_vec()),
    ]
}

/// `struct tc_tbf_qopt`: rate, peak rate, limit, and burst and MTU as times, which the attribute
/// of the burst and the missing peak rate make needless.
fn tbf_parameters(rate: u64, queue: u32) -> Vec<u8> {
    let low = u32::try_from(rate).unwrap_or(u32::MAX);
    // `struct tc_ratespec`: cell_log, linklayer, overhead, cell_align, mpu, rate.
    let mut parameters = vec![0, ETHERNET, 0, 0, 0, 0, 0, 0];
    parameters.extend(low.to_ne_bytes());
    parameters.extend([0; 12]);
    parameters.extend(queue.to_ne_bytes());
    parameters.extend([0; 8]);
    parameters
}

fn seen_bucket(message: &TcMessage) -> Option<SeenBucket> {
    let is_tbf =
        |attribute: &TcAttribute| matches!(attribute, TcAttribute::Kind(kind) if kind == TBF);
    if message.header.parent != TcHandle::ROOT || !message.attributes.iter().any(is_tbf) {
        return None;
    }
    let options = message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            TcAttribute::Options(options) => options.first(),
            _ => None,
        });
    let TcOption::Other(options) = options? else {
        return None;
    };
    let mut bytes = vec![0; options.value_len()];
    options.emit_value(&mut bytes);
    Some(SeenBucket {
        link: u32::try_from(message.header.index).ok()?,
        rate: tbf_rate(&bytes)?,
    })
}

/// The rate among the options of a token bucket: the long form where there is one.
fn tbf_rate(options: &[u8]) -> Option<u64> {
    let value = |kind| {
        let found = NlasIterator::new(options)
            .filter_map(Result::ok)
            .find(|attribute| attribute.kind() == kind);
        found.map(|attribute| attribute.value().to_vec())
    };
    let long = value(TBF_RATE64).and_then(|bytes| Some(u64::from_ne_bytes(*bytes.first_chunk()?)));
    let short = || {
        let parameters = value(TBF_PARAMETERS)?;
        let rate = parameters.get(8..)?.first_chunk()?;
        Some(u64::from(u32::from_ne_bytes(*rate)))
    };
    long.filter(|rate| *rate > 0).or_else(short)
}

/// Matches every packet of every protocol.
fn everything() -> TcU32Selector {
    let mut selector = TcU32Selector::default();
    selector.flags = TcU32SelectorFlags::Terminal;
    selector.nkeys = 1;
    selector.keys = vec![TcU32Key::default()];
    selector
}

fn redirect(to: u32) -> TcAction {
    let mut target = TcMirror::default();
    target.generic.action = TcActionType::Stolen;
    target.eaction = TcMirrorActionType::EgressRedir;
    target.ifindex = to;
    let mut action = TcAction::default();
    action.attributes = vec![
        TcActionAttribute::Kind("mirred".into()),
        TcActionAttribute::Options(vec![TcActionOption::Mirror(TcActionMirrorOption::Parms(
            target,
        ))]),
    ];
    action
}

fn redirected_to(message: TcMessage) -> Option<u32> {
    let options = message
        .attributes
        .into_iter()
        .filter_map(|attribute| match attribute {
            TcAttribute::Options(options) => Some(options),
            _ => None,
        });
    let actions = options.flatten().filter_map(|option| match option {
        TcOption::U32(TcFilterU32Option::Action(actions)) => Some(actions),
        _ => None,
    });
    let attributes = actions.flatten().flat_map(|action| action.attributes);
    let targets = attributes.filter_map(|attribute| match attribute {
        TcActionAttribute::Options(options) => Some(options),
        _ => None,
    });
    targets.flatten().find_map(|option| match option {
        TcActionOption::Mirror(TcActionMirrorOption::Parms(target))
            if target.eaction == TcMirrorActionType::EgressRedir =>
        {
            Some(target.ifindex)
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameters_of_a_token_bucket_are_as_the_kernel_declares_them() {
        let parameters = tbf_parameters(0x1_0000_0000, 7);
        assert_eq!(parameters.len(), 36, "sizeof(struct tc_tbf_qopt)");
        assert_eq!(
            parameters[8..12],
            [0xff; 4],
            "a long rate saturates the short one"
        );
        assert_eq!(parameters[24..28], 7_u32.to_ne_bytes());
    }

    #[test]
    fn a_filter_for_all_protocols_has_the_order_of_the_wire() {
        let protocol = u16::try_from(FIRST_FOR_ALL & 0xffff).unwrap();
        assert_eq!(protocol.to_ne_bytes(), 3_u16.to_be_bytes());
        assert_eq!(FIRST_FOR_ALL >> 16, 1);
    }
}
