//! One call with its sound as a capture of its own.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use proto::pcap;
use roles::doctor::Tracks;
use roles::doctor::extract::Extract;

use super::super::Failure;
use super::inputs::Input;
use super::reading;

/// The index of the call whose Call-ID, of any leg, is this or alone contains it.
///
/// # Errors
/// No call has it, or several have.
pub(super) fn find_call(tracks: &Tracks, wanted: &str) -> Result<usize, Failure> {
    let ids = |call: &roles::doctor::tracks::Call| {
        let legs = call.legs.iter().filter_map(|&leg| tracks.legs.get(leg as usize));
        legs.map(|leg| leg.call_id.to_string()).collect::<Vec<_>>()
    };
    let whole = tracks.calls.iter().position(|call| ids(call).iter().any(|id| id == wanted));
    if let Some(index) = whole {
        return Ok(index);
    }
    let parts =
        tracks.calls.iter().enumerate().filter(|(_, call)| ids(call).iter().any(|id| id.contains(wanted)));
    let found: Vec<usize> = parts.map(|(index, _)| index).take(2).collect();
    match *found {
        [index] => Ok(index),
        [] => Err(Failure::Failed(format!("no call has the Call-ID {wanted}; --calls lists them"))),
        _ => Err(Failure::Failed(format!("several calls have {wanted} in their Call-ID; give more of it"))),
    }
}

/// Writes the packets of a call; gives how many.
///
/// # Errors
/// The file cannot be written, or the capture came by standard input, which cannot be read again.
pub(super) fn write(inputs: &[Input], tracks: &Tracks, index: usize, path: &Path) -> Result<u64, Failure> {
    if inputs.contains(&Input::Stdin) {
        return Err(Failure::usage("--out reads the capture a second time; give it as a file instead of -"));
    }
    let call = tracks.calls.get(index).ok_or_else(|| Failure::Failed("there is no such call".to_owned()))?;
    let extract = Extract::new(tracks, call);
    let explain = |error: io::Error| {
        Failure::Failed(format!("--out: {} cannot be written: {error}; give another file", path.display()))
    };
    let mut file = BufWriter::new(File::create(path).map_err(explain)?);
    let (mut link, mut count, mut others) = (None, 0u64, 0u64);
    reading::packets(inputs, |packet| {
        if !extract.wants(packet.link, packet.bytes) {
            return Ok(());
        }
        if *link.get_or_insert(packet.link) != packet.link {
            others += 1;
            return Ok(());
        }
        if count == 0 {
            file.write_all(&pcap::header_of(packet.link))?;
        }
        count += 1;
        file.write_all(&pcap::record_head(packet.at, packet.bytes.len() as u32, packet.wire_bytes))?;
        file.write_all(packet.bytes)
    })?;
    if count == 0 {
        file.write_all(&pcap::file_header()).map_err(explain)?;
    }
    file.flush().map_err(explain)?;
    if others > 0 {
        complain!("offhook: {others} packets of another link type are left out: a pcap file has one");
    }
    Ok(count)
}
