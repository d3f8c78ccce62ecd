//! The known name that is nearest to a mistyped one.

/// The known name with the fewest edits to `name`, unless even that has little in common with it.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > LONGEST {
        return None;
    }
    let allowed = (name.len() / 3).max(1);
    known
        .into_iter()
        .filter(|other| other.len().abs_diff(name.len()) <= allowed)
        .map(|other| (edit_distance(name, other), other))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, other)| other)
}

/// Longer names are no misspellings, and would take long to compare.
const LONGEST: usize = 256;

/// How many bytes to insert, delete or replace to make `a` into `b` (Levenshtein).
fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let known = ["log.dirs", "log.dir", "listeners", "num.partitions"];
        for (given, meant) in [
            ("lisetners", Some("listeners")),
            ("num.partition", Some("num.partitions")),
            ("log.dirss", Some("log.dirs")),
            ("log.dir", Some("log.dir")),
            ("wholly.different", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, known), meant, "{given}");
        }
    }

    #[test]
    fn counts_edits() {
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("abc", ""), 3);
    }

    proptest! {
        #[test]
        fn one_edit_is_one_apart(name in "[a-z.]{1,20}", at in 0usize..20, c in "[a-z]") {
            let at = at % name.len();
            let mut edited = name.clone();
            edited.replace_range(at..=at, &c);
            prop_assert!(edit_distance(&name, &edited) <= 1);
            prop_assert_eq!(edit_distance(&name, &edited), edit_distance(&edited, &name));
            let mut longer = name.clone();
            longer.insert_str(at, &c);
            prop_assert_eq!(edit_distance(&name, &longer), 1);
        }
    }
}
