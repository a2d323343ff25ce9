//! Which module uses which, read from the `use` lines and the paths of the sources.

use std::collections::{BTreeMap, BTreeSet};

/// A module's name, the crate first: `roles`, `phone`, `calls`.
pub(super) type Name = Vec<String>;

/// The modules of our crates.
#[derive(Debug, Default)]
pub(super) struct Modules(BTreeMap<Name, Vec<Import>>);

/// One path that a module writes.
#[derive(Debug)]
struct Import {
    path: Name,
    /// What it is called here; none where the path stands in the code.
    alias: Option<String>,
}

/// Which children of one module use which of their brothers.
type Uses = BTreeMap<String, BTreeSet<String>>;

/// Re-exports that are followed from one name to its place.
const MOST_HOPS: usize = 6;

impl Modules {
    /// Reads the sources; each is a path below `crates`, as `roles/src/phone/desk.rs`, with its text. Tests are
    /// left out: they may use anything.
    pub(super) fn read<'a>(sources: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let named = |(path, text): (&'a str, &'a str)| Some((name_of(path)?, text));
        let sources: Vec<_> = sources.into_iter().filter_map(named).collect();
        let tests: Vec<Name> = sources.iter().flat_map(|(name, text)| tests_of(name, text)).collect();
        let is_test = |name: &Name| tests.iter().any(|test| name.starts_with(test));
        let code = sources.into_iter().filter(|(name, _)| !is_test(name));
        Self(code.map(|(name, text)| (name, imports_of(text))).collect())
    }

    /// The circles of imports among brothers, as `roles::phone: accounts desk event`.
    pub(super) fn circles(&self) -> Vec<String> {
        let mut uses: BTreeMap<Name, Uses> = BTreeMap::new();
        for (user, used) in self.edges() {
            let shared = user.iter().zip(&used).take_while(|(a, b)| a == b).count();
            // A parent may use its children, and they may use it.
            if let (Some(one), Some(other)) = (user.get(shared), used.get(shared)) {
                let of_parent = uses.entry(user[..shared].to_vec()).or_default();
                of_parent.entry(one.clone()).or_default().insert(other.clone());
            }
        }
        uses.iter().flat_map(|(parent, uses)| circles_of(&parent.join("::"), uses)).collect()
    }

    /// Which rooms of a crate use which others.
    pub(super) fn rooms(&self, krate: &str) -> Uses {
        let mut rooms = Uses::new();
        for (user, used) in self.edges() {
            if let ([a, room, ..], [b, other, ..]) = (&user[..], &used[..])
                && a == krate
                && b == krate
                && room != other
            {
                rooms.entry(room.clone()).or_default().insert(other.clone());
            }
        }
        rooms
    }

    fn edges(&self) -> impl Iterator<Item = (Name, Name)> {
        self.0.iter().flat_map(move |(user, imports)| {
            let used = imports.iter().filter_map(|import| self.resolve(user, &import.path, 0));
            used.filter(move |used| used != user).map(|used| (user.clone(), used))
        })
    }

    /// The module in which the last name of a path is written down; none for other crates.
    fn resolve(&self, user: &Name, path: &[String], hops: usize) -> Option<Name> {
        let (first, mut rest) = path.split_first()?;
        let mut place = user.clone();
        match first.as_str() {
            "crate" => place.truncate(1),
            "self" => {}
            "super" => {
                place.pop();
                while rest.first().is_some_and(|part| part == "super") {
                    place.pop();
                    rest = &rest[1..];
                }
            }
            _ if self.0.contains_key(&child(&place, first)) => rest = path,
            _ => return None,
        }
        while let Some((part, behind)) = rest.split_first() {
            if self.0.contains_key(&child(&place, part)) {
                place.push(part.clone());
                rest = behind;
                continue;
            }
            let imports = self.0.get(&place).into_iter().flatten();
            let mut same = imports.filter(|it| it.alias.as_ref() == Some(part) && hops < MOST_HOPS);
            let found =
                same.find_map(|it| self.resolve(&place, &it.path, hops + 1).filter(|at| *at != place));
            return Some(found.unwrap_or(place));
        }
        Some(place)
    }
}

fn child(parent: &Name, name: &str) -> Name {
    parent.iter().cloned().chain([name.to_owned()]).collect()
}

/// The modules that a module has for tests alone.
fn tests_of(parent: &Name, text: &str) -> Vec<Name> {
    let behind = text.split("#[cfg(test)]\nmod ").skip(1);
    let names = behind.filter_map(|rest| rest.split_once(';')).map(|(name, _)| name);
    let is_name = |name: &&str| name.chars().all(|c| c.is_alphanumeric() || c == '_');
    names.filter(is_name).map(|name| child(parent, name)).collect()
}

