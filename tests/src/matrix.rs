//! The table of clients in `docs/compatibility.md`: each run of a client's story holds its row against it, and writes
//! it with `UPDATE_DOCS=1`.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;

use rustix::fs::{FlockOperation, flock};

const BEGIN: &str =
    "<!-- clients: each row is written by UPDATE_DOCS=1 and that client's story in tests/tests/clients.rs -->\n";
const END: &str = "<!-- /clients -->\n";

/// The steps of the story, which are the table's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The client creates the topic.
    Create,
    /// It writes in every compression that it has.
    Compressions,
    /// It is an idempotent producer.
    Idempotent,
    /// It reads all from the beginning.
    Read,
    /// Three members share three partitions.
    Group,
    /// One of them is killed, the others take over.
    MemberKilled,
    /// The broker is stopped and started while it writes and reads.
    Restart,
    /// The broker is killed and started while it writes and reads.
    Kill,
    /// A new member goes on from what was committed.
    Commits,
}

impl Step {
    const ALL: [(Self, &'static str); 9] = [
        (Self::Create, "create"),
        (Self::Compressions, "compressions"),
        (Self::Idempotent, "idempotent"),
        (Self::Read, "read all"),
        (Self::Group, "group of three"),
        (Self::MemberKilled, "member killed"),
        (Self::Restart, "restart"),
        (Self::Kill, "kill -9"),
        (Self::Commits, "commits kept"),
    ];
}

/// How each step went, in a word.
pub type Steps = BTreeMap<Step, String>;

/// Holds a client's row against the table, or writes it.
///
/// # Panics
/// If the table says something else.
pub fn record(client: &str, version: &str, steps: &Steps) {
    let cells = Step::ALL.iter().map(|(step, _)| steps.get(step).map_or("–", String::as_str));
    let row = format!("| {client} | {version} | {} |", cells.collect::<Vec<_>>().join(" | "));
    let path = path();
    // Stories of several clients may end at the same time.
    let lock = File::open(&path).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let document = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = document.split_once(BEGIN).expect("the table's beginning is marked");
    let (table, after) = rest.split_once(END).expect("the table's end is marked");
    let mut rows: Vec<&str> = table.lines().skip(2).collect();
    if std::env::var_os("UPDATE_DOCS").is_none() {
        assert!(rows.contains(&row.as_str()), "docs/compatibility.md lacks this row; run with UPDATE_DOCS=1:\n{row}");
        return;
    }
    rows.retain(|old| !old.starts_with(&format!("| {client} |")));
    rows.push(&row);
    rows.sort_unstable();
    let names: Vec<_> = Step::ALL.iter().map(|(_, name)| *name).collect();
    let head = format!("| client | version | {} |\n|{}", names.join(" | "), "---|".repeat(names.len() + 2));
    let updated = format!("{before}{BEGIN}{head}\n{}\n{END}{after}", rows.join("\n"));
    std::fs::write(&path, updated).unwrap();
}

fn path() -> PathBuf {
    crate::root().join("docs/compatibility.md")
}
