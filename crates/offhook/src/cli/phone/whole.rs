//! Files with a whole configuration: written for `export`, read for `import`.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use roles::phone::{Command, CommandKind};
use roles::settings::{Secret, Secrets, Settings};

/// One byte more than the largest configuration that a phone takes.
const MOST_BYTES: u64 = (1 << 20) + 1;

/// Writes everything that somebody set to a file that is not there yet, and that its owner alone can read.
///
/// # Errors
/// The file is there, or cannot be written; the text names it and a remedy.
pub(in crate::cli) fn write(path: &Path, settings: &Settings) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let explain = |error: io::Error| {
        let place = path.display();
        io::Error::new(error.kind(), format!("{place} cannot be written: {error}; give another file"))
    };
    let mut file = options.open(path).map_err(explain)?;
    let written = file.write_all(settings.to_cfg(Secrets::Written).as_bytes()).and_then(|()| file.sync_all());
    written.map_err(explain)
}

/// A command with the file that it names: only the program reads files.
pub(super) fn with_file(command: Command) -> Command {
    let Command { id, what: CommandKind::ImportFile(file) } = command else { return command };
    let what = match read(Path::new(&file)) {
        Ok(text) => CommandKind::Import(Secret::new(&text)),
        Err(error) => CommandKind::Wrong {
            message: format!("{file} cannot be read: {error}"),
            possible: vec!["import FILE.cfg".to_owned()],
        },
    };
    Command { id, what }
}

fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
