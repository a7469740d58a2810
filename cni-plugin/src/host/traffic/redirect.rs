//! Leading what arrives at a link through another: `clsact`, `u32` and `mirred`.

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{
    TcAction, TcActionAttribute, TcActionMirrorOption, TcActionOption, TcActionType, TcAttribute,
    TcFilterU32Option, TcHandle, TcMessage, TcMirror, TcMirrorActionType, TcOption, TcU32Key,
    TcU32Selector, TcU32SelectorFlags,
};

use super::of_link;
use crate::host::{Netlink, NetlinkError};

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

impl Netlink {
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
    fn a_filter_for_all_protocols_has_the_order_of_the_wire() {
        let protocol = u16::try_from(FIRST_FOR_ALL & 0xffff).unwrap();
        assert_eq!(protocol.to_ne_bytes(), 3_u16.to_be_bytes());
        assert_eq!(FIRST_FOR_ALL >> 16, 1);
    }
}
