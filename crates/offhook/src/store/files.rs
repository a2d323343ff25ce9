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

/// Opens a file to be written from its beginning, readable by its owner alone; what was in it is gone.
///
/// # Errors
/// The file cannot be written, or is somebody else's and can be read by others.
pub fn create(file: &Path) -> io::Result<File> {
    open_private(OpenOptions::new().write(true).truncate(true), file)
}

/// Opens a file to be written on at its end, readable by its owner alone.
///
/// # Errors
/// As [`create`].
pub fn append(file: &Path) -> io::Result<File> {
    open_private(OpenOptions::new().append(true), file)
}

fn open_private(options: &mut OpenOptions, file: &Path) -> io::Result<File> {
    options.create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    let opened = options.open(file)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // One that was there keeps its rights; pipes and devices are left alone.
        let metadata = opened.metadata()?;
        if metadata.is_file() && metadata.permissions().mode() & 0o077 != 0 {
            opened.set_permissions(fs::Permissions::from_mode(0o600))?;
        }
    }
    Ok(opened)
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

    #[cfg(unix)]
    #[test]
    fn files_that_are_written_are_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a folder");
        let mode = |file: &Path| fs::metadata(file).expect("there").permissions().mode() & 0o777;
        let open: [fn(&Path) -> io::Result<File>; 2] = [create, append];
        for (number, open) in open.into_iter().enumerate() {
            let [new, old] = ["new", "old"].map(|name| dir.path().join(format!("{name}{number}")));
            fs::write(&old, "old").expect("written");
            fs::set_permissions(&old, fs::Permissions::from_mode(0o644)).expect("set");
            for file in [&new, &old] {
                open(file).expect("opened").write_all(b"x").expect("written");
                assert_eq!(mode(file), 0o600, "{}", file.display());
            }
            assert_eq!(fs::read_to_string(&old).expect("read"), ["x", "oldx"][number]);
        }
        assert!(create(Path::new("/dev/null")).is_ok(), "a device keeps its rights");
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
