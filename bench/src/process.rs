//! What another process has used, as the kernel counts it.

use std::fs;
use std::io;

/// The kernel's clock ticks in a second, fixed for programs on Linux.
const TICKS_PER_SECOND: u64 = 100;

/// A process and its children, as a server with workers has them.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    pid: u32,
}

impl Process {
    /// By number.
    pub fn new(pid: u32) -> Self {
        Self { pid }
    }

    /// User and system time of the process and its children so far, in microseconds; it moves in
    /// steps of 10 ms.
    ///
    /// # Errors
    /// The process has ended.
    pub fn cpu_us(self) -> io::Result<u64> {
        let ticks: u64 = self.family()?.iter().map(|stat| stat.ticks).sum();
        Ok(ticks * (1_000_000 / TICKS_PER_SECOND))
    }

    /// Memory that is its own, without what it shares with files, in KiB.
    ///
    /// # Errors
    /// The process has ended.
    pub fn memory_kib(self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or_default();
        Ok(line.trim().trim_end_matches(" kB").parse().unwrap_or_default())
    }

    fn family(self) -> io::Result<Vec<Stat>> {
        let mut family = vec![Stat::read(self.pid)?];
        for entry in fs::read_dir("/proc")?.flatten() {
            let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
            // A process may end between listing and reading.
            let stat = number.and_then(|pid| Stat::read(pid).ok());
            family.extend(stat.filter(|stat| stat.parent == self.pid));
        }
        Ok(family)
    }
}

struct Stat {
    parent: u32,
    ticks: u64,
}

impl Stat {
    fn read(pid: u32) -> io::Result<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name may hold blanks, so fields are counted from its closing bracket.
        let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let field = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
        Ok(Self { parent: field(1) as u32, ticks: field(11) + field(12) })
    }
}
