//! What persons and programs ask of a phone: the grammar of `--stdio` and of the HTTP API.

use std::fmt;

use super::case_file::Topic;
use super::facts::CallNumber;
use super::waiting::EVENTS;
use crate::settings::{Forward, Forwards, Secret};

/// The longest line that is read, in bytes.
pub const MAX_LINE_BYTES: usize = 4_096;
/// The longest name of a line that is too long; longer ones are no names.
const MAX_ID_BYTES: usize = 256;
/// The longest that `wait` waits, in seconds.
const LONGEST_WAIT_S: u16 = 3_600;
/// The most parameters that one `set` changes.
const MAX_ASSIGNMENTS: usize = 64;

/// One command, with the name by which its answer is to be told from others.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Command {
    /// The sender's own name for it (`@ID` before the command).
    pub id: Option<String>,
    /// What is to be done.
    pub what: CommandKind,
}

/// What is to be done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CommandKind {
    /// Call a number.
    Dial {
        /// As typed.
        number: String,
        /// The account, from 1; `None`: the default one.
        account: Option<u8>,
    },
    /// Answer a call that rings here.
    Answer(Option<CallNumber>),
    /// End, cancel or reject.
    HangUp(Which),
    /// Reject a call that rings here.
    Reject {
        /// The call; `None`: the one that rings.
        call: Option<CallNumber>,
        /// The status; `None`: as set.
        status: Option<u16>,
    },
    /// Hold the call that is talked in.
    Hold,
    /// Switch the microphone off or on in the call that is talked in.
    Mute(bool),
    /// Resume a held call.
    Resume(Option<CallNumber>),
    /// Send digits.
    Dtmf(String),
    /// Transfer the call without asking first.
    Transfer(String),
    /// Call somebody about the call, to transfer it afterwards.
    Consult(String),
    /// Transfer the call to whom was consulted.
    Complete,
    /// Join two calls.
    Conference,
    /// Part them again.
    Split,
    /// Switch do not disturb.
    Dnd(bool),
    /// Set or switch off a forward.
    Forward {
        /// Which.
        when: ForwardWhen,
        /// Where to; `None`: off.
        to: Option<String>,
    },
    /// Press a line key, from 1.
    Key(u8),
    /// Take a call that rings elsewhere.
    Pickup(String),
    /// Call the last number again.
    Redial,
    /// Fetch the configuration.
    Resync,
    /// Restart.
    Reboot,
    /// Download firmware, and restart with it.
    Upgrade(String),
    /// Go back to what the factory set, and restart.
    FactoryReset,
    /// Set parameters, all or none.
    Set(Vec<(String, String)>),
    /// Tell a parameter, or all whose names fit a pattern.
    Get(String),
    /// Tell the whole configuration, or write it to a file.
    Export(Option<String>),
    /// Take a whole configuration. Its text may hold secrets.
    Import(Secret),
    /// Take the whole configuration in this file: whoever reads the line reads the file.
    ImportFile(String),
    /// Write a support bundle.
    Bundle {
        /// The file, which must not be there yet.
        file: String,
        /// What the case is about.
        topic: Topic,
    },
    /// Tell everything.
    Status,
    /// Tell the list of calls, whose missed ones count as seen.
    History,
    /// Tell the numbers that keys know by name.
    Directory,
    /// Say goodbye to the servers.
    Quit,
    /// Wait until an event comes.
    Wait {
        /// Its name.
        event: String,
        /// How long at most.
        seconds: u16,
    },
    /// No more commands come: when what is begun is over, say goodbye to the servers.
    EndOfInput,
    /// A line that is no command: it is answered in its turn, behind the answers to lines before it.
    Wrong {
        /// What is wrong and how to say it.
        message: String,
        /// What could stand there.
        possible: Vec<String>,
    },
}

/// Which call is to be ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Which {
    /// The one that a person would mean.
    Current,
    /// That one.
    Call(CallNumber),
    /// All.
    All,
}

/// When a call is forwarded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ForwardWhen {
    /// Always.
    Always,
    /// On a call, or with DND on.
    Busy,
    /// When nobody answers.
    NoAnswer,
}

