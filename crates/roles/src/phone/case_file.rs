//! The case that goes to support: the deck's questions, those that a phone can answer answered.

use std::fmt::Write as _;

use proto::Time;

use super::Phone;
pub use super::facts::Topic;
use super::facts::{AccountState, HistoryEntry, HistoryKind};

/// What only the program around a phone knows of it.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// How often the phone has started since the program did; `None` where nobody counted.
    pub restarts: Option<u32>,
    /// Who is next on the cable, by LLDP or CDP; `None` where nothing was heard.
    pub neighbours: Option<String>,
    /// Parameters that were changed at the last resync, by name.
    pub changes: Vec<String>,
    /// The other members of the bundle.
    pub members: Vec<String>,
}

/// What a question is answered with.
#[derive(Clone, Copy, Debug)]
enum Known {
    /// Only people know.
    Nothing,
    /// The states of the accounts.
    Accounts,
    /// The last calls.
    Calls,
    /// The keys and their lamps.
    Lamps,
    /// Starts and exceptions.
    Faults,
    /// The file of that name in the bundle.
    Member(&'static str),
}

/// A question of the deck.
type Question = (&'static str, Known);

const TRACE: Question = (
    "The phone's packet trace; of a phone that works too, if there is one, to compare.",
    Known::Member("packets.pcap"),
);
const CONFIGURATION: Question = ("The phone's configuration file.", Known::Member("configuration.cfg"));
const OTHERS: Question = (
    "Do other models, brands or softphones work in the same scenario with the same account?",
    Known::Nothing,
);
const HOW_MANY: Question =
    ("How many phones does the customer have, and how many of them have the issue?", Known::Nothing);
const SINCE_WHEN: Question = ("Did it work before? When does the issue happen?", Known::Calls);

impl Topic {
    /// All of them, in the order of the deck.
    pub const ALL: [Self; 7] = [
        Self::Registration,
        Self::Call,
        Self::Audio,
        Self::Provisioning,
        Self::Blf,
        Self::Network,
        Self::Slow,
    ];

    /// The topic of that word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.word() == word)
    }

    /// Its word on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::Call => "call",
            Self::Audio => "audio",
            Self::Provisioning => "provisioning",
            Self::Blf => "blf",
            Self::Network => "network",
            Self::Slow => "slow",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Registration => "account registration",
            Self::Call => "calls in or out fail",
            Self::Audio => "one-way audio or no voice",
            Self::Provisioning => "auto provisioning",
            Self::Blf => "BLF",
            Self::Network => "network",
            Self::Slow => "the phone is slow, stuck or reboots",
        }
    }

    /// What the deck wants to be told.
    #[expect(clippy::too_many_lines, reason = "a table")]
    const fn questions(self) -> &'static [Question] {
        match self {
            Self::Registration => &[
                ("Account information, and whether it is registered.", Known::Accounts),
                ("Is the network reachable: can the server and 8.8.8.8 be pinged?", Known::Nothing),
                (
                    "Is the account enabled at the server, and may several devices register it?",
                    Known::Nothing,
                ),
                OTHERS,
                CONFIGURATION,
                TRACE,
            ],
            Self::Call => &[
                ("Is it a dial-out failure or dial-in failure, and what do both phones show?", Known::Calls),
                ("Are the phones registered?", Known::Accounts),
                ("Does it happen on internal calls or external calls?", Known::Nothing),
                SINCE_WHEN,
                HOW_MANY,
                OTHERS,
                ("Test accounts, if the server is in the cloud.", Known::Nothing),
                TRACE,
            ],
            Self::Audio => &[
                ("The steps to reproduce: who calls, who answers, who hears whom?", Known::Nothing),
                ("The network topology: router, PBX, phones, VLAN, SIP ALG.", Known::Nothing),
                ("Does the issue happen on internal calls or external calls?", Known::Nothing),
                SINCE_WHEN,
                HOW_MANY,
                CONFIGURATION,
                ("Test accounts, if the server is in the cloud.", Known::Nothing),
                TRACE,
            ],
            Self::Provisioning => &[
                ("The provisioning configuration file.", Known::Nothing),
                ("The phone's system log.", Known::Member("system.log")),
                (
                    "The phone's configuration files before and after provisioning.",
                    Known::Member("configuration-before.cfg"),
                ),
                TRACE,
            ],
            Self::Blf => &[
                (
                    "The steps to reproduce, as in: A monitors B, C calls B, A's lamp stays green.",
                    Known::Nothing,
                ),
                ("What the keys show.", Known::Lamps),
                (
                    "Is the monitored extension registered, at the same server as the key's line?",
                    Known::Accounts,
                ),
                OTHERS,
                CONFIGURATION,
                TRACE,
            ],
            Self::Network => &[
                ("The network topology: model numbers and connections.", Known::Nothing),
                ("With LLDP and CDP off, or another cable: does the phone get an address?", Known::Nothing),
                OTHERS,
                CONFIGURATION,
                TRACE,
            ],
            Self::Slow => &[
                ("In what scenario does it become slow, stuck or restart?", Known::Faults),
                ("Is the power right: 5 V/1 A, or 5 V/2 A for FIP15G and FIP16Plus?", Known::Nothing),
                ("How often does the issue happen?", Known::Faults),
                HOW_MANY,
                ("Special settings or operations before it happens?", Known::Nothing),
                ("Does a reboot fix it? Is the web interface still reachable?", Known::Nothing),
                CONFIGURATION,
                ("Syslog and Exception Syslog.", Known::Member("system.log, exception.log")),
                TRACE,
            ],
        }
    }
}

