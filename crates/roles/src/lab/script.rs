//! The language of the lab's cases, and how a case is played on any stage.
//!
//! A case says who takes part, what they do in the words of `--stdio`, which events must come, what must
//! be heard and which of the deck's ladders must be seen. The simulated wire is one stage, real sockets
//! are another; both are told the same steps.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use proto::Time;
use serde_json::{Value, json};

use super::host::Machine;
use super::subnet::Subnet;
use super::wire::Passed;
use crate::exchange::{Block, Config, Extension};
use crate::settings::{Model, Settings, Source};
use crate::trace::{self, Act, End, Kind, Row, Sight};

/// The exchange of every case: its name and address.
pub const EXCHANGE: &str = "exchange";
/// Where the exchange of every case is.
pub const EXCHANGE_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 50, 19));
/// The switch of cases in which phones own their network sockets.
pub const SWITCH: &str = "switch";
/// Where that switch is.
pub const SWITCH_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 50, 1));
/// A DHCP server; with it or a switch in a case, phones own their network sockets.
pub const DHCP: &str = "dhcp";
/// Where that server is.
pub const DHCP_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 50, 92));
/// A second exchange with the same extensions: switched off in most cases.
pub const BACKUP: &str = "backup";
/// Where the second exchange of every case is.
pub const BACKUP_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 50, 20));
/// A server of configuration files, in the cases that have one.
pub const FILE_SERVER: &str = "files";
/// Where that server is.
pub const FILE_SERVER_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 50, 80));
/// Where a second server of files or a redirection service is.
pub const OTHER_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 50, 81));
/// How many steps of time an event may take that has no limit of its own, in milliseconds.
pub const PATIENCE_MS: u64 = 5_000;

/// The phones of a call.
pub const TWO: &[Desk] = &[Desk::plain("7001", 600), Desk::plain("7002", 800)];
/// The phones of a call and somebody else's.
pub const THREE: &[Desk] = &[Desk::plain("7001", 600), Desk::plain("7002", 800), Desk::plain("7007", 1000)];
/// Settings of a phone whose second key watches 7002.
pub const WATCHES_7002: &[(&str, &str)] =
    &[("linekey.2.type", "16"), ("linekey.2.line", "1"), ("linekey.2.value", "7002")];

/// One scenario of the lab.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Under which heading it is listed.
    pub topic: &'static str,
    /// Its name on the command line.
    pub slug: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// What the deck says about it.
    pub deck: &'static str,
    /// What is to be learnt from it.
    pub teaches: &'static str,
    /// Who has a phone.
    pub desks: &'static [Desk],
    /// Who else takes part.
    pub machines: &'static [Actor],
    /// What is special about the exchange.
    pub exchange: fn(&mut Config, &mut Vec<Extension>),
    /// What happens.
    pub steps: &'static [Step],
    /// Which ladders of the deck must have been seen between which phone and its server.
    pub ladders: &'static [(&'static str, &'static str)],
    /// What the doctor finds in the capture: code and subject of each finding above `info`; nothing where all is
    /// healthy.
    pub verdict: &'static [(&'static str, &'static str)],
    /// At which machine the capture is taken that the doctor judges.
    pub capture_at: &'static str,
    /// Every message from beginning to end, as it is printed; empty where the case is played for another
    /// reason than its messages.
    pub whole: &'static str,
}

/// Another machine of a case: a server, a switch, somebody else's phone.
#[derive(Clone, Copy)]
pub struct Actor {
    /// Its name in the steps.
    pub name: &'static str,
    /// Its address.
    pub ip: IpAddr,
    /// Makes it, by a seed of its own and the present moment.
    pub make: fn(IpAddr, [u8; 32], Time) -> Box<dyn Machine>,
}

impl std::fmt::Debug for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.name, self.ip)
    }
}

