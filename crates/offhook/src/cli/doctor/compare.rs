//! `--compare`: a trace that works beside one that fails.

use std::path::Path;

use roles::doctor::compare::{Trace, compare, to_json, to_text};
use roles::doctor::{Doctor, diagnose};

use super::super::Failure;
use super::{inputs, reading};
use crate::clock::Clock;

/// Prints where they part. That they differ is what was asked for, and no failure.
pub(super) fn run(working: &Path, failing: &Path, as_json: bool) -> Result<(), Failure> {
    let (working, failing) = (read(working)?, read(failing)?);
    let compared = compare(&working, &failing);
    let findings = (diagnose(&working.tracks), diagnose(&failing.tracks));
    let (traces, findings) = ((&working, &failing), (&findings.0[..], &findings.1[..]));
    match as_json {
        true => println!("{}", to_json(&compared, traces, findings)),
        false => print!("{}", to_text(&compared, traces, findings)),
    }
    for (what, count) in working.tracks.left_out.iter().chain(&failing.tracks.left_out) {
        complain!("offhook: {count} {what} did not fit and are left out");
    }
    Ok(())
}

/// One capture, or a folder of captures.
fn read(path: &Path) -> Result<Trace, Failure> {
    let mut doctor = Doctor::new(Clock::start().now());
    doctor.watch_all();
    reading::read(inputs::find(&[path.to_owned()])?, &mut doctor)?;
    let kept = doctor.take_kept();
    let tracks = doctor.finish();
    if kept.is_empty() {
        let name = path.display();
        return Err(Failure::Failed(format!(
            "{name}: there is no SIP message in it; name a capture that holds some"
        )));
    }
    Ok(Trace { tracks, kept })
}
