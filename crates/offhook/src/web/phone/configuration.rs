//! `GET` and `PUT /api/configuration`: the whole configuration as a file.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use roles::phone::{Command, CommandKind, EventKind};
use roles::settings::{Fault, Secret};
use serde::Serialize;

use super::Shared;
use crate::web::json::{Text, Told, text};
use crate::web::problem::Problem;

/// What came of a configuration.
#[derive(Debug, Serialize)]
pub(super) struct Imported {
    changed: usize,
    faults: Vec<Fault>,
    reboot: bool,
}

/// Everything that somebody set, without secrets.
///
/// # Errors
/// The phone does not answer.
pub(super) async fn get(State(shared): State<Shared>) -> Result<Response, Problem> {
    let answers = shared.desk.ask(command(CommandKind::Export(None))).await?;
    let file = answers.into_iter().find_map(|event| match event.what {
        EventKind::Configuration { text } => Some(text),
        _ => None,
    });
    let file = file.ok_or_else(|| Problem::busy("the phone says nothing of itself"))?;
    Ok(text("text/plain; charset=utf-8", file))
}

/// Takes a whole configuration; what is wrong in it is told by line, and what is right is taken.
///
/// # Errors
/// It is no configuration (409; 400 where it is empty), or the phone does not answer.
pub(super) async fn put(State(shared): State<Shared>, Text(text): Text) -> Result<Told<Imported>, Problem> {
    let answers = shared.desk.ask(command(CommandKind::Import(Secret::new(&text)))).await?;
    for event in answers {
        match event.what {
            EventKind::Imported { changed, faults, reboot } => {
                return Ok(Told(Imported { changed, faults, reboot }));
            }
            // Nothing at all makes no sense; any other text is well formed and cannot be taken.
            EventKind::Error { message, .. } => {
                let is_empty = text.trim().is_empty();
                let status = if is_empty { StatusCode::BAD_REQUEST } else { StatusCode::CONFLICT };
                return Err(Problem::new(status, message));
            }
            _ => {}
        }
    }
    Err(Problem::busy("the phone does not say what came of it"))
}

fn command(what: CommandKind) -> Command {
    Command { id: None, what }
}
