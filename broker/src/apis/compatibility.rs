//! Holds the table in `docs/compatibility.md` against the list of APIs, and the list against the handlers' files.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::{APIS, Api};

const BEGIN: &str = "<!-- apis: written by UPDATE_DOCS=1 cargo test -p brooklet --lib compatibility -->\n";
const END: &str = "<!-- /apis -->\n";
/// What a stock broker of Apache Kafka 4.3.1 names: key, name, least and greatest version.
const STOCK: &str = include_str!("../../tests/fixtures/api_versions_4.3.1.tsv");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn stock() -> BTreeMap<i16, (&'static str, i16, i16)> {
    let rows = STOCK.lines().skip(1).map(|line| {
        let fields: Vec<_> = line.split('\t').collect();
        let number = |at: usize| fields[at].parse().unwrap();
        (number(0), (fields[1], number(2), number(3)))
    });
    rows.collect()
}

fn render() -> String {
    let mut out = String::from("| key | API | Apache Kafka 4.3.1 | Brooklet |\n|---|---|---|---|\n");
    for (key, (name, min, max)) in stock() {
        let ours = match APIS.iter().find(|api| api.key == key) {
            None => "–".to_owned(),
            Some(api) if api.advertised_min < api.min => {
                format!("{}–{} (named from {})", api.min, api.max, api.advertised_min)
            }
            Some(api) => format!("{}–{}", api.min, api.max),
        };
        writeln!(out, "| {key} | {name} | {min}–{max} | {ours} |").unwrap();
    }
    out
}

#[test]
fn the_table_in_the_documentation_is_the_registrys() {
    let path = root().join("docs/compatibility.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = document.split_once(BEGIN).expect("the table's beginning is marked");
    let (_, after) = rest.split_once(END).expect("the table's end is marked");
    let expected = format!("{before}{BEGIN}{}{END}{after}", render());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, expected).unwrap();
        return;
    }
    assert!(document == expected, "docs/compatibility.md is not what the registry says; run with UPDATE_DOCS=1");
}

#[test]
fn no_version_is_named_that_a_stock_broker_does_not_name() {
    let stock = stock();
    for Api { key, name, max, advertised_min, .. } in APIS {
        let (stock_name, stock_min, stock_max) = stock[key];
        assert_eq!(*name, stock_name);
        assert!(stock_min <= *advertised_min && *max <= stock_max, "{name}");
    }
}

#[test]
fn every_handlers_file_is_in_the_list_and_names_its_versions() {
    let mut cards = BTreeMap::new();
    for entry in std::fs::read_dir(root().join("broker/src/handlers")).unwrap() {
        let path = entry.unwrap().path();
        // A folder holds parts of the handler beside it.
        if path.is_dir() {
            continue;
        }
        let source = std::fs::read_to_string(path).unwrap();
        if source.contains("pub(crate) const API: Api") {
            let card = source.lines().next().unwrap().strip_prefix("//! ").unwrap().to_owned();
            let (name, versions) = card.split_once(": v").expect("a card begins with the API's name and versions");
            cards.insert(name.to_owned(), versions.split([' ', ',']).next().unwrap().to_owned());
        }
    }
    assert_eq!(cards.len(), APIS.len(), "a handler's file is missing from the list in apis.rs");
    for api in APIS {
        let versions = if api.min == api.max { api.min.to_string() } else { format!("{}-{}", api.min, api.max) };
        assert_eq!(cards.get(api.name), Some(&versions), "the card of {}", api.name);
    }
}
