//! The messages: batches of changes, and how they are written.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

/// `NFNL_MSG_BATCH_BEGIN` and its end, of the subsystem `NFNL_SUBSYS_NFTABLES`.
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const SUBSYSTEM: u16 = 10;
/// `NFT_MSG_*`.
const NEW_TABLE: u16 = 0;
const GET_TABLE: u16 = 1;
const DEL_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
/// `NFPROTO_INET`, `NFPROTO_IPV4`, `NFPROTO_IPV6`.
const INET: u8 = 1;
const IPV4: u32 = 2;
const IPV6: u32 = 10;
/// `NLM_F_*`.
const REQUEST: u16 = 0x001;
const ACK: u16 = 0x004;
const DUMP: u16 = 0x300;
const EXCLUSIVE: u16 = 0x200;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;
/// `NLA_F_NESTED`.
const NESTED: u16 = 0x8000;
/// `NFTA_LIST_ELEM`, `NFTA_DATA_VALUE`.
const ELEMENT: u16 = 1;
const VALUE: u16 = 1;
/// `NFT_REG_1`.
const REGISTER: u32 = 1;
/// The chain of every table.
const CHAIN: &str = "postrouting";

/// What a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Match {
    /// It came in by an interface whose name begins so.
    IncomingPrefix(&'static str),
    /// It goes out by one (in `postrouting` with the former: Linux 5.7).
    OutgoingPrefix(&'static str),
    /// The connection was first sent there.
    OriginalDestination(IpNetwork),
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Expression {
    /// Puts that address on it.
    Source(IpAddr),
    /// Puts an address of the interface on it that it goes out by.
    Masquerade,
}

/// Changes that are made together.
#[derive(Debug)]
pub(in super::super) struct Batch {
    messages: Vec<u8>,
    acknowledged: u32,
}

impl Batch {
    pub(in super::super) fn new() -> Self {
        let mut messages = Vec::new();
        message(
            &mut messages,
            (BATCH_BEGIN, REQUEST),
            (0, SUBSYSTEM),
            |_| {},
        );
        Self {
            messages,
            acknowledged: 0,
        }
    }

    /// The whole batch, and how many acknowledgements answer it.
    pub(super) fn finish(mut self) -> (Vec<u8>, u32) {
        message(
            &mut self.messages,
            (BATCH_END, REQUEST),
            (0, SUBSYSTEM),
            |_| {},
        );
        (self.messages, self.acknowledged)
    }

    fn change(&mut self, kind: u16, flags: u16, attributes: impl FnOnce(&mut Vec<u8>)) {
        let kind = SUBSYSTEM << 8 | kind;
        self.acknowledged += 1;
        let flags = REQUEST | ACK | flags;
        message(&mut self.messages, (kind, flags), (INET, 0), attributes);
    }

    /// A table of family `inet`; it must not exist.
    pub(in super::super) fn new_table(&mut self, name: &str) {
        self.change(NEW_TABLE, CREATE | EXCLUSIVE, |out| {
            text(out, super::NAME, name);
        });
    }

    pub(in super::super) fn delete_table(&mut self, name: &str) {
        self.change(DEL_TABLE, 0, |out| text(out, super::NAME, name));
    }

    /// Its chain: type `nat`, hook `postrouting`, priority `srcnat` (100).
    pub(in super::super) fn new_postrouting_chain(&mut self, table: &str) {
        self.change(NEW_CHAIN, CREATE, |out| {
            text(out, super::NAME, table);
            text(out, 3, CHAIN);
            nested(out, 4, |hook| {
                number(hook, 1, 4);
                number(hook, 2, 100);
            });
            text(out, 7, "nat");
        });
    }

    /// A rule at the chain's end.
    pub(in super::super) fn new_rule(&mut self, table: &str, matches: &[Match], then: Expression) {
        self.change(NEW_RULE, CREATE | APPEND, |out| {
            text(out, super::NAME, table);
            text(out, 2, CHAIN);
            nested(out, 4, |list| {
                for one in matches {
                    one.encode(list);
                }
                then.encode(list);
            });
        });
    }
}

/// The question for all tables of family `inet`.
pub(super) fn list_tables() -> Vec<u8> {
    let mut request = Vec::new();
    let kind = SUBSYSTEM << 8 | GET_TABLE;
    message(&mut request, (kind, REQUEST | DUMP), (INET, 0), |_| {});
    request
}

impl Match {
    fn encode(self, list: &mut Vec<u8>) {
        match self {
            // `NFT_META_IIFNAME`, `NFT_META_OIFNAME`; fewer bytes compared are a prefix.
            Self::IncomingPrefix(prefix) => {
                load(list, "meta", 6, None);
                compare(list, prefix.as_bytes());
            }
            Self::OutgoingPrefix(prefix) => {
                load(list, "meta", 7, None);
                compare(list, prefix.as_bytes());
            }
            // `NFT_CT_DST_IP`, `NFT_CT_DST_IP6` of `IP_CT_DIR_ORIGINAL`; of a connection of the
            // other family there is none, and the rule is left.
            Self::OriginalDestination(cidr) => {
                let key = if cidr.is_ipv4() { 20 } else { 22 };
                load(list, "ct", key, Some(0));
                mask(list, &octets(cidr.mask()));
                compare(list, &octets(cidr.network()));
            }
        }
    }
}

impl Expression {
    fn encode(self, list: &mut Vec<u8>) {
        match self {
            Self::Masquerade => expression(list, "masq", |_| {}),
            Self::Source(address) => {
                expression(list, "immediate", |out| {
                    number(out, 1, REGISTER);
                    nested(out, 2, |data| attribute(data, VALUE, &octets(address)));
                });
                expression(list, "nat", |out| {
                    number(out, 1, 0);
                    number(out, 2, if address.is_ipv4() { IPV4 } else { IPV6 });
                    number(out, 3, REGISTER);
                });
            }
        }
    }
}

/// Reads a key of the packet or its connection into the register.
fn load(list: &mut Vec<u8>, from: &str, key: u32, direction: Option<u8>) {
    expression(list, from, |out| {
        number(out, 1, REGISTER);
        number(out, 2, key);
        if let Some(direction) = direction {
            attribute(out, 3, &[direction]);
        }
    });
}

fn compare(list: &mut Vec<u8>, with: &[u8]) {
    expression(list, "cmp", |out| {
        number(out, 1, REGISTER);
        number(out, 2, 0);
        nested(out, 3, |data| attribute(data, VALUE, with));
    });
}

fn mask(list: &mut Vec<u8>, mask: &[u8]) {
    expression(list, "bitwise", |out| {
        number(out, 1, REGISTER);
        number(out, 2, REGISTER);
        number(out, 3, u32::try_from(mask.len()).unwrap_or(0));
        nested(out, 4, |data| attribute(data, VALUE, mask));
        nested(out, 5, |data| attribute(data, VALUE, &vec![0; mask.len()]));
    });
}

fn expression(list: &mut Vec<u8>, name: &str, data: impl FnOnce(&mut Vec<u8>)) {
    nested(list, ELEMENT, |element| {
        text(element, 1, name);
        nested(element, 2, data);
    });
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

fn message(
    out: &mut Vec<u8>,
    (kind, flags): (u16, u16),
    (family, resource): (u8, u16),
    attributes: impl FnOnce(&mut Vec<u8>),
) {
    let mut body = vec![family, 0];
    body.extend(resource.to_be_bytes());
    attributes(&mut body);
    let length = u32::try_from(super::HEADER + body.len()).unwrap_or(u32::MAX);
    out.extend(length.to_ne_bytes());
    out.extend(kind.to_ne_bytes());
    out.extend(flags.to_ne_bytes());
    out.extend([0; 8]);
    out.extend(body);
}

fn attribute(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    out.extend(length.to_ne_bytes());
    out.extend(kind.to_ne_bytes());
    out.extend(value);
    out.resize(out.len().next_multiple_of(4), 0);
}

fn nested(out: &mut Vec<u8>, kind: u16, inner: impl FnOnce(&mut Vec<u8>)) {
    let mut value = Vec::new();
    inner(&mut value);
    attribute(out, kind | NESTED, &value);
}

fn number(out: &mut Vec<u8>, kind: u16, value: u32) {
    attribute(out, kind, &value.to_be_bytes());
}

fn text(out: &mut Vec<u8>, kind: u16, value: &str) {
    attribute(out, kind, &[value.as_bytes(), &[0]].concat());
}