impl ForwardWhen {
    /// The word in an account's parameters: `account.1.always_fwd.enable`.
    pub const fn account_key_word(self) -> &'static str {
        match self {
            Self::Always => "always_fwd",
            Self::Busy => "busy_fwd",
            Self::NoAnswer => "timeout_fwd",
        }
    }

    /// The forward that is meant.
    pub const fn of(self, forwards: &Forwards) -> &Forward {
        match self {
            Self::Always => &forwards.always,
            Self::Busy => &forwards.busy,
            Self::NoAnswer => &forwards.no_answer,
        }
    }

    /// The word in parameters: `forward.always.enable`.
    pub const fn key_word(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
        }
    }
}

/// Why a line is no command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CommandError {
    /// The sender's own name for it, as far as it could be read.
    pub id: Option<String>,
    /// What is wrong and how to say it.
    pub message: String,
    /// What could stand there.
    pub possible: Vec<String>,
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CommandError {}

/// Every command with its usage and what it does, in the order of the manual.
pub const COMMANDS: &[(&str, &str)] = &[
    ("dial NUMBER [account N]", "call, by the default account or account N"),
    ("answer [CALL]", "answer what rings here"),
    ("hangup [CALL|all]", "end, cancel, or reject what rings here with 486"),
    ("reject [CALL] [STATUS]", "reject what rings here, as set or with STATUS"),
    ("hold", "hold the call that is talked in"),
    ("mute on|off", "switch the microphone off or on in the call that is talked in, until that ends"),
    ("resume [CALL]", "resume the last held call, or CALL"),
    ("dtmf DIGITS", "send digits: 0 to 9, *, #, A to D"),
    ("transfer NUMBER", "transfer without asking; sends on what rings here"),
    ("consult NUMBER", "hold, and ask NUMBER about the call"),
    ("complete", "transfer to whom was consulted, also while it rings there"),
    ("conference", "join two calls"),
    ("split", "part them again, both held"),
    ("dnd on|off", "do not disturb"),
    ("forward always|busy|no-answer NUMBER|off", "set or switch off a forward"),
    ("key N", "press line key N"),
    ("pickup NUMBER", "take the call that rings at NUMBER"),
    ("redial", "call the last number again"),
    ("history", "tell the list of calls, whose missed ones count as seen"),
    ("directory", "tell the numbers that keys know by name"),
    ("resync", "ask for the configuration to be fetched"),
    ("reboot", "start again"),
    ("upgrade URL", "download firmware and start again with its version; what it holds is not run"),
    ("factory-reset", "forget what files and people set, and start again; what the command line says stays"),
    ("export", "tell the whole configuration without secrets: event `configuration`"),
    ("export FILE.cfg", "write the whole configuration to a new file, with secrets, for a phone"),
    ("import FILE.cfg", "take a whole configuration: event `imported`; what the file does not name stays"),
    ("set KEY VALUE [KEY VALUE…]", "set parameters, all or none; \"quotes\" keep blanks"),
    ("get KEY", "tell a parameter and all about it: event `value`"),
    ("get PATTERN", "tell all parameters whose names fit (`*`: any run of signs): one `value` each"),
    (
        "bundle FILE.zip [registration|call|audio|provisioning|blf|network|slow]",
        "write a support bundle on that topic",
    ),
    ("status", "tell everything: event `status`"),
    ("wait EVENT [SECONDS]", "wait until EVENT comes, 30 s or SECONDS; lines after it wait too"),
    ("quit", "hang up, unregister and end"),
];

fn name_of(usage: &str) -> &str {
    usage.split(' ').next().unwrap_or_default()
}

impl Command {
    /// Reads one line; one that is no command becomes [`CommandKind::Wrong`], to be answered in its turn.
    pub fn read(line: &str) -> Self {
        Self::parse(line).unwrap_or_else(|CommandError { id, message, possible }| Self {
            id,
            what: CommandKind::Wrong { message, possible },
        })
    }

    /// Reads one line. Values of `set` that hold blanks stand in double quotes.
    ///
    /// # Errors
    /// What is wrong with the line, and what could stand there instead.
    pub fn parse(line: &str) -> Result<Self, CommandError> {
        let (id, rest) = named(line.trim());
        if line.len() > MAX_LINE_BYTES {
            let id = id.filter(|id| id.len() <= MAX_ID_BYTES);
            return Err(error(id, format!("a line of more than {MAX_LINE_BYTES} bytes"), &[]));
        }
        let words = words(rest).map_err(|message| error(id.clone(), message, &[]))?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match kind(&words) {
            Ok(what) => Ok(Self { id, what }),
            Err(Bad { message, possible }) => Err(CommandError { id, message, possible }),
        }
    }
}

