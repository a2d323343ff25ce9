//! The thread that reads and unpacks, and the doctor that takes what it hands over.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use flate2::read::MultiGzDecoder;
use proto::Time;
use proto::pcap::{self, Item, Note, Reader};
use roles::doctor::follow::texts;
use roles::doctor::tracks::FileKind;
use roles::doctor::{Captured, Doctor};
use zip::ZipArchive;

use super::super::Failure;
use super::inputs::Input;

/// Bytes of packets that are handed over at a time.
const BATCH_BYTES: usize = 1_024 * 1_024;
/// Batches that wait for the doctor.
const WAITING: usize = 4;
/// The longest line of a text that is read whole.
const LINE_BYTES: usize = 64 * 1_024;
/// The longest configuration file.
const CONFIG_BYTES: u64 = 4 * 1_024 * 1_024;
/// What is read of one compressed file at most: a bomb ends there.
const UNPACKED_LIMIT_BYTES: u64 = 64 * 1_024 * 1_024 * 1_024;
/// The longest zip that comes by standard input, which must be held whole.
const ZIP_BYTES: u64 = 512 * 1_024 * 1_024;
/// Files of one bundle.
const ENTRIES_LIMIT: usize = 1_000;
/// How much of a text is looked at to know what it is.
const BEGINNING_BYTES: usize = 4_096;
const LINES: usize = 1_024;

/// What the reading thread hands over.
enum Told {
    Begin(String, FileKind),
    Packets(Batch),
    Note(Note),
    Lines(Vec<(u32, String)>),
    Config(String),
    Remark(String),
    /// The file cannot be read beyond that byte.
    EndsEarly(u64, String),
}

/// Packets with their bytes in one piece.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    packets: Vec<Packet>,
}

struct Packet {
    number: u32,
    wire_bytes: u32,
    offset: u64,
    at: Time,
    end: usize,
    link: u16,
}

/// Reads all inputs into the doctor.
///
/// # Errors
/// No input could be read at all; the text names the first.
pub(super) fn read(inputs: Vec<Input>, doctor: &mut Doctor) -> Result<(), Failure> {
    let (teller, told) = sync_channel(WAITING);
    let count = inputs.len();
    let thread =
        thread::Builder::new().name("reading".to_owned()).spawn(move || read_all(inputs, &teller))?;
    take(&told, doctor);
    let errors = thread.join().map_err(|_| Failure::Failed("the reading thread ended early".to_owned()))?;
    match errors.first() {
        Some(error) if errors.len() == count => Err(Failure::Failed(error.clone())),
        _ => {
            errors.iter().for_each(|error| complain!("offhook: {error}"));
            Ok(())
        }
    }
}

fn take(told: &Receiver<Told>, doctor: &mut Doctor) {
    let mut file = None;
    for told in told {
        if let Told::Begin(name, kind) = &told {
            file = doctor.begin(name, *kind);
        }
        let Some(file) = file else { continue };
        match told {
            Told::Begin(..) => {}
            Told::Packets(batch) => batch.each(|packet, bytes| {
                doctor.handle(&Captured {
                    file,
                    number: packet.number,
                    offset: packet.offset,
                    at: packet.at,
                    link: packet.link,
                    bytes,
                    wire_bytes: packet.wire_bytes,
                });
            }),
            Told::Note(note) => doctor.note(file, &note),
            Told::Lines(lines) => lines.iter().for_each(|(number, line)| doctor.line(file, *number, line)),
            Told::Config(text) => doctor.config(file, &text),
            Told::Remark(text) => doctor.remark(file, text),
            Told::EndsEarly(offset, why) => {
                doctor.ends_early(file, offset, &why);
                doctor.remark(file, format!("at byte {offset}: {why}"));
            }
        }
    }
}

impl Batch {
    fn each(&self, mut take: impl FnMut(&Packet, &[u8])) {
        let mut begin = 0;
        for packet in &self.packets {
            take(packet, self.bytes.get(begin..packet.end).unwrap_or_default());
            begin = packet.end;
        }
    }

    fn add(&mut self, packet: &pcap::Packet<'_>) {
        self.bytes.extend_from_slice(packet.bytes);
        self.packets.push(Packet {
            number: packet.number,
            wire_bytes: packet.wire_bytes,
            offset: packet.offset,
            at: packet.at,
            end: self.bytes.len(),
            link: packet.link,
        });
    }
}