/// A phone of a case.
#[derive(Clone, Copy, Debug)]
pub struct Desk {
    /// Its extension and its name in the steps; what follows a letter tells phones of one extension apart.
    pub name: &'static str,
    /// What its person hums, in hertz.
    pub tone_hz: u16,
    /// Settings beyond account and server.
    pub settings: &'static [(&'static str, &'static str)],
}

/// One step of a case.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// A machine is switched on.
    On(&'static str),
    /// Phones are switched on, and each registers.
    Up(&'static [&'static str]),
    /// A machine is switched off without a word.
    Off(&'static str),
    /// A machine starts again at once with what it kept.
    Restart(&'static str),
    /// A machine starts again at once and has lost what it kept, but for its extensions.
    Forget(&'static str),
    /// A router that hides addresses stands between a machine and all others from now on.
    Hide(&'static str),
    /// A firewall lets no sound pass from the first machine to the second.
    DropSound(&'static str, &'static str),
    /// A person types a command.
    Say(&'static str, &'static str),
    /// A person types a command that cannot be done now.
    Refused(&'static str, &'static str),
    /// The exchange sends check-sync to the phones of an extension, and wants them to restart where that is
    /// true.
    CheckSync(&'static str, bool),
    /// An event must come, with these fields, within the milliseconds.
    Event(&'static str, &'static str, &'static [(&'static str, &'static str)], u64),
    /// The first dials the second, who answers once it rings; both are in the call.
    Call(&'static str, &'static str),
    /// The key of [`WATCHES_7002`] must show this meaning in the deck's colour and rhythm.
    Lamp(&'static str, &'static str),
    /// A line of somebody's log must contain this, within [`PATIENCE_MS`].
    Log(&'static str, &'static str),
    /// Milliseconds pass.
    Pass(u64),
    /// These tones, and no others, are heard in the next second.
    Hears(&'static str, &'static [u16]),
}

impl Case {
    /// The configuration and extensions of its exchange in this subnet.
    pub fn exchange(&self, subnet: Subnet) -> (Config, Vec<Extension>) {
        let mut config = Config::default();
        config.relay.address = subnet.ip(EXCHANGE_IP);
        let mut extensions: Vec<Extension> = Vec::new();
        for desk in self.desks {
            let number = desk.number();
            if extensions.iter().all(|extension| extension.number != number) {
                extensions.push(Extension::new(number, &config.realm, &password(number)));
            }
        }
        (self.exchange)(&mut config, &mut extensions);
        for block in &mut config.terms.blocks {
            if let Block::Network { network: blocked, .. } = block {
                *blocked = subnet.ip(*blocked);
            }
        }
        (config, extensions)
    }

    /// Whether its phones own their network sockets and find VLAN and address themselves.
    pub fn has_cable(&self) -> bool {
        self.machines.iter().any(|actor| [SWITCH, DHCP].contains(&actor.name))
    }

    /// The longest that one of its steps may take, in milliseconds: what a person would have to wait
    /// where time is real.
    pub fn longest_wait_ms(&self) -> u64 {
        let wait_ms = |step: &Step| match *step {
            Step::Event(_, _, _, within_ms) => within_ms,
            Step::Pass(ms) => ms,
            _ => 0,
        };
        self.steps.iter().map(wait_ms).max().unwrap_or(0)
    }
}

/// An exchange as it comes.
pub fn as_it_comes(_: &mut Config, _: &mut Vec<Extension>) {}

/// The password of an extension in the lab.
pub fn password(number: &str) -> String {
    format!("lab-password-of-{number}")
}

impl Desk {
    /// A phone that needs nothing beyond its account.
    pub const fn plain(name: &'static str, tone_hz: u16) -> Self {
        Self { name, tone_hz, settings: &[] }
    }

    /// A phone with settings of its own.
    pub const fn with(
        name: &'static str,
        tone_hz: u16,
        settings: &'static [(&'static str, &'static str)],
    ) -> Self {
        Self { name, tone_hz, settings }
    }

    /// Its extension.
    pub fn number(&self) -> &'static str {
        self.name.split(|c: char| !c.is_ascii_digit()).next().unwrap_or(self.name)
    }

    /// Its own address: `A.B` by the digits of its number behind the subnet, 100 higher for each letter.
    pub fn ip(&self, subnet: Subnet) -> IpAddr {
        let number: u32 = self.number().parse().unwrap_or(0);
        let letter = self.name.bytes().last().filter(u8::is_ascii_lowercase).map_or(0, |c| c - b'a' + 1);
        let [_, _, high, low] = (number / 100 * 256 + number % 100).to_be_bytes();
        subnet.ip(IpAddr::V4(Ipv4Addr::new(127, 0, high, low.wrapping_add(100 * letter))))
    }

    /// Its settings: the account, then what the case says.
    pub fn settings(&self, subnet: Subnet) -> Result<Settings, String> {
        let number = self.number();
        let account = [
            ("account.1.enable", "1".to_owned()),
            ("account.1.user_name", number.to_owned()),
            ("account.1.auth_name", number.to_owned()),
            ("account.1.display_name", number.to_owned()),
            ("account.1.password", password(number)),
            ("account.1.sip_server.1.address", subnet.ip(EXCHANGE_IP).to_string()),
        ];
        let mut settings = Settings::new(Model::usual());
        let special = self.settings.iter().map(|&(key, value)| (key, subnet.text(value).into_owned()));
        for (key, value) in account.into_iter().chain(special) {
            settings.set(key, &value, Source::MacCfg).map_err(|fault| fault.to_string())?;
        }
        Ok(settings)
    }
}

/// Where a case is played.
pub trait Stage {
    /// Switches a machine on or off.
    fn switch(&mut self, who: &str, on: bool);
    /// Switches a machine off and on again; it finds what it has kept.
    fn restart(&mut self, who: &str);
    /// The same, and what it kept is lost, but for its extensions. Whether this stage can do that.
    fn forget(&mut self, _who: &str) -> bool {
        false
    }
    /// Puts a NAT between a machine and all others. Whether this stage has one.
    fn hide(&mut self, _who: &str) -> bool {
        false
    }
    /// Stops the sound from one machine to another. Whether this stage can do that.
    fn drop_sound(&mut self, _from: &str, _to: &str) -> bool {
        false
    }
    /// Types a command at a phone.
    fn say(&mut self, who: &str, line: &str);
    /// The next event of anyone; lets time pass, but no longer than `within`.
    fn next_told(&mut self, within: Duration) -> Option<(String, Value)>;
    /// The tones that somebody hears from now on for `time`, in hertz, ascending.
    fn listen(&mut self, who: &str, time: Duration) -> Vec<u16>;
    /// Lets what is under way after the last step arrive.
    fn settle(&mut self);
    /// Whether the messages and their order are the same in every run. Where time is real, a busy machine
    /// repeats what an idle one does not.
    fn keeps_order(&self) -> bool;
    /// The stage's clock.
    fn now(&self) -> Time;
    /// All that has passed.
    fn passed(&self) -> &[Passed];
    /// Where its machines are; a text of the case means these addresses.
    fn subnet(&self) -> Subnet {
        Subnet::USUAL
    }
    /// Whether there is a machine of that name.
    fn knows(&self, who: &str) -> bool;
    /// Where a machine is.
    fn ip(&self, who: &str) -> IpAddr;
    /// Whose an address is.
    fn name(&self, ip: IpAddr) -> String;
}

/// What came of a case.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was not as the case says; empty where all was.
    pub faults: Vec<String>,
    /// All that passed and was done, but for the sound.
    pub ladder: Vec<Row>,
    /// Who told what.
    pub events: Vec<(String, Value)>,
}

impl Outcome {
    /// Whether all was as the case says.
    pub fn as_expected(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Plays a case to its end. After the first step that fails no other is played.
pub fn play(case: &Case, stage: &mut dyn Stage) -> Outcome {
    let strangers = unknown_names(case, stage);
    if !strangers.is_empty() {
        return Outcome { faults: strangers, ladder: Vec::new(), events: Vec::new() };
    }
    let start = stage.now();
    let mut play =
        Play { stage, acts: Vec::new(), events: Vec::new(), unread: Vec::new(), unread_log: Vec::new() };
    let failed = case.steps.iter().enumerate().find_map(|(at, step)| {
        let fault = play.step(step).err()?;
        Some(format!("step {}: {fault}", at + 1))
    });
    let Play { stage, acts, events, .. } = play;
    stage.settle();
    let ended = failed.is_none();
    let mut faults: Vec<String> = failed.into_iter().collect();
    let sights = trace::merged(stage.passed().iter().map(sight), &acts);
    for (who, name) in case.ladders {
        faults.extend(missing(&sights, stage.ip(who), who, name));
    }
    let ladder = trace::rows(sights, start, |end| name_of(stage, end));
    if ended && stage.keeps_order() && !case.whole.is_empty() {
        let whole = stage.subnet().text(case.whole);
        faults.extend(trace::first_difference(&whole, &trace::text(&ladder)));
    }
    Outcome { faults, ladder, events }
}

fn sight(passed: &Passed) -> Sight<'_> {
    let (from, to) = (passed.from.into(), passed.to.into());
    if let Some(destination) = passed.frame {
        let (kind, bytes) = Kind::of_frame(&passed.bytes);
        let to = if kind == Kind::Dhcp { to } else { End::Hardware(destination) };
        return Sight { at: passed.at, from, to, kind, place: None, bytes };
    }
    let kind = Kind::recognise(passed.transport, passed.from, passed.to, &passed.bytes);
    Sight { at: passed.at, from, to, kind, place: None, bytes: &passed.bytes }
}

fn name_of(stage: &dyn Stage, end: &End) -> String {
    end.ip().map_or_else(|| end.to_string(), |ip| stage.name(ip))
}

/// Names in the case that no machine has.
fn unknown_names(case: &Case, stage: &dyn Stage) -> Vec<String> {
    let steps = case.steps.iter().enumerate();
    let named = steps
        .flat_map(|(at, step)| step.names().into_iter().map(move |who| (format!("step {}", at + 1), who)));
    let ladders = case.ladders.iter().map(|(who, name)| (format!("ladder {name}"), *who));
    let capture = std::iter::once(("the capture".to_owned(), case.capture_at));
    let unknown = named.chain(ladders).chain(capture).filter(|(_, who)| !who.is_empty() && !stage.knows(who));
    unknown.map(|(place, who)| format!("{place}: no machine of the case is called `{who}`")).collect()
}

impl Step {
    /// The machines that it names.
    fn names(&self) -> Vec<&'static str> {
        match *self {
            Self::Up(phones) => phones.to_vec(),
            Self::DropSound(one, other) | Self::Call(one, other) => vec![one, other],
            Self::On(who) | Self::Off(who) | Self::Restart(who) | Self::Forget(who) | Self::Hide(who) => {
                vec![who]
            }
            Self::Say(who, _) | Self::Refused(who, _) | Self::Lamp(who, _) | Self::Log(who, _) => vec![who],
            Self::Event(who, ..) | Self::Hears(who, _) => vec![who],
            Self::Pass(_) => Vec::new(),
            Self::CheckSync(..) => vec![EXCHANGE],
        }
    }
}

/// What is wrong with one of the ladders that the case names.
fn missing(sights: &[Sight<'_>], phone: IpAddr, who: &str, name: &str) -> Option<String> {
    let Some(expected) = trace::deck().get(name) else {
        return Some(format!("the deck has no ladder `{name}`"));
    };
    let difference = trace::check(expected, sights.iter().copied(), phone).err()?;
    Some(format!("ladder {name} at {who}: {difference}"))
}

struct Play<'a> {
    stage: &'a mut dyn Stage,
    acts: Vec<Act>,
    events: Vec<(String, Value)>,
    unread: Vec<(String, Value)>,
    unread_log: Vec<(String, String)>,
}

impl Play<'_> {
    fn step(&mut self, step: &Step) -> Result<(), String> {
        match *step {
            Step::On(who) => self.stage.switch(who, true),
            Step::Off(who) => {
                self.act(who, "power cut");
                self.stage.switch(who, false);
            }
            Step::Restart(who) => {
                self.act(who, "restart");
                self.stage.restart(who);
            }
            Step::Forget(who) => {
                self.act(who, "restart, all but its extensions is lost");
                return needs_wire(self.stage.forget(who));
            }
            Step::Hide(who) => return needs_wire(self.stage.hide(who)),
            Step::DropSound(from, to) => return needs_wire(self.stage.drop_sound(from, to)),
            Step::Say(who, line) => return self.say(who, line),
            Step::CheckSync(number, reboot) => return self.check_sync(number, reboot),
            Step::Refused(who, line) => {
                return match self.say(who, line) {
                    Ok(()) => Err(format!("{who} does `{line}` although it should not")),
                    Err(_) => Ok(()),
                };
            }
            Step::Event(who, event, fields, within_ms) => {
                return self.expect(who, event, fields, within_ms);
            }
            Step::Up(phones) => return self.up(phones),
            Step::Call(caller, callee) => return self.call(caller, callee),
            Step::Lamp(who, meaning) => return self.lamp(who, meaning),
            Step::Log(who, text) => return self.log(who, text),
            Step::Pass(ms) => self.pass(ms),
            Step::Hears(who, tones) => return self.hears(who, tones),
        }
        Ok(())
    }

    /// Notes what somebody does, for the ladder.
    fn act(&mut self, who: &str, text: &str) {
        let (at, ip) = (self.stage.now(), self.stage.ip(who));
        let after = self.stage.keeps_order().then(|| self.stage.passed().len());
        self.acts.push(Act { at, ip, after, text: text.to_owned() });
    }

    fn say(&mut self, who: &str, line: &str) -> Result<(), String> {
        let line = &*self.stage.subnet().text(line);
        self.act(who, line);
        self.stage.say(who, line);
        let answered = |event: &Value| event["event"] == "done" || event["event"] == "error";
        match self.find(who, PATIENCE_MS, false, answered) {
            Ok(answer) if answer["event"] == "done" => Ok(()),
            Ok(error) => {
                Err(format!("{who} cannot `{line}`: {}", error["message"].as_str().unwrap_or_default()))
            }
            Err(_) => Err(format!("{who} does not answer `{line}`")),
        }
    }

    fn check_sync(&mut self, number: &str, reboot: bool) -> Result<(), String> {
        let what = json!({ "check_sync": { "number": number, "contact": null, "reboot": reboot } });
        self.stage.say(EXCHANGE, &json!({ "id": 1, "what": what }).to_string());
        self.expect(EXCHANGE, "check_synced", &[("number", number), ("status", "200")], PATIENCE_MS)
    }

    fn expect(&mut self, who: &str, event: &str, fields: &[(&str, &str)], ms: u64) -> Result<(), String> {
        let subnet = self.stage.subnet();
        let is_field =
            |told: &Value, field: &str, value: &str| text(field_of(told, field)) == subnet.text(value);
        let fits = |told: &Value| {
            told["event"] == event && fields.iter().all(|(field, value)| is_field(told, field, value))
        };
        self.find(who, ms, true, fits).map(|_| ()).map_err(|others| {
            format!("{who} did not tell `{event}` {fields:?} within {ms} ms; it told: {}", others.join(" "))
        })
    }

    fn up(&mut self, phones: &[&str]) -> Result<(), String> {
        phones.iter().for_each(|who| self.stage.switch(who, true));
        phones.iter().try_for_each(|who| self.expect(who, "registered", &[], PATIENCE_MS))
    }

    fn call(&mut self, caller: &str, callee: &str) -> Result<(), String> {
        self.say(caller, &format!("dial {callee}"))?;
        self.expect(callee, "incoming", &[("peer", caller)], PATIENCE_MS)?;
        self.expect(caller, "ringing", &[], PATIENCE_MS)?;
        self.say(callee, "answer")?;
        self.expect(caller, "answered", &[], PATIENCE_MS)?;
        self.expect(callee, "answered", &[], PATIENCE_MS)
    }

    fn lamp(&mut self, who: &str, meaning: &str) -> Result<(), String> {
        let (colour, rhythm) = match meaning {
            "idle" => ("green", "steady"),
            "ringing" => ("red", "flashing"),
            "busy" => ("red", "steady"),
            other => return Err(format!("the deck has no lamp for `{other}`")),
        };
        let fields = [("key", "2"), ("colour", colour), ("rhythm", rhythm), ("meaning", meaning)];
        self.expect(who, "lamp", &fields, PATIENCE_MS)
    }

    fn log(&mut self, who: &str, text: &str) -> Result<(), String> {
        let text = &*self.stage.subnet().text(text);
        let end = self.stage.now() + Duration::from_millis(PATIENCE_MS);
        loop {
            if let Some(at) =
                self.unread_log.iter().position(|(name, line)| name == who && line.contains(text))
            {
                self.unread_log.drain(..=at);
                return Ok(());
            }
            if !self.read(end) {
                return Err(format!("the log of {who} has no further line with `{text}`"));
            }
        }
    }

    /// The next event of `who` that fits; with `pass_over`, those before it do not count any more.
    fn find(
        &mut self,
        who: &str,
        ms: u64,
        pass_over: bool,
        fits: impl Fn(&Value) -> bool,
    ) -> Result<Value, Vec<String>> {
        let end = self.stage.now() + Duration::from_millis(ms);
        loop {
            if let Some(at) = self.unread.iter().position(|(name, told)| name == who && fits(told)) {
                let found = self.unread.remove(at).1;
                if pass_over {
                    let later = self.unread.split_off(at);
                    self.unread.retain(|(name, _)| name != who);
                    self.unread.extend(later);
                }
                return Ok(found);
            }
            if !self.read(end) {
                let others = self.unread.iter().filter(|(name, _)| name == who);
                return Err(others.map(|(_, told)| told.to_string()).collect());
            }
        }
    }

    /// Takes the next event; false where none comes up to `end`.
    fn read(&mut self, end: Time) -> bool {
        let within = end.since(self.stage.now());
        let told = self.stage.next_told(within);
        let came = told.is_some();
        match told {
            Some((who, told)) if told["event"] == "reboot" => {
                self.act(&who, &format!("restart: {}", text(&told["why"])));
                self.events.push((who.clone(), told.clone()));
                self.unread.push((who, told));
            }
            Some((who, told)) if told["event"] == "log" => {
                self.unread_log.push((who, text(&told["line"])));
            }
            Some(told) => {
                self.events.push(told.clone());
                self.unread.push(told);
            }
            None => {}
        }
        came
    }

    fn pass(&mut self, ms: u64) {
        let end = self.stage.now() + Duration::from_millis(ms);
        while self.read(end) {}
    }

    fn hears(&mut self, who: &str, tones: &[u16]) -> Result<(), String> {
        let heard = self.stage.listen(who, Duration::from_secs(1));
        if heard == tones { Ok(()) } else { Err(format!("{who} hears {heard:?} Hz instead of {tones:?} Hz")) }
    }
}

/// What only the simulated wire can do.
fn needs_wire(done: bool) -> Result<(), String> {
    let needed = || "this step needs the simulated wire: play the case without --real".to_owned();
    done.then_some(()).ok_or_else(needed)
}

/// A field of an event; a dot leads into an object (`rtp.rx_packets`).
fn field_of<'a>(told: &'a Value, field: &str) -> &'a Value {
    field.split('.').fold(told, |value, name| &value[name])
}

/// A field as text: words without quotes, `null`, numbers.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