/// The sender's own name for a line, and the rest of it.
fn named(line: &str) -> (Option<String>, &str) {
    match line.strip_prefix('@') {
        Some(rest) => {
            let (id, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            (Some(id.to_owned()), rest.trim_start())
        }
        None => (None, line),
    }
}

struct Bad {
    message: String,
    possible: Vec<String>,
}

fn error(id: Option<String>, message: String, possible: &[&str]) -> CommandError {
    CommandError { id, message, possible: possible.iter().map(|&word| word.to_owned()).collect() }
}

fn kind(words: &[&str]) -> Result<CommandKind, Bad> {
    use CommandKind as K;
    let usage = |name: &str| usage(name);
    Ok(match words {
        [] => return Err(unknown("")),
        ["dial", number] => K::Dial { number: (*number).to_owned(), account: None },
        ["dial", number, "account", account] => {
            K::Dial { number: (*number).to_owned(), account: Some(small(account, "dial")?) }
        }
        ["answer"] => K::Answer(None),
        ["answer", call] => K::Answer(Some(call_number(call, "answer")?)),
        ["hangup"] => K::HangUp(Which::Current),
        ["hangup", "all"] => K::HangUp(Which::All),
        ["hangup", call] => K::HangUp(Which::Call(call_number(call, "hangup")?)),
        ["reject", rest @ ..] if rest.len() <= 2 => reject(rest)?,
        ["hold"] => K::Hold,
        ["mute", "on"] => K::Mute(true),
        ["mute", "off"] => K::Mute(false),
        ["resume"] => K::Resume(None),
        ["resume", call] => K::Resume(Some(call_number(call, "resume")?)),
        ["dtmf", digits] => K::Dtmf(dtmf(digits)?),
        ["transfer", number] => K::Transfer((*number).to_owned()),
        ["consult", number] => K::Consult((*number).to_owned()),
        ["complete"] => K::Complete,
        ["conference"] => K::Conference,
        ["split"] => K::Split,
        ["dnd", "on"] => K::Dnd(true),
        ["dnd", "off"] => K::Dnd(false),
        ["forward", when, to] => forward(when, to)?,
        ["key", key] => K::Key(small(key, "key")?),
        ["pickup", number] => K::Pickup((*number).to_owned()),
        ["redial"] => K::Redial,
        ["resync"] => K::Resync,
        ["reboot"] => K::Reboot,
        ["upgrade", url] => K::Upgrade((*url).to_owned()),
        ["factory-reset"] => K::FactoryReset,
        ["export"] => K::Export(None),
        ["export", file] => K::Export(Some(cfg_file(file, "export")?)),
        ["import", file] => K::ImportFile(cfg_file(file, "import")?),
        ["set", rest @ ..] if !rest.is_empty() && rest.len() % 2 == 0 => assignments(rest)?,
        ["get", key] => K::Get((*key).to_owned()),
        ["bundle", file] => bundle(file, "registration")?,
        ["bundle", file, topic] => bundle(file, topic)?,
        ["status"] => K::Status,
        ["wait", event] => wait(event, "30")?,
        ["wait", event, seconds] => wait(event, seconds)?,
        ["history"] => K::History,
        ["directory"] => K::Directory,
        ["quit"] => K::Quit,
        [name, ..] if COMMANDS.iter().any(|(usage, _)| name_of(usage) == *name) => return Err(usage(name)),
        [name, ..] => return Err(unknown(name)),
    })
}

fn unknown(name: &str) -> Bad {
    let message = if name.is_empty() {
        "an empty line; say a command, for example `status`".to_owned()
    } else {
        format!("`{name}` is no command")
    };
    Bad { message, possible: COMMANDS.iter().map(|(usage, _)| (*usage).to_owned()).collect() }
}

fn usage(name: &str) -> Bad {
    let usages = COMMANDS.iter().map(|(usage, _)| *usage).filter(|usage| name_of(usage) == name);
    let possible: Vec<String> = usages.map(str::to_owned).collect();
    Bad { message: format!("usage: {}", possible.join(" or ")), possible }
}

fn call_number(text: &str, command: &str) -> Result<CallNumber, Bad> {
    text.parse().map_err(|_| usage(command))
}

fn small(text: &str, command: &str) -> Result<u8, Bad> {
    text.parse().ok().filter(|&number| number > 0).ok_or_else(|| usage(command))
}

fn reject(words: &[&str]) -> Result<CommandKind, Bad> {
    let number = |text: &&str| text.parse::<u32>().map_err(|_| usage("reject"));
    let numbers = words.iter().map(number).collect::<Result<Vec<_>, _>>()?;
    let status = |number: u32| {
        let sound = (400..700).contains(&number);
        sound.then_some(number as u16).ok_or_else(|| Bad {
            message: format!("{number} is no status to reject with; take one from 400 to 699"),
            possible: ["486", "480", "603", "404"].map(|status| format!("reject {status}")).to_vec(),
        })
    };
    Ok(match *numbers {
        [] => CommandKind::Reject { call: None, status: None },
        // A single number from 400 on is a status: a phone has no such many calls.
        [number] if number >= 400 => CommandKind::Reject { call: None, status: Some(status(number)?) },
        [call] => CommandKind::Reject { call: Some(call), status: None },
        [call, number, ..] => CommandKind::Reject { call: Some(call), status: Some(status(number)?) },
    })
}

fn wait(event: &str, seconds: &str) -> Result<CommandKind, Bad> {
    if !EVENTS.contains(&event) {
        let possible = EVENTS.map(|event| format!("wait {event}")).to_vec();
        return Err(Bad { message: format!("`{event}` is no event that can be waited for"), possible });
    }
    let seconds = seconds.parse().ok().filter(|seconds| (1..=LONGEST_WAIT_S).contains(seconds));
    let seconds = seconds.ok_or_else(|| Bad {
        message: format!("seconds are a number from 1 to {LONGEST_WAIT_S}"),
        possible: vec![format!("wait {event} 30")],
    })?;
    Ok(CommandKind::Wait { event: event.to_owned(), seconds })
}

fn dtmf(digits: &str) -> Result<String, Bad> {
    pressed(digits).ok_or_else(|| Bad {
        message: "digits are 0 to 9, *, # and A to D".to_owned(),
        possible: vec!["dtmf DIGITS".to_owned()],
    })
}

/// Digits that a phone can send, in their one spelling.
pub(super) fn pressed(digits: &str) -> Option<String> {
    let digits = digits.to_ascii_uppercase();
    let sound = |c: char| c.is_ascii_digit() || matches!(c, '*' | '#' | 'A'..='D');
    (!digits.is_empty() && digits.chars().all(sound)).then_some(digits)
}

fn forward(when: &str, to: &str) -> Result<CommandKind, Bad> {
    let when = match when {
        "always" => ForwardWhen::Always,
        "busy" => ForwardWhen::Busy,
        "no-answer" => ForwardWhen::NoAnswer,
        _ => return Err(usage("forward")),
    };
    Ok(CommandKind::Forward { when, to: (to != "off").then(|| to.to_owned()) })
}

fn cfg_file(file: &str, command: &str) -> Result<String, Bad> {
    if !file.to_ascii_lowercase().ends_with(".cfg") {
        let message = format!("{file} does not end with .cfg");
        return Err(Bad { message, possible: vec![format!("{command} {file}.cfg")] });
    }
    Ok(file.to_owned())
}

fn bundle(file: &str, topic: &str) -> Result<CommandKind, Bad> {
    let topic = Topic::named(topic).ok_or_else(|| usage("bundle"))?;
    if !file.to_ascii_lowercase().ends_with(".zip") {
        let message = format!("{file} does not end with .zip");
        return Err(Bad { message, possible: vec![format!("bundle {file}.zip")] });
    }
    Ok(CommandKind::Bundle { file: file.to_owned(), topic })
}

fn assignments(words: &[&str]) -> Result<CommandKind, Bad> {
    if words.len() / 2 > MAX_ASSIGNMENTS {
        let message = format!("more than {MAX_ASSIGNMENTS} parameters at once; set them in parts");
        return Err(Bad { message, possible: Vec::new() });
    }
    let pairs = words.chunks_exact(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned()));
    Ok(CommandKind::Set(pairs.collect()))
}

