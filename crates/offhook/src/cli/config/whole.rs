//! The whole configuration of a phone that does not run: out of its data folder and into it.

use std::path::Path;

use roles::phone::Change;
use roles::settings::{Imported, Model, Secrets, Settings, Severity, Source, parse_cfg};

use super::{print, tell, text_of};
use crate::cli::Failure;
use crate::cli::memory;
use crate::store::{self, Progress, Store};

/// Prints what the phone keeps.
pub(super) fn export(dir: &Path, model: &'static Model) -> Result<(), Failure> {
    let (_, settings) = open(dir, model)?;
    print(&settings.to_cfg(Secrets::Written))
}

/// Puts the file's values among those that were set at the phone.
pub(super) fn import(file: &Path, dir: &Path, model: &'static Model) -> Result<(), Failure> {
    let text = text_of(file).map_err(Failure::Failed)?;
    let (mut store, mut settings) = open(dir, model)?;
    let (assignments, mut faults) = parse_cfg(&text, Source::Api);
    let Imported { set, faults: refused } = settings.import(&assignments);
    faults.extend(refused);
    tell(file, &mut faults);
    let count = set.len();
    let changes = set.into_iter().map(|(key, value)| Change::Setting { key, value, source: Source::Api });
    let mut rows = memory::Rows::default();
    let progress = store.progress();
    let turn = store.commit(changes.filter_map(|change| rows.row(change)).collect());
    // It writes everything before it ends.
    drop(store);
    let Progress { committed, trouble } = progress.borrow().clone();
    if committed < turn {
        let why = trouble.as_deref().unwrap_or("it ended").to_owned();
        return Err(Failure::Failed(format!(
            "nothing was imported: {} cannot be written: {why}",
            dir.display()
        )));
    }
    print(&format!("{count} parameters are new\n"))?;
    match faults.iter().filter(|fault| fault.severity == Severity::Error).count() {
        0 => Ok(()),
        lost => Err(Failure::Failed(format!("{lost} lines are not taken"))),
    }
}

fn open(dir: &Path, model: &'static Model) -> Result<(Box<dyn Store>, Settings), Failure> {
    if !dir.is_dir() {
        return Err(Failure::Failed(format!(
            "--dir: {} is no folder; give the --dir of the phone",
            dir.display()
        )));
    }
    let store = store::open(Some(dir))?;
    let mut settings = Settings::new(model);
    memory::recall(&mut settings, &*store, true)?;
    Ok((store, settings))
}
