//! The folder of files that are served as they are.

use std::fs;
use std::path::Path;

/// The largest file that is served, in bytes: firmware among them.
const MOST_BYTES: u64 = 64 << 20;

/// Reads a file by the names of its path, which lead nowhere else. In the last one case does not matter
/// where no file has it as written, and thirteen zeros are as good as twelve.
pub(super) fn read(folder: &Path, names: &[String]) -> Option<Vec<u8>> {
    let (last, folders) = names.split_last()?;
    let within = folders.iter().fold(folder.to_owned(), |path, name| path.join(name));
    let lower = last.to_ascii_lowercase();
    let other = lower.replace("y0000000000000.", "y000000000000.");
    [last, &lower, &other].into_iter().find_map(|name| read_one(folder, &within.join(name)))
}

/// A link may not lead out of the folder.
fn read_one(folder: &Path, path: &Path) -> Option<Vec<u8>> {
    let (folder, path) = (fs::canonicalize(folder).ok()?, fs::canonicalize(path).ok()?);
    let about = fs::metadata(&path).ok()?;
    let is_served = path.starts_with(&folder) && about.is_file() && about.len() <= MOST_BYTES;
    if is_served { fs::read(path).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_and_nothing_outside() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("files");
        fs::create_dir_all(folder.join("a")).unwrap();
        fs::write(folder.join("a/b.cfg"), "b").unwrap();
        fs::write(folder.join("y000000000000.cfg"), "all").unwrap();
        fs::write(dir.path().join("secret"), "secret").unwrap();
        let found = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            read(&folder, &names).map(|bytes| String::from_utf8(bytes).unwrap())
        };
        assert_eq!(found(&["a", "b.cfg"]).as_deref(), Some("b"));
        assert_eq!(found(&["a", "B.CFG"]).as_deref(), Some("b"));
        assert_eq!(found(&["Y0000000000000.cfg"]).as_deref(), Some("all"));
        assert_eq!(found(&["a"]), None, "a folder is no file");
        assert_eq!(found(&["..", "secret"]), None);
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(dir.path().join("secret"), folder.join("link")).unwrap();
            assert_eq!(found(&["link"]), None, "a link leads out");
        }
    }
}
