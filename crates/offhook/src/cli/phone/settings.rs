//! A phone's settings before it starts: what was made at the phone, the file, the command line.

use std::fs;
use std::path::Path;

use roles::settings::{AccountSettings, Key, PhoneSettings, Settings, Source, parse_account, parse_cfg};

use proto::url::Url;

use super::Arguments;
use crate::cli::{Failure, config, memory, secrets};
use crate::store::Store;

/// Lays what the phone remembers, its file and its command line over each other.
///
/// # Errors
/// A file that cannot be read, or an account that cannot be.
pub(super) fn gather(arguments: &Arguments, store: &mut dyn Store) -> Result<Settings, Failure> {
    let mut settings = Settings::new(arguments.model);
    memory::recall(&mut settings, store, arguments.config.is_some())?;
    if let Some(path) = &arguments.config {
        let dropped = apply_file(&mut settings, path)?;
        store.commit(memory::file_rows(&settings, &dropped));
    }
    let secrets = arguments.secret_file.as_deref().map(secrets::read_file).transpose()?.unwrap_or_default();
    for argument in &arguments.accounts {
        add_account(&mut settings, &with_secret(argument, &secrets)?)?;
    }
    if let Some(url) = &arguments.profile {
        let set = settings.set("auto_provision.server.url", url, Source::CommandLine);
        set.map_err(|fault| Failure::usage(format!("--profile: {fault}")))?;
    }
    for account in AccountSettings::read_all(&settings) {
        if account.can_register() {
            secrets::warn_if_short(&format!("account {}", account.number), account.password.expose());
        }
    }
    Ok(settings)
}

/// Tells every fault of the file with its line; what is right in it is taken. Returns the parameters of
/// which the file took the place of what had been set at the phone.
fn apply_file(settings: &mut Settings, path: &Path) -> Result<Vec<Key>, Failure> {
    let bytes = fs::read(path)
        .map_err(|error| Failure::Failed(format!("--config: {} cannot be read: {error}", path.display())))?;
    let text = String::from_utf8_lossy(&bytes);
    let (assignments, mut faults) = parse_cfg(&text, Source::MacCfg);
    let applied = settings.replace(Source::MacCfg, &assignments);
    faults.extend(applied.faults);
    config::tell(path, &mut faults);
    Ok(applied.dropped)
}

/// The argument with its secret: from the file of secrets where it has none, from a file of its own where
/// it says `@FILE`.
fn with_secret(argument: &str, secrets: &[(String, String)]) -> Result<String, Failure> {
    let (number, rest) = argument.split_once(['@', ':']).unwrap_or((argument, ""));
    if argument[number.len()..].starts_with('@') {
        let secret = secrets.iter().find(|(of, _)| of == number).map(|(_, secret)| secret);
        let secret = secret.ok_or_else(|| {
            Failure::usage(format!(
                "--account: there is no secret for {number}; write NUMBER:SECRET@HOST, or give a --secret-file \
                 with the line {number}:SECRET"
            ))
        })?;
        return Ok(format!("{number}:{secret}@{rest}"));
    }
    let options = ["transport=", "auth=", "name="].iter().filter_map(|name| rest.find(&format!(";{name}")));
    let (place, options) = rest.split_at(options.min().unwrap_or(rest.len()));
    match place.rsplit_once('@') {
        Some((secret, host)) if secret.starts_with('@') => {
            Ok(format!("{number}:{}@{host}{options}", secrets::expose("--account", secret)?))
        }
        _ => Ok(argument.to_owned()),
    }
}

/// Makes the argument the first account that nobody has set yet.
fn add_account(settings: &mut Settings, argument: &str) -> Result<(), Failure> {
    let model = settings.model();
    let free = (1..=model.accounts).find(|number| AccountSettings::read(settings, *number).user.is_empty());
    let number = free.ok_or_else(|| {
        Failure::usage(format!(
            "--account: the {} has {} accounts; take another --model",
            model.name, model.accounts
        ))
    })?;
    let assignments = parse_account(argument, number).map_err(Failure::Usage)?;
    settings.apply(&assignments);
    Ok(())
}

/// The servers to which a phone talks: those of its accounts, in their order, then those of its settings.
pub(super) fn servers(settings: &Settings) -> Vec<(String, u16)> {
    let accounts = AccountSettings::read_all(settings).into_iter().filter(AccountSettings::can_register);
    let first = accounts.map(|account| {
        let [outbound, _] = account.outbound;
        let [main, _] = account.servers;
        if outbound.is_set() { outbound } else { main.server }
    });
    let rule = place_of(&PhoneSettings::read(settings).provision.rule);
    first.map(|server| (server.host, server.port)).chain(rule).collect()
}

/// Host and port of an address, or of a bare host as DHCP option 66 may name it.
pub(super) fn place_of(text: &str) -> Option<(String, u16)> {
    let bare = format!("tftp://{text}");
    let url = Url::parse(if text.contains("://") { text } else { &bare }).ok()?;
    Some((url.host.clone(), url.port()))
}

/// `--profile URL`; macros stay as they are.
pub(super) fn parse_profile(text: &str) -> Result<String, String> {
    Url::parse(text)
        .map(|_| text.to_owned())
        .map_err(|flaw| format!("{flaw}; write it as in tftp://192.168.50.165/ or https://host/folder/"))
}

/// The ports of their own at which accounts want to be spoken to.
pub(super) fn signal_ports(settings: &Settings) -> Vec<u16> {
    let accounts = AccountSettings::read_all(settings).into_iter().filter(AccountSettings::can_register);
    let mut ports: Vec<u16> = accounts.filter_map(|account| account.advanced.signal_port).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_accounts_come_from_files() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        fs::write(&file, "s3cret\n").unwrap();
        let of_file = [("7001".to_owned(), "of@the:file".to_owned())];
        let check = |argument: &str, expected: &str| {
            assert_eq!(with_secret(argument, &of_file).unwrap(), expected, "{argument}");
        };
        check("7001@pbx:5070;transport=tcp", "7001:of@the:file@pbx:5070;transport=tcp");
        check("7001:own@pbx", "7001:own@pbx");
        let at = format!("7002:@{}@pbx;name=a@b", file.display());
        check(&at, "7002:s3cret@pbx;name=a@b");
        check("7003:swordfish", "7003:swordfish");
        let told = with_secret("7009@pbx", &of_file).unwrap_err().to_string();
        assert!(told.contains("7009:SECRET") && !told.contains("of@the"), "{told}");
    }

    #[test]
    fn accounts_fill_the_phone_one_after_the_other() {
        let mut settings = Settings::new(crate::cli::hardware::parse_model("fip10").unwrap());
        for number in ["7001", "7002"] {
            add_account(&mut settings, &format!("{number}:secret@pbx:5070")).unwrap();
        }
        assert_eq!(servers(&settings), [("pbx".to_owned(), 5070), ("pbx".to_owned(), 5070)]);
        let fault = add_account(&mut settings, "7003:secret@pbx").unwrap_err();
        assert!(fault.to_string().contains("FIP10 has 2 accounts"), "{fault}");
    }
}
