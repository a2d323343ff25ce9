#![allow(clippy::disallowed_methods, reason = "a test reads and writes the files beside it")]
//! The picture in README is the ladder of a case, drawn: what it shows is what the case plays.

use std::fmt::Write as _;
use std::path::Path;

const LADDER: &str = include_str!("../../../roles/src/lab/cases/ladders/basic-call.txt");
/// The picture begins where a person dials.
const BEGINS_AT: &str = "dial 7002";
const LINES: [(&str, usize); 3] = [("7001", 130), ("exchange", 450), ("7002", 770)];
const FIRST_Y: usize = 70;
const STEP_Y: usize = 26;

/// Set `UPDATE_PICTURE` to draw it anew.
#[test]
fn the_picture_in_the_readme_is_the_ladder_of_the_case() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join("docs/basic-call.svg");
    let drawn = drawn(LADDER);
    if std::env::var_os("UPDATE_PICTURE").is_some() {
        std::fs::write(&path, &drawn).expect("docs can be written");
    }
    let kept = std::fs::read_to_string(&path).expect("docs/basic-call.svg");
    assert_eq!(kept, drawn, "run the test with UPDATE_PICTURE=1");
    let readme = std::fs::read_to_string(root.join("README.md")).expect("README.md");
    assert!(readme.contains("](docs/basic-call.svg)"), "README shows the picture");
}

/// A ladder as SVG.
fn drawn(ladder: &str) -> String {
    let rows: Vec<&str> = ladder.lines().skip_while(|row| !row.ends_with(BEGINS_AT)).collect();
    let bottom = FIRST_Y + rows.len() * STEP_Y;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 900 {}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <title>A basic call between two phones and the exchange</title>\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
         orient=\"auto\"><path d=\"M0 0 8 4 0 8z\" fill=\"#1c5d99\"/></marker></defs>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
        bottom + 20
    );
    for (name, x) in LINES {
        let _ = writeln!(
            svg,
            "<line x1=\"{x}\" y1=\"40\" x2=\"{x}\" y2=\"{bottom}\" stroke=\"#999\"/>\
             <text x=\"{x}\" y=\"28\" text-anchor=\"middle\" font-weight=\"bold\">{name}</text>"
        );
    }
    for (row, at) in rows.iter().zip(0..) {
        draw_row(&mut svg, row, FIRST_Y + at * STEP_Y);
    }
    svg + "</svg>\n"
}

/// A row is `time  from → to  message`, or `time  who ·  what that person does`.
fn draw_row(svg: &mut String, row: &str, y: usize) {
    let words: Vec<&str> = row.split_whitespace().collect();
    let at = |name: &str| LINES.iter().find(|(other, _)| *other == name).expect("a machine").1;
    let _ = write!(svg, "<text x=\"8\" y=\"{}\" fill=\"#777\">{}</text>", y + 4, words[0]);
    let from = at(words[1]);
    if words[2] == "→" {
        let to = at(words[3]);
        let _ = writeln!(
            svg,
            "<line x1=\"{from}\" y1=\"{y}\" x2=\"{to}\" y2=\"{y}\" stroke=\"#1c5d99\" \
             marker-end=\"url(#tip)\"/><text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            from.midpoint(to),
            y - 5,
            escaped(&words[5..].join(" "))
        );
    } else {
        let _ = writeln!(
            svg,
            "<circle cx=\"{from}\" cy=\"{y}\" r=\"4\" fill=\"#b3541e\"/>\
             <text x=\"{}\" y=\"{}\" fill=\"#b3541e\">{}</text>",
            from + 10,
            y + 4,
            escaped(&words[3..].join(" "))
        );
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
