//! Where each record stands in the store.

use std::net::IpAddr;

use crate::{
    AttachmentId, NetworkName, NodeName, PoolName, ReservationId, address_from_key, address_key,
};

/// Every pool's key begins with this.
pub const POOLS: &str = "/berth/v1/pools/";
/// Every block's key begins with this.
pub const BLOCKS: &str = "/berth/v1/blocks/";
/// Every address's key begins with this.
pub const ADDRESSES: &str = "/berth/v1/addresses/";
/// Every attachment's key begins with this.
pub const ATTACHMENTS: &str = "/berth/v1/attachments/";
/// Every reservation's key begins with this.
pub const RESERVATIONS: &str = "/berth/v1/reservations/";
/// Every wish for a fixed address begins with this.
pub const WANTED: &str = "/berth/v1/wanted/";
/// Every node's key begins with this.
pub const NODES: &str = "/berth/v1/nodes/";
/// Present while nobody may allocate.
pub const CLOSED: &str = "/berth/v1/closed";

/// `pools/<pool>`
pub fn pool(name: &PoolName) -> String {
    format!("{POOLS}{name}")
}

/// `blocks/<pool>/`, what every block of the pool begins with.
pub fn blocks(pool: &PoolName) -> String {
    format!("{BLOCKS}{pool}/")
}

/// `blocks/<pool>/<first address>`
pub fn block(pool: &PoolName, first: IpAddr) -> String {
    format!("{BLOCKS}{pool}/{}", address_key(first))
}

/// `addresses/<address>`
pub fn address(address: IpAddr) -> String {
    format!("{ADDRESSES}{}", address_key(address))
}

/// `attachments/<node>/<network>/<container>/<ifname>`
pub fn attachment(id: &AttachmentId) -> String {
    format!("{ATTACHMENTS}{id}")
}

/// `attachments/<node>/`, what every attachment of the node begins with.
pub fn attachments_of(node: &NodeName) -> String {
    format!("{ATTACHMENTS}{node}/")
}

/// `attachments/<node>/<network>/`, what every attachment of the node to that network begins with.
pub fn attachments_to(node: &NodeName, network: &NetworkName) -> String {
    format!("{ATTACHMENTS}{node}/{network}/")
}

/// `reservations/<id>`
pub fn reservation(id: &ReservationId) -> String {
    format!("{RESERVATIONS}{id}")
}

/// `wanted/<address>`
pub fn wanted(address: IpAddr) -> String {
    format!("{WANTED}{}", address_key(address))
}

/// `nodes/<node>`
pub fn node(name: &NodeName) -> String {
    format!("{NODES}{name}")
}

/// The address a key under `addresses/` stands for.
pub fn parse_address(key: &[u8]) -> Option<IpAddr> {
    address_from_key(tail(key, ADDRESSES)?)
}

/// The pool a key under `pools/` stands for.
pub fn parse_pool(key: &[u8]) -> Option<PoolName> {
    tail(key, POOLS)?.parse().ok()
}

/// The attachment a key under `attachments/` stands for.
pub fn parse_attachment(key: &[u8]) -> Option<AttachmentId> {
    tail(key, ATTACHMENTS)?.parse().ok()
}

/// The reservation a key under `reservations/` stands for.
pub fn parse_reservation(key: &[u8]) -> Option<ReservationId> {
    tail(key, RESERVATIONS)?.parse().ok()
}

/// The address a key under `wanted/` stands for.
pub fn parse_wanted(key: &[u8]) -> Option<IpAddr> {
    address_from_key(tail(key, WANTED)?)
}

/// The node a key under `nodes/` stands for.
pub fn parse_node(key: &[u8]) -> Option<NodeName> {
    tail(key, NODES)?.parse().ok()
}

/// The pool and first address a key under `blocks/` stands for.
pub fn parse_block(key: &[u8]) -> Option<(PoolName, IpAddr)> {
    let (pool, first) = tail(key, BLOCKS)?.split_once('/')?;
    Some((pool.parse().ok()?, address_from_key(first)?))
}

fn tail<'a>(key: &'a [u8], prefix: &str) -> Option<&'a str> {
    str::from_utf8(key).ok()?.strip_prefix(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_parsed_back() {
        let first: IpAddr = "10.20.1.16".parse().unwrap();
        let name: PoolName = "prod".parse().unwrap();
        let id: AttachmentId = "n1/pods/0f3a/eth0".parse().unwrap();
        assert_eq!(parse_address(address(first).as_bytes()), Some(first));
        assert_eq!(parse_pool(pool(&name).as_bytes()), Some(name.clone()));
        assert_eq!(
            parse_block(block(&name, first).as_bytes()),
            Some((name, first))
        );
        assert_eq!(
            parse_attachment(attachment(&id).as_bytes()),
            Some(id.clone())
        );
        assert_eq!(parse_wanted(wanted(first).as_bytes()), Some(first));
        assert_eq!(parse_node(node(&id.node).as_bytes()), Some(id.node));
        let kept: ReservationId = "shop/pod/cart-0/eth0".parse().unwrap();
        assert_eq!(parse_reservation(reservation(&kept).as_bytes()), Some(kept));
    }

    #[test]
    fn a_foreign_key_is_nobodys() {
        for key in [
            &b"/berth/v1/pools/A/B"[..],
            b"/berth/v1/pools/",
            b"\xff",
            b"/other",
        ] {
            assert_eq!(parse_pool(key), None);
            assert_eq!(parse_address(key), None);
        }
    }

    #[test]
    fn the_longest_attachment_fits_the_embedded_stores_keys() {
        let id = AttachmentId {
            node: "n".repeat(253).parse().unwrap(),
            network: "w".repeat(63).parse().unwrap(),
            container: "c".repeat(128).parse().unwrap(),
            ifname: "i".repeat(15).parse().unwrap(),
        };
        assert!(attachment(&id).len() <= 511);
    }
}
