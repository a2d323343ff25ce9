//! The store as the driver uses it: on real files, killed and damaged.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use offhook::store::{self, Change, Memory, Row, Sqlite, Store, Table};

/// Blocks until a turn is durable.
fn wait_for(store: &dyn Store, turn: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut progress = store.progress();
    runtime.block_on(progress.wait_for(|progress| progress.committed >= turn)).expect("the store lives");
}

fn row(key: &str, value: &str) -> Row {
    Row { key: key.to_owned(), value: value.to_owned() }
}

fn open(dir: &Path) -> Sqlite {
    Sqlite::open(dir).expect("opened")
}

/// What any store must do.
fn check_store(store: &mut dyn Store) {
    let turn = store.commit(vec![
        Change::set(Table::Binding, "7002", "b"),
        Change::set(Table::Binding, "7001", "a"),
        Change::set(Table::Extension, "7001", "c"),
        Change::remove(Table::Ban, "never there"),
    ]);
    assert_eq!(turn, 1);
    let last = store
        .commit(vec![Change::remove(Table::Extension, "7001"), Change::set(Table::Binding, "7001", "z")]);
    assert_eq!(store.commit(Vec::new()), last + 1);
    wait_for(store, last + 1);
    let reader = store.reader();
    assert_eq!(reader.load(Table::Binding).expect("read"), [row("7001", "z"), row("7002", "b")]);
    assert_eq!(reader.load(Table::Extension).expect("read"), []);

    let calls = (0..10).map(|number| Change::set(Table::CallRecord, number.to_string(), "call")).collect();
    let turn = store.commit(calls);
    wait_for(store, turn);
    let page =
        |before| reader.latest(Table::CallRecord, 3, before).expect("read").into_iter().map(|row| row.key);
    assert!(page(None).eq(["9", "8", "7"]));
    assert!(page(Some("2")).eq(["1", "0"]));
    assert!(!store.is_saturated());
}

#[test]
fn both_stores_keep_the_same_promises() {
    check_store(&mut Memory::default());
    let dir = tempfile::tempdir().expect("a folder");
    check_store(&mut open(dir.path()));
}

#[test]
fn what_was_set_is_there_at_the_next_start() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path().join("made/by/us");
    for table in Table::ALL {
        let mut store = store::open(Some(&dir)).expect("opened");
        store.commit(vec![Change::set(table, "key", table.name())]);
    }
    let reader = open(&dir).reader();
    drop(reader);
    let store = open(&dir);
    for table in Table::ALL {
        assert_eq!(store.reader().load(table).expect("read"), [row("key", table.name())]);
    }
}

#[test]
fn a_reader_that_outlives_the_store_hears_so() {
    let dir = tempfile::tempdir().expect("a folder");
    let reader = open(dir.path()).reader();
    assert!(reader.load(Table::Binding).is_err());
}

#[test]
fn two_processes_cannot_share_a_folder() {
    let dir = tempfile::tempdir().expect("a folder");
    let _first = open(dir.path());
    let text = Sqlite::open(dir.path()).err().expect("in use").to_string();
    assert!(text.contains("another process uses this folder"), "{text}");
}

#[test]
fn damage_and_strange_versions_are_told() {
    let check = |bytes: Option<&[u8]>, version: u32, words: &str| {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("offhook.db");
        match bytes {
            Some(bytes) => std::fs::write(&file, bytes).expect("written"),
            None => {
                let other = rusqlite::Connection::open(&file).expect("made");
                other.pragma_update(None, "user_version", version).expect("set");
            }
        }
        let text = Sqlite::open(dir.path()).err().expect("refused").to_string();
        assert!(text.contains(words) && text.contains("offhook.db"), "{text}");
        if let Some(bytes) = bytes {
            assert_eq!(std::fs::read(&file).expect("there"), bytes, "what was there stays");
        }
    };
    check(Some(b""), 0, "is an empty file");
    check(Some(&[b'?'; 5_000]), 0, "it is damaged");
    check(None, 99, "start the newer Offhook");
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    for version in [0, 1, 99] {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("offhook.db");
        let other = rusqlite::Connection::open(&file).expect("made");
        other.execute("CREATE TABLE cookies (host TEXT)", []).expect("made");
        other.pragma_update(None, "user_version", version).expect("set");
        drop(other);
        let before = std::fs::read(&file).expect("there");
        let text = Sqlite::open(dir.path()).err().expect("refused").to_string();
        assert!(text.contains("of another program") && text.contains("--dir"), "{text}");
        assert_eq!(std::fs::read(&file).expect("there"), before);
    }
}