/// Reads one input after the other; the texts name those that could not be read.
fn read_all(inputs: Vec<Input>, teller: &SyncSender<Told>) -> Vec<String> {
    let mut errors = Vec::new();
    for input in inputs {
        let name = input.name();
        let read = match input {
            Input::File(path) => File::open(&path).and_then(|file| open_file(&name, file, teller)),
            Input::Stdin => open_stream(&name, BufReader::new(io::stdin()), 0, teller),
        };
        if let Err(error) = read {
            errors.push(format!("{name}: {error}"));
        }
    }
    errors
}

fn open_file(name: &str, mut file: File, teller: &SyncSender<Told>) -> io::Result<()> {
    let mut magic = [0; 4];
    let count = file.read(&mut magic)?;
    // A pipe cannot be wound back; its first bytes go before the rest.
    if file.rewind().is_err() {
        return open_stream(
            name,
            BufReader::new(io::Cursor::new(magic[..count].to_vec()).chain(file)),
            0,
            teller,
        );
    }
    if is_zip(&magic) {
        bundle(name, file, teller)
    } else {
        open_stream(name, BufReader::new(file), 0, teller)
    }
}

fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// Each file of a zip is an input of the case.
fn bundle(name: &str, file: impl Read + Seek, teller: &SyncSender<Told>) -> io::Result<()> {
    let mut archive = ZipArchive::new(file).map_err(io::Error::other)?;
    for index in 0..archive.len().min(ENTRIES_LIMIT) {
        let entry = match archive.by_index(index) {
            Ok(entry) => entry,
            Err(error) => {
                complain!("offhook: {name}: file {} cannot be unpacked: {error}", index + 1);
                continue;
            }
        };
        if entry.is_dir() {
            continue;
        }
        let inner = format!("{name}/{}", String::from_utf8_lossy(entry.name_raw()));
        let stream = BufReader::new(entry.take(UNPACKED_LIMIT_BYTES));
        if let Err(error) = open_stream(&inner, stream, 1, teller) {
            complain!("offhook: {inner}: {error}");
        }
    }
    Ok(())
}

fn open_stream(name: &str, mut stream: impl BufRead, depth: u8, teller: &SyncSender<Told>) -> io::Result<()> {
    let beginning = stream.fill_buf()?;
    if beginning.starts_with(&[0x1f, 0x8b]) && depth < 2 {
        let unpacked = MultiGzDecoder::new(stream).take(UNPACKED_LIMIT_BYTES);
        // Boxed, since a gzip in a gzip would otherwise be a type without end.
        let unpacked: Box<dyn BufRead + '_> = Box::new(BufReader::with_capacity(BATCH_BYTES, unpacked));
        return open_stream(name, unpacked, depth + 1, teller);
    }
    if is_zip(beginning) && depth == 0 {
        let mut whole = Vec::new();
        stream.take(ZIP_BYTES).read_to_end(&mut whole)?;
        return bundle(name, io::Cursor::new(whole), teller);
    }
    let beginning = stream.fill_buf()?.to_vec();
    if pcap::is_capture(&beginning) || beginning.is_empty() {
        capture(name, stream, teller)
    } else {
        text(name, &beginning, stream, teller)
    }
}

fn tell(teller: &SyncSender<Told>, told: Told) -> io::Result<()> {
    // The doctor takes all until the thread ends; it is gone only where it has panicked.
    teller.send(told).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
}

