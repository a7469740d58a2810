//! Operators who do the same thing at the same moment.

use std::process::Stdio;
use std::sync::Barrier;
use std::thread;

use berth_ipam::pools::{self, PoolError};
use berth_types::{BlockSize, PoolRecord, Subnet};

use crate::support::{Site, block_on, ran};

fn pool(cidr: &str) -> PoolRecord {
    let subnet = Subnet {
        cidr: cidr.parse().unwrap(),
        gateway: None,
        range: None,
        exclude: vec![],
        vlan: None,
        routes: vec![],
    };
    PoolRecord::new(vec![subnet], BlockSize::default())
}

#[test]
fn of_two_processes_that_make_overlapping_pools_exactly_one_wins() {
    for round in 0..25 {
        let site = Site::new();
        let children = [("one", "10.20.0.0/16"), ("two", "10.20.7.0/24")].map(|(name, subnet)| {
            let mut command = site.command(["pool", "create", name, "--subnet", subnet]);
            command
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("start cnictl")
        });
        let ended = children.map(|child| ran(child.wait_with_output().unwrap()));
        let mut codes = [ended[0].code, ended[1].code];
        codes.sort_unstable();
        assert_eq!(codes, [0, 1], "round {round}: {ended:?}");
        assert_eq!(site.content().len(), 1, "round {round}");
    }
}

#[test]
fn of_many_tasks_that_make_overlapping_pools_exactly_one_wins() {
    for round in 0..100 {
        let site = Site::new();
        let store = site.store();
        let start = Barrier::new(2);
        let make = |name: &str, cidr: &str| {
            start.wait();
            block_on(pools::create(&store, &name.parse().unwrap(), &pool(cidr)))
        };
        let [one, two] = thread::scope(|scope| {
            let one = scope.spawn(|| make("one", "10.20.7.0/24"));
            let two = scope.spawn(|| make("two", "10.20.0.0/16"));
            [one, two].map(|thread| thread.join().unwrap())
        });
        assert!(one.is_ok() != two.is_ok(), "round {round}: {one:?} {two:?}");
        let lost = one.err().or(two.err()).unwrap();
        assert!(
            matches!(lost, PoolError::Overlap { .. }),
            "round {round}: {lost:?}"
        );
        assert_eq!(site.content().len(), 1, "round {round}");
    }
}

#[test]
fn of_two_operators_who_release_one_address_one_does_it() {
    for round in 0..25 {
        let site = Site::with_pool();
        site.hold("10.20.1.2", "node-1", "web-1");
        let children = [(); 2].map(|()| {
            let mut command = site.command(["release", "10.20.1.2", "--yes", "-o", "json"]);
            command
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("start cnictl")
        });
        let ended = children.map(|child| ran(child.wait_with_output().unwrap()));
        let released = ended
            .iter()
            .filter(|ran| ran.out.contains("\"released\""))
            .count();
        assert_eq!(released, 1, "round {round}: {ended:?}");
        let (_, shown) = site.json("ip show 10.20.1.2");
        assert_eq!(
            shown["previous"].as_array().map(Vec::len),
            Some(1),
            "round {round}"
        );
    }
}
