//! Music for those who wait: the WAV files of a folder.

use std::io;
use std::path::Path;
use std::sync::Arc;

use media::NARROWBAND_HZ;
use media::wav::Wav;

/// The most bytes of one file, and the most files.
const MAX_BYTES: u64 = 64 << 20;
const MAX_PIECES: usize = 64;

/// The pieces of a folder in the order of their names, at 8 kHz.
///
/// # Errors
/// The folder or a file cannot be read, a file is too large or no WAV file, or there is none.
pub(super) fn load(dir: &Path) -> io::Result<Vec<Arc<[i16]>>> {
    let unread = |error: io::Error| {
        let text = format!("{}: {error}; --music takes a folder with WAV files", dir.display());
        io::Error::new(error.kind(), text)
    };
    let entries = std::fs::read_dir(dir).map_err(unread)?;
    let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|kind| kind.eq_ignore_ascii_case("wav")));
    paths.sort();
    if paths.is_empty() {
        let text = format!("{}: there is no WAV file in this folder", dir.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, text));
    }
    paths.iter().take(MAX_PIECES).map(|path| piece(path).map_err(|error| at(path, &error))).collect()
}

fn piece(path: &Path) -> io::Result<Arc<[i16]>> {
    let bad = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
    if std::fs::metadata(path)?.len() > MAX_BYTES {
        return Err(bad(format!("larger than {} MB: use a shorter piece", MAX_BYTES >> 20)));
    }
    let wav = Wav::parse(&std::fs::read(path)?).map_err(|error| bad(error.to_string()))?;
    let samples = wav.to_mono(NARROWBAND_HZ).map_err(|error| bad(error.to_string()))?;
    Ok(samples.into())
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_in_the_order_of_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, sample: i16, rate| {
            let wav = Wav { sample_rate_hz: rate, channels: 1, samples: vec![sample; 16] };
            std::fs::write(folder.path().join(name), wav.to_bytes()).unwrap();
        };
        write("b.wav", 2, 8_000);
        write("a.WAV", 1, 8_000);
        std::fs::write(folder.path().join("read.me"), "no music").unwrap();
        let pieces = load(folder.path()).unwrap();
        assert_eq!(pieces.iter().map(|piece| piece[0]).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn a_folder_that_cannot_be_played_is_told_by_name() {
        let folder = tempfile::tempdir().unwrap();
        assert!(load(folder.path()).unwrap_err().to_string().contains("no WAV file"));
        std::fs::write(folder.path().join("x.wav"), "RIFF?").unwrap();
        assert!(load(folder.path()).unwrap_err().to_string().contains("x.wav"));
    }
}