fn name_of(path: &str) -> Option<Name> {
    let (krate, file) = path.split_once("/src/")?;
    let file = file.strip_suffix(".rs")?;
    let mut name: Name = [krate].into_iter().chain(file.split('/')).map(str::to_owned).collect();
    name.pop_if(|last| matches!(last.as_str(), "mod" | "lib" | "main"));
    Some(name)
}

/// What a text imports and names, comments and its own tests left out.
fn imports_of(text: &str) -> Vec<Import> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines: Vec<&str> = code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = lines.join("\n");
    let mut imports = Vec::new();
    for statement in code.split_inclusive(';') {
        let start = statement.lines().position(|line| tree_of(line).is_some());
        if let Some(start) = start {
            let tree = statement.lines().skip(start).collect::<Vec<_>>().join(" ");
            expand(tree_of(&tree).unwrap_or_default().trim_end_matches(';'), &[], &mut imports);
        }
    }
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
    let paths =
        code.split(|c| !is_word(c)).filter(|word| word.starts_with("crate::") || word.starts_with("super::"));
    let path = |word: &str| word.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
    imports.extend(paths.map(|word| Import { path: path(word), alias: None }));
    imports
}

/// What stands behind `use` where a line begins with it.
fn tree_of(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(')')?.1.trim_start(),
        Some(rest) => rest.trim_start(),
        None => line,
    };
    line.strip_prefix("use ")
}

fn expand(tree: &str, before: &[String], imports: &mut Vec<Import>) {
    let tree = tree.trim();
    if let Some((head, inner)) = tree.split_once('{') {
        let head = head.split("::").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned);
        let before: Name = before.iter().cloned().chain(head).collect();
        let mut depth = 0;
        let is_cut = |c: char| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            c == ',' && depth == 0
        };
        let inner = inner.rsplit_once('}').map_or(inner, |(inner, _)| inner);
        inner.split(is_cut).for_each(|branch| expand(branch, &before, imports));
        return;
    }
    if tree.is_empty() {
        return;
    }
    let (path, alias) =
        tree.split_once(" as ").map_or((tree, None), |(path, alias)| (path, Some(alias.trim())));
    let path: Name =
        before.iter().cloned().chain(path.split("::").map(|part| part.trim().to_owned())).collect();
    let alias = alias.or(path.last().map(String::as_str)).map(str::to_owned);
    imports.push(Import { path, alias });
}

/// Groups of brothers each of which can be reached from each other.
fn circles_of(parent: &str, uses: &Uses) -> Vec<String> {
    let reach: Uses = uses.keys().map(|from| (from.clone(), reached(uses, from))).collect();
    let reaches = |from: &str, to: &str| reach.get(from).is_some_and(|all| all.contains(to));
    let mut circles = Vec::new();
    let mut told = BTreeSet::new();
    for from in uses.keys().filter(|from| reaches(from, from)) {
        let circle: Vec<&str> =
            uses.keys().map(String::as_str).filter(|to| reaches(from, to) && reaches(to, from)).collect();
        if circle.iter().all(|name| told.insert(*name)) {
            circles.push(format!("{parent}: {}", circle.join(" ")));
        }
    }
    circles
}

fn reached(uses: &Uses, from: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(name) = open.pop() {
        for next in uses.get(name).into_iter().flatten() {
            if reached.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    reached
}

#[test]
fn a_circle_is_found_and_a_row_is_none() {
    let of = |texts: &[(&str, &str)]| Modules::read(texts.iter().copied()).circles();
    let row = [
        ("p/src/a.rs", "use super::b::B;"),
        ("p/src/b.rs", "use std::fmt;"),
        ("p/src/lib.rs", "mod a; use a::A;"),
    ];
    assert_eq!(of(&row), [""; 0]);
    let circle = [("p/src/a.rs", "use super::{c, b::B};"), ("p/src/b.rs", "fn f() { crate::a::g() }")];
    assert_eq!(of(&circle), ["p: a b"]);
    let by_a_third = [
        ("p/src/x/mod.rs", "pub use a::{A as Other, C};"),
        ("p/src/x/a.rs", "use super::b::B;"),
        ("p/src/x/b/mod.rs", ""),
        ("p/src/x/b/deep.rs", "use crate::x::{\n    // Why.\n    Other,\n};"),
    ];
    assert_eq!(of(&by_a_third), ["p::x: a b"]);
    let of_tests = [("p/src/lib.rs", "#[cfg(test)]\nmod b;\nmod a;"), circle[0], circle[1]];
    assert_eq!(of(&of_tests), [""; 0]);
    let in_tests = [
        ("p/src/a.rs", "use super::b::B;"),
        ("p/src/b.rs", "#[cfg(test)]\nmod tests {\n use crate::a::A; }"),
    ];
    assert_eq!(of(&in_tests), [""; 0]);
}
