//! Colours for a person at a terminal; none in a pipe and none where `NO_COLOR` asks for that.

use std::io::IsTerminal;

/// Whether and how to colour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    in_colour: bool,
}

impl Paint {
    /// For text that goes to `stream`.
    pub(super) fn of(stream: &impl IsTerminal) -> Self {
        // https://no-color.org: any value but the empty one.
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self { in_colour: stream.is_terminal() && !unwanted && !dumb }
    }

    /// Good news.
    pub(super) fn green(self, text: &str) -> String {
        self.dyed("32", text)
    }

    /// Bad news.
    pub(super) fn red(self, text: &str) -> String {
        self.dyed("31", text)
    }

    /// What a line is about.
    pub(super) fn bold(self, text: &str) -> String {
        self.dyed("1", text)
    }

    fn dyed(self, code: &str, text: &str) -> String {
        if self.in_colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals() {
        let (plain, coloured) = (Paint { in_colour: false }, Paint { in_colour: true });
        assert_eq!(plain.red("no"), "no");
        assert_eq!(
            (coloured.red("no"), coloured.green("yes")),
            ("\u{1b}[31mno\u{1b}[0m".into(), "\u{1b}[32myes\u{1b}[0m".into())
        );
    }
}
