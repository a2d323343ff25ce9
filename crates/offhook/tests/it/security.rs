//! `docs/security.md` held against the code: each class of attacks has tests, and they exist.

use crate::conformance::{named, root, rows, tests};

#[test]
fn every_class_of_attacks_has_tests_that_exist() {
    let text = std::fs::read_to_string(root().join("docs/security.md")).expect("the table");
    let (classes, tests) = (rows(&text, "class"), tests());
    assert!(classes.len() >= 11, "{} classes", classes.len());
    for row in &classes {
        let [class, _, proof] = &row[..] else { panic!("a row of another width: {row:?}") };
        let proof = named(proof);
        assert!(!proof.is_empty(), "{class}: no test");
        let missing: Vec<_> = proof.iter().filter(|name| !tests.contains(*name)).collect();
        assert!(missing.is_empty(), "{class}: no test is called {missing:?}");
    }
}
