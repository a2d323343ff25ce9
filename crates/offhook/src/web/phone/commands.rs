//! `POST /api/commands`: lines as `--stdio` takes them, answered as it answers.

use axum::extract::State;
use axum::response::Response;

use super::Shared;
use crate::web::json::{Text, lines};
use crate::web::problem::Problem;

/// The most commands of one request.
const MOST_LINES: usize = 256;

/// Does what the lines say, one after the other, and answers each with lines of JSON.
///
/// # Errors
/// Nothing to do, too much of it, or a phone that does not answer.
pub(super) async fn post(State(shared): State<Shared>, Text(text): Text) -> Result<Response, Problem> {
    let commands: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    if commands.is_empty() {
        return Err(Problem::bad_request(
            "the body holds no command; write one on each line, as in `dial 7007`",
        ));
    }
    if commands.len() > MOST_LINES {
        return Err(Problem::bad_request(format!("one request takes {MOST_LINES} commands at most")));
    }
    let mut answers = Vec::new();
    for command in commands {
        answers.extend(shared.desk.ask_line(command).await?.iter().map(|event| event.to_json()));
    }
    Ok(lines(answers))
}
