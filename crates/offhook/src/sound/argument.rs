//! The argument of `--audio`: what a phone hears with and speaks with.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use media::wav::Wav;

use super::{Recorder, Samples, Silence, Sine, Sink, Source};

/// The frequencies that every codec carries.
pub const TONE_RANGE_HZ: std::ops::RangeInclusive<u16> = 200..=3_400;

/// The longest file that is read: an hour and a half at 8 kHz.
pub const FILE_LIMIT_BYTES: u64 = 100_000_000;

/// What `--audio` says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Audio {
    /// What is said.
    pub input: Input,
    /// The WAV file that what is heard goes to.
    pub output: Option<PathBuf>,
}

/// What is said.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Input {
    /// Nothing.
    #[default]
    Silent,
    /// One frequency, in hertz.
    Tone(u16),
    /// A WAV file, over and over.
    File(PathBuf),
}

impl Audio {
    /// A microphone and an earpiece for an engine of `rate_hz`.
    ///
    /// # Errors
    /// A file cannot be read or written, or is no WAV file; the error names it.
    pub fn open(&self, rate_hz: u32) -> io::Result<(Box<dyn Source>, Box<dyn Sink>)> {
        let source: Box<dyn Source> = match &self.input {
            Input::Silent => Box::new(Silence),
            Input::Tone(frequency_hz) => Box::new(Sine::new(*frequency_hz, rate_hz)),
            Input::File(path) => Box::new(Samples::new(read(path, rate_hz)?)),
        };
        let sink: Box<dyn Sink> = match &self.output {
            Some(path) => Box::new(Recorder::create(path, rate_hz)?),
            None => Box::new(Silence),
        };
        Ok((source, sink))
    }
}

impl FromStr for Audio {
    type Err = AudioError;

    /// `silent`, `tone:HZ[,OUT.wav]` or `file:IN.wav[,OUT.wav]`; a comma ends the first name.
    fn from_str(text: &str) -> Result<Self, AudioError> {
        let (head, output) = match text.split_once(',') {
            Some((_, "")) => return Err(AudioError::Unknown(text.to_owned())),
            Some((head, output)) => (head, Some(PathBuf::from(output))),
            None => (text, None),
        };
        let input = match head.split_once(':') {
            None if head == "silent" => Input::Silent,
            None if matches!(head, "browser" | "device") => {
                return Err(AudioError::Absent(head.to_owned()));
            }
            Some(("tone", frequency)) => Input::Tone(tone(frequency)?),
            Some(("file", path)) if !path.is_empty() => Input::File(path.into()),
            _ => return Err(AudioError::Unknown(text.to_owned())),
        };
        Ok(Self { input, output })
    }
}

impl fmt::Display for Audio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.input {
            Input::Silent => f.write_str("silent")?,
            Input::Tone(frequency_hz) => write!(f, "tone:{frequency_hz}")?,
            Input::File(path) => write!(f, "file:{}", path.display())?,
        }
        self.output.as_ref().map_or(Ok(()), |path| write!(f, ",{}", path.display()))
    }
}

/// Why an argument cannot be used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AudioError {
    /// None of the forms.
    Unknown(String),
    /// Sound of the browser or of a device, which this program is built without.
    Absent(String),
    /// No frequency, or one that codecs do not carry.
    Frequency(String),
}

impl fmt::Display for AudioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (TONE_RANGE_HZ.start(), TONE_RANGE_HZ.end());
        match self {
            Self::Unknown(text) => {
                write!(f, "no such sound: '{text}'; use silent, tone:440, file:IN.wav or file:IN.wav,OUT.wav")
            }
            Self::Absent(kind) => write!(
                f,
                "this program is built without sound of the {kind}; use file:IN.wav,OUT.wav to speak and to \
                 record, tone:440, or silent"
            ),
            Self::Frequency(text) => {
                write!(f, "no tone of '{text}' Hz; use {least} to {most}, as in tone:440")
            }
        }
    }
}

impl std::error::Error for AudioError {}

fn tone(text: &str) -> Result<u16, AudioError> {
    let frequency = text.parse().ok().filter(|frequency| TONE_RANGE_HZ.contains(frequency));
    frequency.ok_or_else(|| AudioError::Frequency(text.to_owned()))
}

fn read(path: &Path, rate_hz: u32) -> io::Result<Vec<i16>> {
    let explain = |kind, error: &dyn fmt::Display| {
        io::Error::new(kind, format!("cannot play {}: {error}", path.display()))
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| explain(error.kind(), &error))?;
    file.take(FILE_LIMIT_BYTES + 1).read_to_end(&mut bytes).map_err(|error| explain(error.kind(), &error))?;
    if bytes.len() as u64 > FILE_LIMIT_BYTES {
        let text = format!("it is longer than {FILE_LIMIT_BYTES} bytes; cut it");
        return Err(explain(io::ErrorKind::FileTooLarge, &text));
    }
    let wav = Wav::parse(&bytes).map_err(|error| explain(io::ErrorKind::InvalidData, &error))?;
    wav.to_mono(rate_hz).map_err(|error| explain(io::ErrorKind::InvalidData, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form() {
        let check = |text: &str, input: Input, output: Option<&str>| {
            let audio = Audio { input, output: output.map(PathBuf::from) };
            assert_eq!(text.parse(), Ok(audio.clone()), "{text}");
            assert_eq!(audio.to_string(), text);
        };
        check("silent", Input::Silent, None);
        check("silent,out.wav", Input::Silent, Some("out.wav"));
        check("tone:440", Input::Tone(440), None);
        check("tone:3400,heard.wav", Input::Tone(3_400), Some("heard.wav"));
        check("file:a:b.wav", Input::File("a:b.wav".into()), None);
        check("file:in.wav,out.wav", Input::File("in.wav".into()), Some("out.wav"));
    }

    #[test]
    fn faults_say_what_to_use() {
        let check = |text: &str, expected: &str| {
            let error = text.parse::<Audio>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        };
        check("browser", "use file:IN.wav,OUT.wav");
        check("device", "use file:IN.wav,OUT.wav");
        check("tone:", "use 200 to 3400");
        check("tone:5000", "use 200 to 3400");
        check("tone:-440", "use 200 to 3400");
        check("file:", "use silent");
        check("silent,", "use silent");
        check("", "use silent");
    }

    #[test]
    fn a_file_is_played_at_the_rate_of_the_engine() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.wav");
        let wav = Wav { sample_rate_hz: 16_000, channels: 1, samples: vec![500; 3_200] };
        std::fs::write(&path, wav.to_bytes()).unwrap();
        let audio = Audio { input: Input::File(path.clone()), output: None };
        let (mut source, _sink) = audio.open(8_000).unwrap();
        let mut frame = [0; 160];
        source.fill(&mut frame);
        source.fill(&mut frame);
        assert!(frame.iter().all(|sample| (490..=510).contains(sample)), "{frame:?}");
        std::fs::write(&path, b"no sound").unwrap();
        let error = audio.open(8_000).err().unwrap().to_string();
        assert!(error.contains("in.wav") && error.contains("WAV"), "{error}");
    }
}