fn capture(name: &str, mut stream: impl Read, teller: &SyncSender<Told>) -> io::Result<()> {
    tell(teller, Told::Begin(name.to_owned(), FileKind::Capture))?;
    let mut reader = Reader::new();
    let mut batch = Batch::default();
    loop {
        match stream.read(reader.space()) {
            Ok(count) => reader.filled(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // What came before a damaged block of gzip is judged.
            Err(error) => {
                tell(teller, Told::Packets(std::mem::take(&mut batch)))?;
                tell(teller, Told::EndsEarly(reader.offset(), error.to_string()))?;
                reader.filled(0);
            }
        }
        while let Some(item) = reader.next() {
            match item {
                Item::Packet(packet) => {
                    batch.add(&packet);
                    if batch.bytes.len() >= BATCH_BYTES {
                        tell(teller, Told::Packets(std::mem::take(&mut batch)))?;
                        batch.bytes.reserve(BATCH_BYTES + pcap::MAX_PACKET_BYTES / 4);
                    }
                }
                Item::Note(note) => {
                    // A note stands where it stands among the packets.
                    if !batch.packets.is_empty() {
                        tell(teller, Told::Packets(std::mem::take(&mut batch)))?;
                    }
                    tell(teller, Told::Note(note))?;
                }
            }
        }
        if reader.is_over() {
            return tell(teller, Told::Packets(batch));
        }
    }
}

fn text(name: &str, beginning: &[u8], mut stream: impl BufRead, teller: &SyncSender<Told>) -> io::Result<()> {
    let (shown, _) = texts::decode(beginning.get(..BEGINNING_BYTES).unwrap_or(beginning));
    let kind = texts::kind_of(name, &shown);
    tell(teller, Told::Begin(name.to_owned(), kind))?;
    match kind {
        FileKind::Config | FileKind::Boot => {
            let mut whole = Vec::new();
            stream.take(CONFIG_BYTES).read_to_end(&mut whole)?;
            let (text, oddity) = texts::decode(&whole);
            if let Some(oddity) = oddity {
                tell(teller, Told::Remark(oddity.to_owned()))?;
            }
            tell(teller, Told::Config(text.into_owned()))
        }
        FileKind::Log => lines(stream, teller),
        FileKind::Capture | FileKind::Other => {
            // Read to its end, so that whoever writes into the pipe is not stopped.
            io::copy(&mut stream, &mut io::sink())?;
            let what = "this is neither a capture nor a log nor a configuration file";
            tell(teller, Told::EndsEarly(0, what.to_owned()))
        }
    }
}

fn lines(mut stream: impl BufRead, teller: &SyncSender<Told>) -> io::Result<()> {
    let is_wide =
        stream.fill_buf()?.starts_with(&[0xff, 0xfe]) || stream.fill_buf()?.starts_with(&[0xfe, 0xff]);
    if is_wide {
        let mut whole = Vec::new();
        stream.take(CONFIG_BYTES * 16).read_to_end(&mut whole)?;
        let numbered: Vec<_> = (1..).zip(texts::decode(&whole).0.lines().map(str::to_owned)).collect();
        tell(teller, Told::Remark("the text is UTF-16".to_owned()))?;
        return tell(teller, Told::Lines(numbered));
    }
    let (mut number, mut kept, mut line, mut odd) = (0, Vec::new(), Vec::new(), false);
    loop {
        line.clear();
        let count = (&mut stream).take(LINE_BYTES as u64).read_until(b'\n', &mut line)?;
        if count == 0 {
            break;
        }
        number += 1;
        let (text, oddity) = texts::decode(&line);
        if let Some(oddity) = oddity.filter(|_| !odd) {
            odd = true;
            tell(teller, Told::Remark(format!("{oddity} (line {number})")))?;
        }
        kept.push((number, text.trim_end().to_owned()));
        if line.len() == LINE_BYTES && line.last() != Some(&b'\n') {
            skip_line(&mut stream)?;
        }
        if kept.len() == LINES {
            tell(teller, Told::Lines(std::mem::take(&mut kept)))?;
        }
    }
    tell(teller, Told::Lines(kept))
}

fn skip_line(stream: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = stream.fill_buf()?;
        match buffer.iter().position(|&byte| byte == b'\n') {
            Some(at) => {
                stream.consume(at + 1);
                return Ok(());
            }
            None if buffer.is_empty() => return Ok(()),
            None => {
                let count = buffer.len();
                stream.consume(count);
            }
        }
    }
}

/// Hands each packet of each capture to `take`: link type, time, bytes and length on the wire. What is no capture
/// and standard input are passed over.
pub(super) fn packets(
    inputs: &[Input],
    mut take: impl FnMut(&Captured<'_>) -> io::Result<()>,
) -> Result<(), Failure> {
    let (teller, told) = sync_channel(WAITING);
    let again: Vec<Input> = inputs.iter().filter(|input| **input != Input::Stdin).cloned().collect();
    let thread = thread::Builder::new().name("reading".to_owned()).spawn(move || read_all(again, &teller))?;
    let mut result = Ok(());
    for told in &told {
        let Told::Packets(batch) = told else { continue };
        batch.each(|packet, bytes| {
            if result.is_ok() {
                result = take(&Captured {
                    file: 0,
                    number: packet.number,
                    offset: packet.offset,
                    at: packet.at,
                    link: packet.link,
                    bytes,
                    wire_bytes: packet.wire_bytes,
                });
            }
        });
    }
    thread.join().map_err(|_| Failure::Failed("the reading thread ended early".to_owned()))?;
    Ok(result?)
}
