//! What each code means: one explanation a code, or one for a family of answers.

/// What a code means.
#[derive(Clone, Copy, Debug)]
pub struct Explanation {
    /// The code; `NNN` stands for a status.
    pub code: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// What is seen, and how grave it is where that differs.
    pub seen: &'static str,
    /// Why it hurts.
    pub hurts: &'static str,
    /// How it looks.
    pub example: &'static str,
    /// What to do, the deck's advice first.
    pub remedy: &'static [&'static str],
    /// The standard, or the page of the deck.
    pub reference: &'static str,
}

impl Explanation {
    /// Whether it explains that code.
    pub fn explains(&self, code: &str) -> bool {
        match self.code.split_once("NNN") {
            None => self.code == code,
            Some((before, after)) => {
                let middle = code.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
                middle.is_some_and(|middle| {
                    middle.len() == 3 && middle.bytes().all(|byte| byte.is_ascii_digit())
                })
            }
        }
    }

    /// As `doctor --explain` prints it.
    pub fn text(&self) -> String {
        let remedy: String =
            self.remedy.iter().zip(1..).map(|(step, number)| format!("{number}. {step}\n")).collect();
        format!(
            "{}: {}\n\nWhat is seen\n{}\n\nWhy it hurts\n{}\n\nExample\n{}\n\nRemedy\n{remedy}\nReference\n{}\n",
            self.code, self.title, self.seen, self.hurts, self.example, self.reference
        )
    }

    /// As a section of `docs/doctor.md`.
    pub fn markdown(&self) -> String {
        let remedy: String =
            self.remedy.iter().zip(1..).map(|(step, number)| format!("{number}. {step}\n")).collect();
        format!(
            "### `{}`\n\n{}.\n\n**What is seen.** {}\n\n**Why it hurts.** {}\n\n**Example.** {}\n\n**Remedy.**\n\n{remedy}\n**Reference.** {}\n",
            self.code, self.title, self.seen, self.hurts, self.example, self.reference
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_explains_each_status() {
        let family = Explanation {
            code: "transfer.failed-NNN",
            title: "",
            seen: "",
            hurts: "",
            example: "",
            remedy: &[],
            reference: "",
        };
        assert!(family.explains("transfer.failed-404"));
        assert!(!family.explains("transfer.failed-4044") && !family.explains("transfer.failed-NNN"));
    }
}
