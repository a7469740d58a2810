//! Reads of any size, all at one revision.

use etcd_client as etcd;
use etcd_client::{GetOptions, GetResponse, TxnOpResponse};

use super::cluster::Cluster;
use super::convert;
use super::failure::Failure;
use crate::lineage::Answerers;
use crate::{Answer, Entry, Read, Revision};

/// Keys asked for at first; most lists end here.
const FIRST_PAGE: i64 = 1000;

/// Size of the later pages, in bytes of keys and values, and in keys at most.
const PAGE_BYTES: usize = 2 * 1024 * 1024;
const PAGE_KEYS: usize = 10_000;

/// How often a list is begun anew that a compaction overtook.
const TRIES: usize = 3;

/// Performs `reads`: one request, and one more for every further page of a long list.
///
/// # Errors
/// Never [`Failure::NoAnswer`].
pub(super) async fn read(cluster: &Cluster, reads: &[Read]) -> Result<Answer, Failure> {
    for _ in 0..TRIES {
        match read_once(cluster, reads).await {
            Err(Failure::Compacted) => {}
            other => return other,
        }
    }
    Err(Failure::NotSent(
        "compacted again and again while a list was read".to_owned(),
    ))
}

async fn read_once(cluster: &Cluster, reads: &[Read]) -> Result<Answer, Failure> {
    let (revision, firsts) = first_pages(cluster, reads).await?;
    let mut lists = Vec::with_capacity(reads.len());
    for (read, first) in reads
        .iter()
        .zip(convert::in_place(reads, firsts.into_iter()))
    {
        let Page { mut entries, more } = first;
        if let (true, Read::List(range)) = (more, read) {
            rest(cluster, range.end(), revision, &mut entries).await?;
        }
        lists.push(entries);
    }
    Ok(Answer { revision, lists })
}

/// A part of a list.
#[derive(Default)]
struct Page {
    entries: Vec<Entry>,
    more: bool,
}

impl From<GetResponse> for Page {
    fn from(mut found: GetResponse) -> Self {
        Self {
            more: found.more(),
            entries: convert::entries(found.take_kvs()),
        }
    }
}

/// The first page of every read that can find something, all in one request; in shorter pages
/// when the answer is too large.
async fn first_pages(cluster: &Cluster, reads: &[Read]) -> Result<(Revision, Vec<Page>), Failure> {
    let mut limit = FIRST_PAGE;
    loop {
        match cluster
            .ask(|clients| ask_first_pages(clients.kv, reads, limit, cluster.answerers()))
            .await
        {
            Err(Failure::TooLarge(_)) if limit > 1 => limit /= 8,
            other => return other,
        }
        limit = limit.max(1);
    }
}

async fn ask_first_pages(
    mut kv: etcd::KvClient,
    reads: &[Read],
    limit: i64,
    answerers: &Answerers,
) -> Result<(Revision, Vec<Page>), etcd::Error> {
    let mut asked = reads
        .iter()
        .filter_map(|read| convert::question(read, limit));
    match (asked.next(), asked.next()) {
        // A transaction of nothing would not be linearizable: ask for any key.
        (None, _) => {
            let nothing = GetOptions::new().with_count_only();
            let found = kv.get([0], Some(nothing)).await?;
            Ok((convert::revision(found.header(), answerers)?, Vec::new()))
        }
        (Some((key, options)), None) => {
            let found = kv.get(key, options).await?;
            Ok((
                convert::revision(found.header(), answerers)?,
                vec![found.into()],
            ))
        }
        (Some(_), Some(_)) => {
            let asked: Vec<_> = reads
                .iter()
                .filter_map(|read| convert::get(read, limit))
                .collect();
            let found = kv.txn(etcd::Txn::new().and_then(asked)).await?;
            let pages = found.op_responses().into_iter().map(|found| match found {
                TxnOpResponse::Get(found) => found.into(),
                _ => Page::default(),
            });
            Ok((
                convert::revision(found.header(), answerers)?,
                pages.collect(),
            ))
        }
    }
}

/// Completes `entries` up to `end`, all as of `revision`.
async fn rest(
    cluster: &Cluster,
    end: &[u8],
    revision: Revision,
    entries: &mut Vec<Entry>,
) -> Result<(), Failure> {
    let mut most = PAGE_KEYS;
    while let Some(last) = entries.last() {
        let start = [&last.key, [0].as_slice()].concat();
        let limit = page_size(entries).min(most);
        let options = GetOptions::new()
            .with_range(end)
            .with_revision(convert::to_number(revision))
            .with_limit(i64::try_from(limit).unwrap_or(FIRST_PAGE));
        let page = cluster
            .ask(|clients| {
                let (mut kv, start, options) = (clients.kv, start.clone(), options.clone());
                async move {
                    let found = kv.get(start, Some(options)).await?;
                    convert::revision(found.header(), cluster.answerers())?;
                    Ok(found)
                }
            })
            .await;
        let Page {
            entries: found,
            more,
        } = match page {
            Ok(found) => found.into(),
            Err(Failure::TooLarge(_)) if limit > 1 => {
                most = (limit / 8).max(1);
                continue;
            }
            Err(failure) => return Err(failure),
        };
        let progress = !found.is_empty();
        entries.extend(found);
        if !(more && progress) {
            break;
        }
    }
    Ok(())
}

/// How many keys like those found so far make a page.
fn page_size(found: &[Entry]) -> usize {
    let bytes: usize = found
        .iter()
        .map(|entry| entry.key.len() + entry.value.len())
        .sum();
    let average = bytes.checked_div(found.len()).unwrap_or(0).max(1);
    (PAGE_BYTES / average).max(1)
}