#[test]
fn a_database_of_the_first_version_is_read() {
    let dir = tempfile::tempdir().expect("a folder");
    let old = rusqlite::Connection::open(dir.path().join("offhook.db")).expect("made");
    for table in
        ["extension", "permission", "device", "binding", "subscription", "call_record", "setting", "ban"]
    {
        let make = format!("CREATE TABLE {table} (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID");
        old.execute(&make, []).expect("made");
        old.execute(&format!("INSERT INTO {table} VALUES ('key', '{table}')"), []).expect("kept");
    }
    old.pragma_update(None, "user_version", 1).expect("set");
    drop(old);
    let store = open(dir.path());
    let later = [Table::Transfer, Table::Served];
    for table in Table::ALL.into_iter().filter(|table| !later.contains(table)) {
        assert_eq!(store.reader().load(table).expect("read"), [row("key", table.name())]);
    }
    for table in later {
        assert_eq!(store.reader().load(table).expect("read"), [], "a later version has it");
    }
}

#[cfg(unix)]
#[test]
fn the_database_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = open(dir.path());
    let turn = store.commit(vec![Change::set(Table::Extension, "7001", "secret")]);
    wait_for(&store, turn);
    for file in std::fs::read_dir(dir.path()).expect("listed") {
        let file = file.expect("listed");
        assert_eq!(file.metadata().expect("there").permissions().mode() & 0o077, 0, "{:?}", file.file_name());
    }
}

/// The child of the test below: sets a row a turn and prints each turn that is durable, until killed.
#[test]
#[ignore = "is started by kill_9_loses_nothing_that_was_acknowledged"]
fn child_that_is_killed() {
    let Ok(dir) = std::env::var("OFFHOOK_TEST_STORE") else { panic!("needs a folder") };
    let mut store = open(Path::new(&dir));
    let start = store.reader().load(Table::CallRecord).expect("read").len();
    let mut output = std::io::stdout().lock();
    for number in start.. {
        let turn = store.commit(vec![
            Change::set(Table::CallRecord, format!("{number:08}"), "call"),
            Change::set(Table::Setting, "last", number.to_string()),
        ]);
        wait_for(&store, turn);
        writeln!(output, "durable {number}").expect("told");
    }
}

#[test]
fn kill_9_loses_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut told_before = None;
    for round in 0..20 {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--ignored", "--exact", "--nocapture", "store::child_that_is_killed"])
            .env("OFFHOOK_TEST_STORE", dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let durable =
            |line: String| line.split_once("durable ").and_then(|(_, number)| number.parse::<usize>().ok());
        // Different each round, so that the kill meets different moments.
        let mut told = lines.by_ref().filter_map(durable).nth(round * 7).expect("turns");
        child.kill().expect("killed");
        child.wait().expect("gone");
        told = lines.filter_map(durable).last().unwrap_or(told).max(told);
        let store = open(dir.path());
        let rows = store.reader().load(Table::CallRecord).expect("read");
        assert!(rows.iter().enumerate().all(|(number, row)| row.key == format!("{number:08}")));
        let last: usize =
            store.reader().load(Table::Setting).expect("read")[0].value.parse().expect("a number");
        assert_eq!(rows.len(), last + 1, "a turn is whole or not at all");
        assert!(last >= told && told_before < Some(told), "round {round}: told {told}, kept {last}");
        told_before = Some(told);
    }
}

#[test]
fn a_hundred_thousand_bindings_in_as_many_turns_are_there_at_the_next_start() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = open(dir.path());
    for number in 0..100_000 {
        let value =
            format!(r#"{{"contact":"sip:{number}@127.0.0.1:5060","expires_s":1800,"cseq":{number}}}"#);
        store.commit(vec![Change::set(Table::Binding, number.to_string(), value)]);
    }
    assert!(store.is_saturated() || store.progress().borrow().committed > 90_000);
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.reader().load(Table::Binding).expect("read").len(), 100_000);
}
