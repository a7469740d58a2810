//! What a store costs a process that lives for one request: prints the median and the 95th
//! percentile of every part, in microseconds.
//!
//! `cargo run --release -p berth-store --example cost -- ROUNDS embedded:FOLDER etcd:URL`

use std::error::Error;
use std::io::{self, Write as _};
use std::time::Instant;

use berth_store::{AnyStore, Compare, Outcome, Read, Store as _, StoreConfig, Txn, Write};

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let mut arguments = std::env::args().skip(1);
    let rounds: u32 = arguments.next().ok_or("how many rounds?")?.parse()?;
    for argument in arguments {
        let config: StoreConfig = argument.parse()?;
        let mut samples = Samples::default();
        for round in 0..rounds {
            // A runtime of its own, so that a connection ends with its round.
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(one_round(&config, round, &mut samples))?;
        }
        writeln!(out, "{argument} ({rounds} rounds)")?;
        for (name, times) in &mut samples.0 {
            times.sort_unstable();
            let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or(0);
            writeln!(
                out,
                "  {name:<26} p50 {:>7} us  p95 {:>7} us",
                at(50),
                at(95)
            )?;
        }
    }
    Ok(())
}

#[derive(Default)]
struct Samples(Vec<(&'static str, Vec<u128>)>);

impl Samples {
    /// Adds the time since `since`, and begins anew.
    #[expect(
        clippy::disallowed_methods,
        reason = "measuring is what this program is for"
    )]
    fn add(&mut self, name: &'static str, since: &mut Instant) {
        let micros = since.elapsed().as_micros();
        match self.0.iter_mut().find(|(other, _)| *other == name) {
            Some((_, times)) => times.push(micros),
            None => self.0.push((name, vec![micros])),
        }
        *since = Instant::now();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "measuring is what this program is for"
)]
async fn one_round(config: &StoreConfig, round: u32, samples: &mut Samples) -> Result<(), Failure> {
    let key = |name| format!("cost/{}/{round}/{name}", std::process::id());
    let begin = Instant::now();
    let (mut since, mut total) = (begin, begin);
    let store = AnyStore::open(config)?;
    samples.add("open", &mut since);
    create(&store, key("first")).await?;
    samples.add("first commit", &mut since);
    samples.add("open + first commit", &mut total);
    since = Instant::now();
    store.read(&[Read::Get(key("first").into())]).await?;
    samples.add("read", &mut since);
    create(&store, key("second")).await?;
    samples.add("second commit", &mut since);
    let refused = store.commit(&creation(key("second"))).await?;
    samples.add("refused commit", &mut since);
    if let Outcome::Committed(revision) = refused {
        return Err(format!("created twice, at {revision}").into());
    }
    since = Instant::now();
    drop(store);
    samples.add("close", &mut since);
    Ok(())
}

async fn create(store: &AnyStore, key: String) -> Result<(), Failure> {
    match store.commit(&creation(key)).await? {
        Outcome::Committed(_) => Ok(()),
        Outcome::Refused(answer) => Err(format!("refused: {answer:?}").into()),
    }
}

/// Two records of a common size, created if the first is absent.
fn creation(key: String) -> Txn {
    let value = vec![b'x'; 400];
    Txn {
        compares: vec![Compare::absent(key.clone())],
        writes: vec![
            Write::put(format!("{key}/more"), value.clone()),
            Write::put(key.clone(), value),
        ],
        otherwise: vec![Read::Get(key.into())],
    }
}
