//! How long a scrape of a full node takes, and what it holds in memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use traffic_agent::export::{ExportOptions, Exporter, Format, Process};

use crate::given;

/// By hand: `cargo test --release -p traffic-agent --test export -- --ignored --nocapture figures`.
#[test]
#[ignore = "figures mean something in a release build on a quiet machine only"]
#[expect(clippy::disallowed_methods, reason = "this is the stop watch")]
#[expect(clippy::print_stderr, reason = "figures for whoever asked for them")]
fn a_scrape_of_a_thousand_pods() {
    let mut exporter = Exporter::new(ExportOptions::default());
    let snapshot = Arc::new(given::node(1000));
    let mut best = Duration::MAX;
    for _ in 0..20 {
        let begun = Instant::now();
        let text = exporter
            .look(Arc::clone(&snapshot), None)
            .text(Format::OpenMetrics);
        let written = begun.elapsed();
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packer, text.as_bytes()).unwrap();
        let packed = packer.finish().unwrap();
        let took = begun.elapsed();
        best = best.min(took);
        let sizes = (text.len(), packed.len());
        eprintln!("written after {written:?}, packed after {took:?}, bytes {sizes:?}");
    }
    let resident = Process::look().unwrap().resident_bytes / 1024 / 1024;
    eprintln!("best {best:?}, {resident} MiB resident");
}
