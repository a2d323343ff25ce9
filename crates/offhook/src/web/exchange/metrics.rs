//! `GET /metrics`: figures in the text format of Prometheus (exposition format 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::extract::State;
use axum::response::Response;
use roles::exchange::{Answer, Figures, What};

use super::Shared;
use super::desk::unexpected;
use crate::web::json::text;
use crate::web::problem::Problem;

/// The exchange's figures.
///
/// # Errors
/// The exchange does not answer.
pub(super) async fn get(State(shared): State<Shared>) -> Result<Response, Problem> {
    match shared.desk.list(What::Figures).await? {
        Answer::Figures(figures) => {
            Ok(text("text/plain; version=0.0.4; charset=utf-8", written(&figures, &shared.desk.counts())))
        }
        _ => Err(unexpected()),
    }
}

fn written(figures: &Figures, counts: &BTreeMap<String, u64>) -> String {
    let gauges = [
        ("extensions", "Extensions of the directory.", figures.extensions),
        ("devices", "Devices that are registered.", figures.devices),
        ("devices_reachable", "Registered devices that answer.", figures.reachable),
        ("calls", "Calls under way.", figures.calls),
        ("calls_answered", "Calls under way in which both sides talk.", figures.answered),
        ("calls_parked", "Calls that are parked.", figures.parked),
        ("legs", "Legs of all calls.", figures.legs),
        ("subscriptions", "Lamps that are watched.", figures.subscriptions),
        ("records", "Records of calls that are over.", figures.records),
        ("client_transactions", "Transactions of own requests.", figures.client_transactions),
        ("server_transactions", "Transactions of requests of others.", figures.server_transactions),
        ("bans", "Sources of which nothing is read.", figures.bans),
    ];
    let mut page = String::new();
    for (name, help, value) in gauges {
        gauge(&mut page, name, help, value);
    }
    let shed = figures.shed;
    // Writing to a String cannot fail.
    let _ = write!(
        page,
        "# HELP offhook_shed_total Requests that were too many and were answered by 503.\n\
         # TYPE offhook_shed_total counter\noffhook_shed_total {shed}\n"
    );
    page.push_str("# HELP offhook_events_total Events told since the start, by kind.\n");
    page.push_str("# TYPE offhook_events_total counter\n");
    for (event, count) in counts {
        // Writing to a String cannot fail. Names of events need no escape.
        let _ = writeln!(page, "offhook_events_total{{event=\"{event}\"}} {count}");
    }
    page
}

fn gauge(page: &mut String, name: &str, help: &str, value: usize) {
    // Writing to a String cannot fail.
    let _ =
        write!(page, "# HELP offhook_{name} {help}\n# TYPE offhook_{name} gauge\noffhook_{name} {value}\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_has_help_type_and_value() {
        let figures = Figures { calls: 3, ..Figures::default() };
        let page = written(&figures, &BTreeMap::from([("registered".to_owned(), 2)]));
        assert!(page.contains("# TYPE offhook_calls gauge\noffhook_calls 3\n"), "{page}");
        assert!(page.ends_with("offhook_events_total{event=\"registered\"} 2\n"), "{page}");
        let named = |begin: &str| page.lines().filter(|line| line.starts_with(begin)).count();
        assert_eq!((named("# HELP "), named("# TYPE "), named("offhook_")), (14, 14, 14));
    }
}
