//! The repository's own rules, as a test: which crate may know which, where `unsafe` may stand, how long a file may be.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use brooklet_tests::root;
use serde_json::Value;

/// Which crates of the workspace each may depend on, outside of its tests. Nothing depends on the broker.
const ARROWS: [(&str, &[&str]); 8] = [
    ("brooklet-protocol", &[]),
    ("brooklet-storage", &["brooklet-protocol"]),
    ("brooklet-schema-registry", &[]),
    ("brooklet-connect-shim", &["brooklet-protocol", "brooklet-schema-registry"]),
    ("brooklet-declare", &[]),
    (
        "brooklet",
        &[
            "brooklet-protocol",
            "brooklet-storage",
            "brooklet-schema-registry",
            "brooklet-connect-shim",
            "brooklet-declare",
        ],
    ),
    ("brooklet-tests", &["brooklet-protocol"]),
    ("brooklet-benches", &["brooklet-tests"]),
];
/// A file that grows past this is asking to be split.
const MAX_LINES: usize = 800;
/// Generated, and as long as Kafka's protocol is wide.
const GENERATED: &str = "protocol/src/schema.rs";
/// Where unsafe code may stand: the mapping layer with its test, and an allocator that counts for a test.
const UNSAFE: [&str; 5] = [
    "storage/src/mmap.rs",
    "storage/src/mmap/fault.rs",
    "storage/src/mmap/program.rs",
    "storage/tests/bus_error.rs",
    "protocol/tests/preflight/allocation.rs",
];

fn sources() -> Vec<(String, String)> {
    let output = Command::new("git").args(["ls-files", "*.rs"]).current_dir(root()).output().unwrap();
    let names = String::from_utf8(output.stdout).unwrap();
    let read = |name: &str| Some((name.to_owned(), std::fs::read_to_string(root().join(name)).ok()?));
    let sources: Vec<_> = names.lines().filter_map(read).collect();
    assert!(sources.len() > 100, "only {} sources found", sources.len());
    sources
}

#[test]
fn crates_know_only_whom_they_may() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    let packages = metadata["packages"].as_array().unwrap();
    assert_eq!(packages.len(), allowed.len(), "a crate is missing from the list of arrows");
    for package in packages {
        let name = package["name"].as_str().unwrap();
        for dependency in package["dependencies"].as_array().unwrap() {
            let target = dependency["name"].as_str().unwrap();
            if dependency["kind"].is_null() && target.starts_with("brooklet") {
                assert!(allowed[name].contains(&target), "{name} may not depend on {target}");
            }
        }
    }
}

#[test]
fn files_are_short() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|(name, text)| (name, text.lines().count()))
        .filter(|(name, lines)| *lines > MAX_LINES && name != GENERATED)
        .collect();
    assert!(long.is_empty(), "longer than {MAX_LINES} lines: {long:?}");
}

#[test]
fn unsafe_code_stands_where_it_may_and_each_piece_has_its_proof() {
    for (name, text) in sources() {
        let blocks = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let blocks = blocks
            .filter(|line| line.contains(concat!("unsafe", " {")) || line.contains(concat!("unsafe", " impl")))
            .count();
        let proofs = text.matches("SAFETY:").count();
        if UNSAFE.contains(&name.as_str()) {
            assert!(blocks <= proofs, "{name}: {blocks} pieces of unsafe code, {proofs} proofs");
        } else {
            assert_eq!(blocks, 0, "{name} has unsafe code");
        }
    }
}

#[test]
fn every_source_says_what_it_is_and_leaves_nothing_for_later() {
    for (name, text) in sources() {
        let first = text.lines().find(|line| !line.starts_with("#!") && !line.is_empty()).unwrap_or_default();
        assert!(first.starts_with("//!"), "{name} begins with {first:?}, not with what it is");
        for word in [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")] {
            assert!(!text.contains(word), "{name} leaves a {word}");
        }
    }
}

#[test]
fn what_the_documentation_links_to_is_there() {
    for document in [
        "README.md",
        "docs/architecture.md",
        "docs/benchmarks.md",
        "docs/compatibility.md",
        "docs/declared.md",
        "docs/durability.md",
        "docs/metrics.md",
        "CHANGELOG.md",
    ] {
        let path = root().join(document);
        let text = std::fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("http") || link.starts_with('#') {
                continue;
            }
            let target: PathBuf = path.parent().unwrap_or(Path::new("")).join(link.split('#').next().unwrap());
            assert!(target.exists(), "{document} links to {link}, which is not there");
        }
    }
}
