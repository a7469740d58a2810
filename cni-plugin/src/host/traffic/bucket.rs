//! The kernel's token bucket, `tbf`.

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_REPLACE, Nla as _, NlasIterator};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcHandle, TcMessage, TcOption};

use super::of_link;
use crate::host::{Netlink, NetlinkError};

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
/// A token bucket, and the queue before it.
///
/// Packets larger than the burst, which segmentation offload makes up to 64 KiB and more, are no
/// reason for a large burst: the kernel cuts them into frames first (since Linux 3.14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Bytes a second.
    pub rate: u64,
    /// What may pass at once, in bytes.
    pub burst: u32,
    /// What may wait, in bytes.
    pub queue: u32,
}

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
}