impl Phone {
    /// `case.md`: what a phone is and has seen, and the deck's questions of a topic.
    pub fn case_file(&self, topic: Topic, now: Time, surroundings: &Surroundings) -> String {
        let (title, made_at) = (topic.title(), self.desk.wall.at(now).rfc3339());
        let mut text = format!("# Case: {title}\n\nMade at {made_at} by {}.\n\n", self.product());
        self.describe(&mut text, now, surroundings);
        text.push_str("\n## The deck's questions\n\n");
        for (question, known) in topic.questions() {
            line(&mut text, format_args!("- {question}"));
            line(&mut text, format_args!("  {}", self.answer_to_question(*known)));
        }
        if !surroundings.members.is_empty() {
            line(&mut text, format_args!("\n## In this bundle\n\n{}", surroundings.members.join(", ")));
        }
        text
    }

    fn describe(&self, text: &mut String, now: Time, surroundings: &Surroundings) {
        let up_s = now.since(self.started_at).as_secs();
        let count = surroundings.restarts.map_or_else(|| "not known".to_owned(), |count| count.to_string());
        let neighbours = surroundings.neighbours.as_deref();
        let changes = surroundings.changes.join(", ");
        line(text, format_args!("## The phone\n"));
        line(text, format_args!("- Model: {}", self.settings.model().name));
        line(text, format_args!("- Firmware: {}", self.desk.place.version));
        line(text, format_args!("- MAC: {}", self.desk.place.mac_text()));
        line(text, format_args!("- Address: {}", self.desk.place.ip()));
        line(text, format_args!("- Up: {up_s} s"));
        line(text, format_args!("- Restarts: {count}"));
        line(
            text,
            format_args!(
                "- Neighbours: {}",
                neighbours.unwrap_or("not known; neither LLDP nor CDP was heard")
            ),
        );
        let changes = if changes.is_empty() { "none known" } else { &changes };
        line(text, format_args!("- Last changes: {changes}"));
        line(text, format_args!("- Accounts: {}", self.answer_to_question(Known::Accounts)));
    }

    fn answer_to_question(&self, known: Known) -> String {
        let said: Vec<String> = match known {
            Known::Nothing => Vec::new(),
            Known::Accounts => self.lines.accounts.iter().map(account).collect(),
            Known::Calls => self.history.entries.iter().take(5).map(past_call).collect(),
            Known::Lamps => self.keys.iter().map(lamp).collect(),
            Known::Faults => self.exceptions().map(str::to_owned).collect(),
            Known::Member(file) => vec![format!("See {file}.")],
        };
        if said.is_empty() { "*To be filled in.*".to_owned() } else { said.join("; ") }
    }
}

fn account(account: &super::accounts::Account) -> String {
    let state = match &account.state {
        AccountState::Unregistered => "not registered".to_owned(),
        AccountState::Locating => "looking for its server".to_owned(),
        AccountState::Registering => "registering".to_owned(),
        AccountState::Registered { expires_s } => format!("registered for {expires_s} s"),
        AccountState::Failed { status, reason } => {
            let status = status.map(|status| format!("{status} ")).unwrap_or_default();
            format!("failed, {status}{reason}")
        }
    };
    let host = account.line.ways.get(account.line.way).map_or("no server", |way| &way.host);
    format!("{} at {host}: {state}", account.line.settings.user)
}

fn past_call(entry: &HistoryEntry) -> String {
    let kind = match entry.kind {
        HistoryKind::Dialled => "dialled to",
        HistoryKind::Received => "received from",
        HistoryKind::Missed => "missed from",
        HistoryKind::Forwarded => "forwarded from",
    };
    let at = Time::from_secs(entry.at_s).rfc3339();
    format!("{at} {kind} {}, {} s", entry.number, entry.duration_s)
}

fn lamp(key: &super::lamps::Key) -> String {
    let meaning = key.lamp.unwrap_or_default().meaning;
    format!("key {} {}: {meaning:?}", key.settings.number, key.settings.value)
}

/// Adds a line.
fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{words}");
}
