//! Logs and configuration files.

use proto::syslog::Severity;

use super::super::proof::Proof;
use crate::settings::{Assignment, Fault};

/// One line of a log.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// Where; for syslog over UDP the packet.
    pub proof: Proof,
    /// The program: `ipphone`, `provision`, …; empty where the line names none.
    pub tag: Box<str>,
    /// What it says, without time and tag, `...` of a cut line taken off.
    pub text: Box<str>,
    /// Whether a web page has cut it.
    pub is_cut: bool,
    /// How grave, where the line says so.
    pub severity: Option<Severity>,
    /// The host, where the line names one.
    pub host: Option<Box<str>>,
}

/// One configuration or boot file.
#[derive(Debug)]
pub struct ConfigFile {
    /// Index into [`Tracks::files`](super::Tracks::files).
    pub file: u16,
    /// What is wrong with it.
    pub faults: Vec<Fault>,
    /// Its assignments in order.
    pub assignments: Vec<Assignment>,
    /// The files that a boot file names, in order.
    pub includes: Vec<Box<str>>,
    /// Whether it is a boot file, which names other files.
    pub is_boot: bool,
}
