//! Small files that are always whole.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Makes a folder for the owner alone, and those above it; one that exists stays as it is.
///
/// # Errors
/// The folder cannot be made or is a file; the text names it.
pub fn make_dir(dir: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|error| explain("folder", dir, &error))
}

/// Replaces a file by `bytes`, readable by the owner alone.
///
/// The old content or the new is there at any moment, never a part: written beside it, forced to the
/// disk, then renamed.
///
/// # Errors
/// Nothing was changed; the text names the file and, where it can be known, the remedy.
pub fn save(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = beside(file);
    let written = write(&beside, bytes).and_then(|()| fs::rename(&beside, file));
    if let Err(error) = written {
        let _ = fs::remove_file(&beside);
        return Err(explain("file", file, &error));
    }
    // The rename itself: a folder that cannot be synced (some network disks) still holds it.
    #[cfg(unix)]
    if let Some(dir) = file.parent()
        && let Ok(dir) = File::open(dir)
    {
        let _ = dir.sync_all();
    }
    Ok(())
}

fn beside(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    file.with_file_name(name)
}

fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    // One that a crash left behind may have other rights.
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut opened: File = options.open(file)?;
    opened.write_all(bytes)?;
    opened.sync_all()
}

/// Names the place and the remedy.
pub(super) fn explain(what: &str, path: &Path, error: &io::Error) -> io::Error {
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "this user may not write there; give another folder by --dir or change its owner"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk is full; make room, then repeat"
        }
        io::ErrorKind::ReadOnlyFilesystem => "the disk is read-only; give another folder by --dir",
        io::ErrorKind::NotFound => "its folder does not exist",
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => "a file is where a folder should be",
        _ => "",
    };
    let text = format!("the {what} {} cannot be written: {error}", path.display());
    let text = if remedy.is_empty() { text } else { format!("{text}: {remedy}") };
    io::Error::new(error.kind(), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_private() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("phone.cfg");
        fs::write(beside(&file), "left behind by a crash").expect("written");
        for content in ["one", "a longer second", ""] {
            save(&file, content.as_bytes()).expect("saved");
            assert_eq!(fs::read_to_string(&file).expect("read"), content);
        }
        assert!(!beside(&file).exists());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_folder_that_is_missing_or_a_file_is_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("missing/phone.cfg");
        let error = save(&file, b"x").expect_err("no folder");
        assert!(error.to_string().contains("missing/phone.cfg"), "{error}");
        fs::write(dir.path().join("file"), "").expect("written");
        let error = make_dir(&dir.path().join("file/below")).expect_err("a file is in the way");
        assert!(error.to_string().contains("a file is where a folder should be"), "{error}");
    }
}
