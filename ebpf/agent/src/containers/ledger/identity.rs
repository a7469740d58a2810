//! Whose a container's slot is, as it stands beside its counters.

use berth_ebpf_common::CONTAINER_IDENTITY_BYTES;
use serde::{Deserialize, Serialize};

use crate::containers::identity::PodKey;
use crate::model::Pod;

/// How a container is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Name {
    /// By the runtime.
    Known(String),
    /// By the first digits of its id, until the runtime has told its name.
    Id(String),
}

impl Name {
    /// What is shown.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(name) | Self::Id(name) => name,
        }
    }
}

/// Everything that is known of a slot's container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its pod, by its cgroup.
    pub key: PodKey,
    /// Its pod, as it is shown.
    pub pod: Pod,
    /// Its name.
    pub name: Name,
}

/// The text of it, with names as short as room is.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    /// The key: `u` of a uid, `p` of podman, then its text.
    k: String,
    /// The pod's namespace, name and uid, the last when it is not the key's.
    s: String,
    p: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    u: Option<String>,
    /// The name.
    c: Name,
}

impl Identity {
    /// The text that is kept; names that would not fit are cut, so that it always does.
    pub fn encode(&self) -> ([u8; CONTAINER_IDENTITY_BYTES], u32) {
        // Each takes the names with it that somebody can make longest, escapes counted.
        for most in [usize::MAX, 96, 32, 8] {
            if let Some(fits) = self.text(most).and_then(|text| padded(&text)) {
                return fits;
            }
        }
        ([0; CONTAINER_IDENTITY_BYTES], 0)
    }

    /// As it will be read back.
    #[must_use]
    pub fn kept(self) -> Self {
        let (text, len) = self.encode();
        Self::decode(&text, len).unwrap_or(self)
    }

    /// Reads it back; `None` when it is not what [`Identity::encode`] writes.
    pub fn decode(text: &[u8], len: u32) -> Option<Self> {
        let text = text.get(..usize::try_from(len).ok()?)?;
        let Text { k, s, p, u, c } = serde_json::from_slice(text).ok()?;
        let rest = |prefix| k.strip_prefix(prefix).map(str::to_owned);
        let key = rest('u')
            .map(PodKey::Uid)
            .or_else(|| rest('p').map(PodKey::Podman))?;
        let pod = Pod {
            namespace: s,
            name: p,
            uid: u.unwrap_or_else(|| key.as_str().to_owned()),
        };
        Some(Self { key, pod, name: c })
    }

    fn text(&self, most: usize) -> Option<Vec<u8>> {
        let Self { key, pod, name } = self;
        let Pod {
            namespace,
            name: pod,
            uid,
        } = pod;
        let text = Text {
            k: match key {
                PodKey::Uid(text) => format!("u{text}"),
                PodKey::Podman(text) => format!("p{text}"),
            },
            s: cut(namespace, most),
            p: cut(pod, most),
            u: (uid != key.as_str()).then(|| cut(uid, most)),
            c: match name {
                Name::Known(name) => Name::Known(cut(name, most)),
                Name::Id(name) => Name::Id(cut(name, most)),
            },
        };
        serde_json::to_vec(&text).ok()
    }
}

/// At most `most` bytes of `name`, whole characters.
fn cut(name: &str, most: usize) -> String {
    let end = name.floor_char_boundary(most.min(name.len()));
    name.get(..end).unwrap_or_default().to_owned()
}

fn padded(text: &[u8]) -> Option<([u8; CONTAINER_IDENTITY_BYTES], u32)> {
    let mut whole = [0; CONTAINER_IDENTITY_BYTES];
    whole.get_mut(..text.len())?.copy_from_slice(text);
    Some((whole, u32::try_from(text.len()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(namespace: &str, pod: &str, name: &str) -> Identity {
        let uid = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9".to_owned();
        Identity {
            key: PodKey::Uid(uid.clone()),
            pod: Pod {
                namespace: namespace.into(),
                name: pod.into(),
                uid,
            },
            name: Name::Known(name.into()),
        }
    }

    #[test]
    fn the_longest_names_of_kubernetes_are_read_back() {
        let longest = of(&"n".repeat(63), &"p".repeat(253), &"c".repeat(63));
        let (text, len) = longest.encode();
        assert_eq!(Identity::decode(&text, len), Some(longest));
    }

    #[test]
    fn what_is_not_its_text_is_nobody() {
        let (text, len) = of("a", "b", "c").encode();
        assert_eq!(Identity::decode(&text, len - 1), None);
        assert_eq!(Identity::decode(&text, u32::MAX), None);
        assert_eq!(Identity::decode(b"", 0), None);
        assert_eq!(
            Identity::decode(br#"{"k":"x","s":"","p":"","c":{"id":"a"}}"#, 38),
            None
        );
    }

    proptest! {
        #[test]
        fn case_52_every_name_fits(namespace: String, pod: String, name: String) {
            let given = of(&namespace, &pod, &name);
            let (text, len) = given.encode();
            let read = Identity::decode(&text, len).unwrap();
            prop_assert_eq!(&read.key, &given.key);
            prop_assert!(pod.starts_with(&read.pod.name) && name.starts_with(read.name.as_str()));
        }

        #[test]
        fn long_hostile_names_are_cut(most in 0_usize..4000) {
            let given = of("\u{1}".repeat(most).as_str(), "\"".repeat(most).as_str(), "é".repeat(most).as_str());
            let (text, len) = given.encode();
            prop_assert_eq!(Identity::decode(&text, len).unwrap().key, given.key);
        }
    }
}
