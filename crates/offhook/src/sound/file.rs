//! Earpieces that keep what they hear: in a WAV file, or in memory.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use media::wav::{HEADER_BYTES, header, samples_to_bytes};

use super::Sink;
use crate::store;

/// Writes a WAV file of one channel with 16 bits.
///
/// Sound goes to the file once a second, its length into the header after it, so the file can be
/// played whenever the program ends. A disk that fails ends the recording and not the call.
pub struct Recorder {
    /// None once the disk failed.
    file: Option<File>,
    rate_hz: u32,
    waiting: Vec<u8>,
    written_bytes: u32,
}

impl Recorder {
    /// Begins a recording; a file that is there is overwritten.
    ///
    /// # Errors
    /// The file cannot be made; the error names it.
    pub fn create(path: &Path, rate_hz: u32) -> io::Result<Self> {
        let create = || {
            let mut file = store::create(path)?;
            file.write_all(&header(rate_hz, 1, Some(0)))?;
            Ok(file)
        };
        let file = create().map_err(|error: io::Error| {
            let text = format!("cannot write the recording {}: {error}; name another file", path.display());
            io::Error::new(error.kind(), text)
        })?;
        let second_bytes = rate_hz as usize * 2;
        Ok(Self {
            file: Some(file),
            rate_hz,
            waiting: Vec::with_capacity(second_bytes + 1_024),
            written_bytes: 0,
        })
    }

    fn flush(&mut self) {
        let Some(file) = &mut self.file else { return };
        let length = u32::try_from(self.waiting.len()).ok();
        // A WAV file ends at 4 GiB: two days at 8 kHz.
        let total = length.and_then(|length| self.written_bytes.checked_add(length));
        let total = total.filter(|total| *total < u32::MAX - HEADER_BYTES as u32);
        let written = total.is_some_and(|total| append(file, &self.waiting, self.rate_hz, total).is_ok());
        self.waiting.clear();
        self.written_bytes = total.unwrap_or(self.written_bytes);
        if !written {
            self.file = None;
        }
    }
}

impl Sink for Recorder {
    fn hear(&mut self, frame: &[i16]) {
        let start = self.waiting.len();
        self.waiting.resize(start + frame.len() * 2, 0);
        samples_to_bytes(frame, &mut self.waiting[start..]);
        if self.waiting.len() >= self.rate_hz as usize * 2 {
            self.flush();
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Keeps in memory what it hears first, for tests and lessons; clones share it.
#[derive(Clone, Debug)]
pub struct Recording {
    samples: Arc<Mutex<Vec<i16>>>,
    limit_samples: usize,
}

impl Recording {
    /// Keeps no more than `limit_samples`.
    pub fn new(limit_samples: usize) -> Self {
        Self { samples: Arc::default(), limit_samples }
    }

    /// What was heard since the last call.
    pub fn take(&self) -> Vec<i16> {
        std::mem::take(&mut self.samples.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sink for Recording {
    fn hear(&mut self, frame: &[i16]) {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let room = self.limit_samples.saturating_sub(samples.len());
        samples.extend(frame.iter().take(room));
    }
}

/// The sound first: a header may say less than there is and never more.
fn append(file: &mut File, sound: &[u8], rate_hz: u32, total_bytes: u32) -> io::Result<()> {
    file.write_all(sound)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&header(rate_hz, 1, Some(total_bytes)))?;
    file.seek(SeekFrom::End(0))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use media::wav::Wav;

    #[test]
    fn a_recording_can_be_played_at_any_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.wav");
        let check = |samples: usize| {
            let wav = Wav::parse(&std::fs::read(&path).unwrap()).unwrap();
            assert_eq!((wav.sample_rate_hz, wav.channels, wav.samples.len()), (8_000, 1, samples));
            assert!(wav.samples.iter().all(|sample| *sample == -7));
        };
        let mut recorder = Recorder::create(&path, 8_000).unwrap();
        check(0);
        (0..150).for_each(|_| recorder.hear(&[-7; 80]));
        check(8_000);
        drop(recorder);
        check(12_000);
    }

    #[test]
    fn a_folder_is_no_recording() {
        let folder = tempfile::tempdir().unwrap();
        let error = Recorder::create(folder.path(), 8_000).err().unwrap().to_string();
        assert!(error.contains("cannot write the recording") && error.contains("another file"), "{error}");
    }

    #[test]
    fn memory_is_bounded() {
        let mut recording = Recording::new(100);
        recording.hear(&[1; 80]);
        recording.hear(&[2; 80]);
        assert_eq!(recording.take().len(), 100);
        recording.hear(&[3; 80]);
        assert_eq!(recording.take(), [3; 80]);
    }
}
