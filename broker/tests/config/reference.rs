//! `docs/configuration.md` is what the tables of configs say.

use std::fs;
use std::path::Path;

#[test]
fn the_committed_reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let rendered = brooklet::config::render_markdown();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &rendered).expect("the reference can be written");
        return;
    }
    let committed = fs::read_to_string(&path).expect("the reference can be read");
    assert!(
        committed == rendered,
        "docs/configuration.md is out of date: UPDATE_DOCS=1 cargo test -p brooklet --test config"
    );
}
