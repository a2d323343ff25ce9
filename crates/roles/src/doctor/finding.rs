//! What the doctor says: one finding is one root cause with its proof.

use serde::Serialize;
use serde_json::{Value, json};

use super::proof::Proof;
use super::tracks::{FileKind, Tracks};

/// How grave a finding is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Info,
    /// Something is or will be wrong.
    Warning,
    /// Something does not work.
    Error,
}

impl Severity {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Pieces of evidence of one finding: the few that prove it.
const EVIDENCE_LIMIT: usize = 12;

/// One thing that the doctor says.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Its code; codes never change meaning.
    pub code: String,
    /// How grave it is.
    pub severity: Severity,
    /// The account, number, device or address that it is about.
    pub subject: String,
    /// What it is, in a few words.
    pub title: String,
    /// What most likely lies behind it, in a sentence.
    pub cause: String,
    /// What to do, most promising first.
    pub remedy: Vec<String>,
    /// The packets and lines that prove it, in order.
    pub evidence: Vec<Evidence>,
    /// The standard, or the page of the deck.
    pub reference: String,
}

/// A packet or a line that proves something.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Evidence {
    /// Where.
    pub proof: Proof,
    /// What is seen there.
    pub what: String,
}

impl Finding {
    /// A finding without evidence; what its code explains is filled in later.
    pub fn new(code: impl Into<String>, severity: Severity, subject: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            severity,
            subject: subject.into(),
            title: String::new(),
            cause: String::new(),
            remedy: Vec::new(),
            evidence: Vec::new(),
            reference: String::new(),
        }
    }

    /// Says what lies behind it.
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = cause.into();
        self
    }

    /// Adds a piece of evidence, where there is one and room for it.
    pub fn proof(mut self, proof: Option<Proof>, what: impl Into<String>) -> Self {
        self.prove(proof, what);
        self
    }

    /// As [`Finding::proof`].
    pub fn prove(&mut self, proof: Option<Proof>, what: impl Into<String>) {
        let Some(proof) = proof else { return };
        let is_known =
            self.evidence.iter().any(|one| (one.proof.file, one.proof.number) == (proof.file, proof.number));
        if !is_known && self.evidence.len() < EVIDENCE_LIMIT {
            self.evidence.push(Evidence { proof, what: what.into() });
        }
    }

    /// As a row of `doctor --json`.
    pub fn to_json(&self, tracks: &Tracks) -> Value {
        let evidence: Vec<Value> = self.evidence.iter().map(|one| one.to_json(tracks)).collect();
        json!({
            "code": self.code, "severity": self.severity.word(), "subject": self.subject, "title": self.title,
            "cause": self.cause, "remedy": self.remedy, "evidence": evidence, "reference": self.reference,
        })
    }
}

impl Evidence {
    fn to_json(&self, tracks: &Tracks) -> Value {
        let at = (self.proof.at != proto::Time::ZERO).then(|| self.proof.at.rfc3339());
        let number = if self.is_packet(tracks) { "packet" } else { "line" };
        let mut row = json!({ "file": tracks.file_name(self.proof), "at": at, "what": self.what });
        row[number] = self.proof.number.into();
        row
    }

    /// Whether it lies in a capture rather than in a text.
    pub fn is_packet(&self, tracks: &Tracks) -> bool {
        let file = tracks.files.get(usize::from(self.proof.file));
        file.is_none_or(|file| file.kind == FileKind::Capture)
    }
}
