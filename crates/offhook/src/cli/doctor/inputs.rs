//! What the arguments name: files, folders, standard input.

use std::io;
use std::path::{Path, PathBuf};

use super::super::Failure;

/// Inputs of one case.
const LIMIT: usize = 10_000;
/// Folders in folders.
const MOST_DEPTH: usize = 16;

/// One input as it is named.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Input {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

impl Input {
    /// As the report writes it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stdin => "-".to_owned(),
        }
    }
}

/// The files of all paths, those of a folder in the order of their names.
///
/// # Errors
/// A path that is not there or cannot be read; the text names it.
pub(super) fn find(paths: &[PathBuf]) -> Result<Vec<Input>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            if found.contains(&Input::Stdin) {
                return Err(Failure::usage("- stands twice; standard input can be read once"));
            }
            found.push(Input::Stdin);
            continue;
        }
        add(path, &mut found, 0).map_err(|error| {
            Failure::Failed(format!(
                "{}: {error}; name a capture, a log, a configuration file or a folder",
                path.display()
            ))
        })?;
    }
    if found.is_empty() {
        return Err(Failure::Failed(
            "no file was found; name a capture, a log or a configuration file".to_owned(),
        ));
    }
    Ok(found)
}

fn add(path: &Path, found: &mut Vec<Input>, depth: usize) -> io::Result<()> {
    if found.len() >= LIMIT {
        return Err(io::Error::other(format!("more than {LIMIT} files in one case")));
    }
    if !std::fs::metadata(path)?.is_dir() {
        found.push(Input::File(path.to_owned()));
        return Ok(());
    }
    if depth == MOST_DEPTH {
        return Err(io::Error::other(format!("more than {MOST_DEPTH} folders in one another")));
    }
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
    entries.sort();
    for entry in entries {
        let is_hidden = entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        // A link to a folder may lead back to where it stands.
        let is_link_to_folder = entry.is_symlink() && entry.is_dir();
        if !is_hidden && !is_link_to_folder {
            add(&entry, found, depth + 1)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_looked_through_in_order() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(dir.path().join("b")).expect("created");
        for name in ["c.log", "b/a.pcap", ".hidden"] {
            std::fs::write(dir.path().join(name), "x").expect("written");
        }
        let found = find(&[dir.path().to_owned(), PathBuf::from("-")]).expect("found");
        let names: Vec<_> = found.iter().map(Input::name).collect();
        let expected = ["b/a.pcap", "c.log"].map(|name| dir.path().join(name).display().to_string());
        assert_eq!(names, [&expected[0], &expected[1], "-"]);
    }

    #[test]
    fn what_is_not_there_is_named() {
        let error = find(&[PathBuf::from("/nowhere/a.pcap")]).expect_err("not there").to_string();
        assert!(error.contains("/nowhere/a.pcap") && error.contains("folder"), "{error}");
        assert!(find(&[PathBuf::from("-"), PathBuf::from("-")]).is_err());
    }
}
