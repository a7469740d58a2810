//! A systemd unit's confinement, without systemd: what the unit says of capabilities and system
//! calls, read from its file, and put on a process as systemd does before it starts the program.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use nix::libc;
use rustix::thread::{
    CapabilitySet, CapabilitySets, remove_capability_from_bounding_set, set_capabilities,
    set_no_new_privs,
};
use seccompiler::{BpfMap, TargetArch, apply_filter, compile_from_json};
use serde_json::{Value, json};

/// The kinds of namespaces, as `RestrictNamespaces=` names them.
const NAMESPACES: [(&str, libc::c_int); 7] = [
    ("cgroup", libc::CLONE_NEWCGROUP),
    ("ipc", libc::CLONE_NEWIPC),
    ("mnt", libc::CLONE_NEWNS),
    ("net", libc::CLONE_NEWNET),
    ("pid", libc::CLONE_NEWPID),
    ("user", libc::CLONE_NEWUSER),
    ("uts", libc::CLONE_NEWUTS),
];

/// What confines a unit's program.
#[derive(Clone, Debug)]
pub struct Unit {
    /// What it executes, the program first.
    pub executes: Vec<String>,
    /// `CapabilityBoundingSet=`: all that it may have.
    pub capabilities: BTreeSet<String>,
    /// `SystemCallFilter=`: all that it may call.
    pub calls: BTreeSet<String>,
    families: Vec<String>,
    namespaces: BTreeSet<String>,
}

impl Unit {
    /// Reads the unit at `path`.
    ///
    /// # Panics
    /// When it cannot be read, or confines its program in a way that is not known here.
    pub fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("read the unit");
        let mut settings: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let lines = text
            .lines()
            .filter(|line| !line.starts_with(['#', ';', '[']));
        for (name, value) in lines.filter_map(|line| line.split_once('=')) {
            settings
                .entry(name)
                .or_default()
                .extend(value.split_whitespace());
        }
        let words = |name: &str| settings.get(name).cloned().unwrap_or_default();
        let set = |name: &str| words(name).into_iter().map(str::to_owned).collect();
        for (name, value) in [
            ("NoNewPrivileges", "yes"),
            ("MemoryDenyWriteExecute", "yes"),
            ("SystemCallErrorNumber", "EPERM"),
            ("SystemCallArchitectures", "native"),
        ] {
            assert_eq!(words(name), [value], "{name}");
        }
        assert!(words("AmbientCapabilities").is_empty());
        let unit = Self {
            executes: words("ExecStart").into_iter().map(str::to_owned).collect(),
            capabilities: set("CapabilityBoundingSet"),
            calls: set("SystemCallFilter"),
            families: words("RestrictAddressFamilies")
                .into_iter()
                .map(str::to_owned)
                .collect(),
            namespaces: set("RestrictNamespaces"),
        };
        let grouped = unit.calls.iter().find(|call| call.starts_with(['@', '~']));
        assert_eq!(grouped, None, "system calls are listed one by one");
        unit
    }

    /// Takes everything from this process that the unit does not grant; what it executes is left
    /// with the same.
    ///
    /// # Errors
    /// The kernel's.
    ///
    /// # Panics
    /// When the unit names what the kernel does not know.
    pub fn confine(&self) -> io::Result<()> {
        let granted = self
            .capabilities
            .iter()
            .map(|name| capability(name))
            .collect();
        for (_, one) in CapabilitySet::all().iter_names() {
            if !CapabilitySet::contains(&granted, one) {
                remove_capability_from_bounding_set(one)?;
            }
        }
        set_no_new_privs(true)?;
        set_capabilities(
            None,
            CapabilitySets {
                effective: granted,
                permitted: granted,
                inheritable: CapabilitySet::empty(),
            },
        )?;
        // The last one does not have to allow what puts the others into place.
        let filters = self.filters();
        for name in ["writable", "families", "namespaces", "clone3", "calls"] {
            let filter = filters.get(name).expect("a filter of that name");
            apply_filter(filter).map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn filters(&self) -> BpfMap {
        let calls: Vec<Value> = { self.calls.iter() }
            .map(|name| json!({"syscall": name}))
            .collect();
        let all = json!({
            "calls": {
                "mismatch_action": {"errno": libc::EPERM}, "match_action": "allow", "filter": calls,
            },
            "writable": refusing(libc::EPERM, &[
                on("mmap", &[(2, json!({"masked_eq": 6}), 6)]),
                on("mprotect", &[(2, json!({"masked_eq": 4}), 4)]),
            ]),
            "families": refusing(libc::EAFNOSUPPORT, &[on("socket", &self.other_families())]),
            "namespaces": refusing(libc::EPERM, &self.other_namespaces()),
            // Its flags are in memory, which no filter sees; the C library goes on with clone.
            "clone3": refusing(libc::ENOSYS, &[json!({"syscall": "clone3"})]),
        });
        let arch = TargetArch::try_from(std::env::consts::ARCH).expect("a known architecture");
        compile_from_json(all.to_string().as_bytes(), arch).expect("filters for the kernel")
    }

    fn other_families(&self) -> Vec<(u8, Value, libc::c_int)> {
        let known = self.families.iter().map(|name| match name.as_str() {
            "AF_UNIX" => libc::AF_UNIX,
            "AF_INET" => libc::AF_INET,
            "AF_INET6" => libc::AF_INET6,
            "AF_NETLINK" => libc::AF_NETLINK,
            other => panic!("unknown address family {other}"),
        });
        known.map(|family| (0, json!("ne"), family)).collect()
    }

    fn other_namespaces(&self) -> Vec<Value> {
        let others = NAMESPACES
            .iter()
            .filter(|(name, _)| !self.namespaces.contains(*name));
        let mut rules: Vec<Value> = others
            .flat_map(|(_, flag)| {
                let masked = || json!({"masked_eq": flag});
                [
                    on("clone", &[(0, masked(), *flag)]),
                    on("setns", &[(1, masked(), *flag)]),
                ]
            })
            .collect();
        // Whatever the descriptor is.
        rules.push(on("setns", &[(1, json!("eq"), 0)]));
        rules
    }
}

/// The capability called `name`, as `CAP_BPF`.
fn capability(name: &str) -> CapabilitySet {
    let known = name.strip_prefix("CAP_").and_then(CapabilitySet::from_name);
    known.unwrap_or_else(|| panic!("unknown capability {name}"))
}

fn refusing(errno: libc::c_int, rules: &[Value]) -> Value {
    json!({"mismatch_action": "allow", "match_action": {"errno": errno}, "filter": rules})
}

/// A rule for the system call `name`, when all of `arguments` are as they say.
fn on(name: &str, arguments: &[(u8, Value, libc::c_int)]) -> Value {
    let arguments: Vec<Value> = { arguments.iter() }
        .map(|(index, op, val)| json!({"index": index, "type": "dword", "op": op, "val": val}))
        .collect();
    json!({"syscall": name, "args": arguments})
}
