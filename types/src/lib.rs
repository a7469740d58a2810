//! The domain's words, and the records they are exchanged in. No IO.
//!
//! Everything that enters from outside is parsed into one of these types once, at the edge;
//! holding one is the proof that it is well formed.

mod address;
mod attachment;
mod cluster;
mod hash;
pub mod keys;
mod local;
mod mac;
mod names;
mod pattern;
mod pool;
mod record;
mod reservation;
pub mod traffic;

pub use address::{
    AddressRange, BadAddress, Family, address_from_key, address_key, number, parse_address,
};
pub use attachment::{
    AddressRecord, AttachmentId, AttachmentRecord, Holder, Incarnation, NetnsRef, Phase, PodRef,
    Previous, REMEMBERED_HOLDERS,
};
pub use cluster::{Answered, ClosedRecord, ClosureId, NodeAnswer, NodeRecord, WantedRecord};
pub use hash::{digits, fnv1a};
pub use local::{LocalAddress, LocalAttachment, LocalLink, LocalPort};
pub use mac::{InvalidMac, MacAddr};
pub use names::{
    ContainerId, IfName, InvalidName, NamePattern, NamespaceName, NetworkName, NodeId, NodeName,
    ObjectName, PoolName,
};
pub use pool::{
    Block, BlockRecord, BlockSize, InvalidPool, PoolRecord, PoolState, Route, Subnet, VlanId,
};
pub use record::{BadRecord, Record, SchemaVersion};
pub use reservation::{ReservationId, ReservationPolicy, ReservationRecord};