/// Words apart by blanks; double quotes keep blanks and the empty word, `\` keeps the next sign.
fn words(text: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    let mut signs = text.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' if quoted => match signs.next() {
                Some(next) => word.get_or_insert_default().push(next),
                None => return Err("a quoted word does not end".to_owned()),
            },
            _ if sign.is_whitespace() && !quoted => words.extend(word.take()),
            _ => word.get_or_insert_default().push(sign),
        }
    }
    if quoted {
        return Err("a quoted word does not end".to_owned());
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use CommandKind as K;

    #[track_caller]
    fn check(line: &str, what: CommandKind) {
        assert_eq!(Command::parse(line).map(|command| command.what), Ok(what), "{line}");
    }

    #[track_caller]
    fn check_error(line: &str, message: &str) {
        let error = Command::parse(line).expect_err(line);
        assert!(error.message.contains(message), "{line}: {}", error.message);
    }

    #[test]
    fn commands_are_read() {
        check("dial 7002", K::Dial { number: "7002".into(), account: None });
        check("@x1  dial *047007 account 2", K::Dial { number: "*047007".into(), account: Some(2) });
        check("hangup all", K::HangUp(Which::All));
        check("reject 480", K::Reject { call: None, status: Some(480) });
        check("reject 3 603", K::Reject { call: Some(3), status: Some(603) });
        check("reject 3", K::Reject { call: Some(3), status: None });
        check("dtmf 12a#", K::Dtmf("12A#".into()));
        check("forward no-answer off", K::Forward { when: ForwardWhen::NoAnswer, to: None });
        check(
            "set account.1.label \"Front \\\"desk\\\"\" a.b \"\"",
            K::Set(vec![("account.1.label".into(), "Front \"desk\"".into()), ("a.b".into(), String::new())]),
        );
        check("export", K::Export(None));
        check("export a.cfg", K::Export(Some("a.cfg".into())));
        check("import \"my phone.CFG\"", K::ImportFile("my phone.CFG".into()));
        check("bundle a.zip", K::Bundle { file: "a.zip".into(), topic: Topic::Registration });
        check("bundle \"my case.ZIP\" blf", K::Bundle { file: "my case.ZIP".into(), topic: Topic::Blf });
        assert_eq!(Command::parse("@7 status").map(|command| command.id), Ok(Some("7".into())));
    }

    #[test]
    fn a_bad_line_says_what_could_stand_there() {
        check_error("", "empty line");
        check_error("dail 7002", "`dail` is no command");
        check_error("dial", "usage: dial NUMBER");
        check_error("dial 1 account 0", "usage: dial");
        check_error("dtmf 12x", "digits are");
        check_error("reject 1 200", "200 is no status");
        check_error("set a", "usage: set");
        check_error("import a.zip", "does not end with .cfg");
        check_error("import", "usage: import FILE.cfg");
        check_error("bundle a.tar", "does not end with .zip");
        check_error("bundle a.zip weather", "usage: bundle");
        check_error("set a \"b", "does not end");
        check_error(&"x".repeat(MAX_LINE_BYTES + 1), "4096 bytes");
        let error = Command::parse("@9 dnd maybe").expect_err("no such state");
        assert_eq!((error.id.as_deref(), &*error.possible[0]), (Some("9"), "dnd on|off"));
        let wrong = Command::read("@9 dnd maybe");
        assert_eq!(wrong.id.as_deref(), Some("9"));
        let long = format!("@7 set a {}", "x".repeat(MAX_LINE_BYTES));
        assert_eq!(Command::parse(&long).expect_err("too long").id.as_deref(), Some("7"));
        assert_eq!(Command::parse("@8 reject 1 700").expect_err("no status").id.as_deref(), Some("8"));
        assert!(matches!(wrong.what, K::Wrong { message, .. } if message == "usage: dnd on|off"));
    }

    #[test]
    fn every_command_of_the_manual_is_one() {
        for (usage, does) in COMMANDS {
            let error = kind(&[name_of(usage), "", "", "", "", ""]).err().map(|bad| bad.message);
            let told = error.filter(|it| it.starts_with("usage: ") && it.contains(usage));
            assert!(told.is_some(), "{usage}");
            assert!(!does.is_empty());
        }
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_read_or_refused(line in ".{0,200}") {
            let _ = Command::parse(&line);
        }
    }
}
