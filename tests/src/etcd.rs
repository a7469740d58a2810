//! A real etcd, alone or as a cluster, inside a network namespace.

use std::net::{Ipv4Addr, SocketAddrV4};

use etcd_testing::Place;

use crate::netns::Netns;
use crate::scratch::Scratch;

/// One etcd member. Killed on drop, and its data goes with it.
#[derive(Debug)]
pub struct Etcd {
    member: etcd_testing::Etcd,
    _scratch: Scratch,
}

impl Etcd {
    /// Starts a single member at 127.0.0.1:2379 of `namespace`.
    ///
    /// # Panics
    /// When etcd is not installed or does not come up.
    pub fn start_in(namespace: &Netns) -> Self {
        Self::start_at(namespace, Ipv4Addr::LOCALHOST)
    }

    /// Starts a single member at port 2379 of `address`, which `namespace` holds.
    ///
    /// # Panics
    /// When etcd is not installed or does not come up.
    pub fn start_at(namespace: &Netns, address: Ipv4Addr) -> Self {
        let scratch = Scratch::new("etcd");
        let place = place(&scratch, namespace, address, 0);
        Self {
            member: etcd_testing::Etcd::start_at(place),
            _scratch: scratch,
        }
    }

    /// Starts `size` members that form one cluster on the loopback of `namespace`.
    ///
    /// # Panics
    /// When etcd is not installed or the cluster does not come up.
    pub fn start_cluster_in(namespace: &Netns, size: u16) -> Vec<Self> {
        let at = |n| (namespace, Ipv4Addr::LOCALHOST, 10 * n);
        Self::start_cluster((0..size).map(at))
    }

    /// Starts one cluster with a member in each of the namespaces, at port 2379 of the address
    /// that the namespace holds.
    ///
    /// # Panics
    /// When etcd is not installed or the cluster does not come up.
    pub fn start_cluster_at<'a>(
        homes: impl IntoIterator<Item = (&'a Netns, Ipv4Addr)>,
    ) -> Vec<Self> {
        let homes = homes.into_iter();
        Self::start_cluster(homes.map(|(namespace, address)| (namespace, address, 0)))
    }

    fn start_cluster<'a>(homes: impl Iterator<Item = (&'a Netns, Ipv4Addr, u16)>) -> Vec<Self> {
        let placed = homes.map(|(namespace, address, above)| {
            let scratch = Scratch::new("etcd");
            let place = place(&scratch, namespace, address, above);
            (scratch, place)
        });
        let (scratches, places): (Vec<_>, Vec<_>) = placed.unzip();
        let members = etcd_testing::Etcd::start_cluster(&places);
        let members = members.into_iter().zip(scratches);
        let members = members.map(|(member, scratch)| Self {
            member,
            _scratch: scratch,
        });
        members.collect()
    }
}

/// It is a member in every respect, and has a folder besides.
impl std::ops::Deref for Etcd {
    type Target = etcd_testing::Etcd;

    fn deref(&self) -> &Self::Target {
        &self.member
    }
}

impl std::ops::DerefMut for Etcd {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.member
    }
}

/// At the usual ports, that many `above` them.
fn place(scratch: &Scratch, namespace: &Netns, address: Ipv4Addr, above: u16) -> Place {
    let [client, peer] = [2379, 2380].map(|port| SocketAddrV4::new(address, port + above));
    Place {
        folder: scratch.path().to_owned(),
        namespace: Some(namespace.path().to_owned()),
        client,
        peer,
    }
}
