//! Configs as they are declared, as they are, and as they were declared before.

use std::collections::{BTreeMap, BTreeSet};

use crate::admin::ConfigChanges;

/// What has to change. Only what was declared before is taken away: what others have set stays.
pub(super) fn changes(
    declared: &BTreeMap<String, String>,
    actual: &BTreeMap<String, String>,
    declared_before: Option<&BTreeSet<String>>,
) -> ConfigChanges {
    let differs = |(name, value): &(&String, &String)| !actual.get(*name).is_some_and(|actual| is_same(actual, value));
    let set = declared.iter().filter(differs).map(|(name, value)| (name.clone(), value.clone())).collect();
    let before = declared_before.into_iter().flatten();
    let delete = before.filter(|name| !declared.contains_key(*name) && actual.contains_key(*name)).cloned().collect();
    ConfigChanges { set, delete }
}

/// Whether two texts mean the same value: Kafka shows lists without white space, truths in lower case, and numbers in a
/// form of its own.
fn is_same(actual: &str, declared: &str) -> bool {
    if actual == declared {
        return true;
    }
    let elements = |text: &str| text.split(',').map(|element| element.trim().to_owned()).collect::<Vec<_>>();
    if elements(actual) == elements(declared) {
        return true;
    }
    let is_truth = |text: &str| text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
    if is_truth(actual) {
        return actual.eq_ignore_ascii_case(declared.trim());
    }
    match (actual.parse::<i64>(), declared.trim().parse::<i64>()) {
        (Ok(actual), Ok(declared)) => return actual == declared,
        (Ok(_), Err(_)) | (Err(_), Ok(_)) | (Err(_), Err(_)) => {}
    }
    matches!((actual.parse::<f64>(), declared.trim().parse::<f64>()), (Ok(actual), Ok(declared)) if actual == declared)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn only_what_was_declared_is_taken_away() {
        let declared = map(&[("retention.ms", "1000"), ("cleanup.policy", "compact, delete")]);
        let actual = map(&[
            ("retention.ms", "500"),
            ("cleanup.policy", "compact,delete"),
            ("segment.ms", "9"),
            ("segment.bytes", "1"),
        ]);
        let before = BTreeSet::from(["segment.ms".to_owned(), "gone.already".to_owned()]);
        let changes = changes(&declared, &actual, Some(&before));
        assert_eq!(changes.set, map(&[("retention.ms", "1000")]));
        assert_eq!(changes.delete, BTreeSet::from(["segment.ms".to_owned()]));
    }

    #[test]
    fn the_same_value_in_other_words_is_no_change() {
        for (actual, declared) in [("true", "True"), ("0.5", "0.50"), ("1000", " 1000"), ("a,b", "a, b")] {
            assert!(is_same(actual, declared), "{actual} {declared}");
        }
        for (actual, declared) in [("true", "false"), ("0.5", "0.6"), ("10", "100"), ("a,b", "b,a"), ("Zstd", "zstd")] {
            assert!(!is_same(actual, declared), "{actual} {declared}");
        }
    }
}
