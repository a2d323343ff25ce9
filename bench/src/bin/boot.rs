//! Phones out of their box that are switched on at once, on the simulated wire, of whose datagrams some are lost.

use std::time::Instant;

use proto::Time;
use roles::lab::boot_crowd;

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|text| text.parse::<u16>().ok());
    let count = arguments.next().unwrap_or(1_000);
    let loss_percent = arguments.next().and_then(|percent| u8::try_from(percent).ok()).unwrap_or(5);
    for seed in 1..=3 {
        let begun = Instant::now();
        let crowd = boot_crowd(count, loss_percent, Time::from_secs(1_700_000_000), seed);
        let [tenth, half, most, all] = crowd.ready_ms.map(|ms| ms as f64 / 1_000.0);
        println!(
            "{count} phones, {loss_percent} % lost, seed {seed}: {} applied, {} registered; a tenth after {tenth} s, half after \
             {half} s, nine tenths after {most} s, all after {all} s; {} downloads failed and were tried again; played in {:.1} s",
            crowd.provisioned,
            crowd.registered,
            crowd.failed_downloads,
            begun.elapsed().as_secs_f64()
        );
        assert_eq!((crowd.provisioned, crowd.registered), (usize::from(count), usize::from(count)), "nothing is lost");
    }
}
