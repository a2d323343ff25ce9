//! Lines of an FTP control connection, and the names of files in them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::ftp::{Command, extended_passive_reply, passive_reply};
use roles::provision::Path;

fuzz_target!(|bytes: &[u8]| {
    for line in String::from_utf8_lossy(bytes).split("\r\n") {
        match Command::read(line) {
            Command::Active(Some(at)) => {
                let replies = [passive_reply(at), Some(extended_passive_reply(at.port()))];
                assert!(replies.into_iter().flatten().all(|reply| reply.ends_with(")\r\n")));
            }
            Command::Get(path) | Command::Enter(path) => {
                let names = Path::read(path).map(|path| path.names).unwrap_or_default();
                assert!(names.iter().all(|name| !name.starts_with('.') && !name.contains(['/', '\\', '\0'])));
            }
            _ => {}
        }
    }
});
