//! Values that stand elsewhere: `${env:NAME}`, `${file:PATH:KEY}` and `${dir:PATH:KEY}`, by the names of Kafka's config
//! providers.

use std::fmt;
use std::path::{Path, PathBuf};

/// Whoever can look such values up.
pub trait Secrets: Send + Sync {
    /// What a reference such as `env:NAME` stands for; `None` if there is no such thing. May read files.
    ///
    /// # Errors
    /// Why it cannot be looked up. The value is not in it.
    fn look_up(&self, reference: &str) -> Result<Option<String>, String>;
}

/// The environment alone.
#[derive(Debug, Clone, Copy)]
pub struct Environment;

impl Secrets for Environment {
    fn look_up(&self, reference: &str) -> Result<Option<String>, String> {
        Ok(reference.strip_prefix("env:").and_then(|name| std::env::var(name).ok()))
    }
}

/// A text with what it refers to filled in.
///
/// # Errors
/// Which reference stands for nothing.
pub(crate) fn fill_in(text: &str, secrets: &dyn Secrets, seen: &mut Seen) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(end) = rest[start..].find('}') else {
            break;
        };
        let whole = &rest[start..=start + end];
        let reference = &whole[2..whole.len() - 1];
        out.push_str(&rest[..start]);
        if ["env:", "file:", "dir:"].iter().any(|provider| reference.starts_with(provider)) {
            let value = secrets.look_up(reference)?;
            let value = value.ok_or_else(|| format!("{whole} stands for nothing: there is no such secret"))?;
            seen.add(whole, &value);
            out.push_str(&value);
        } else {
            out.push_str(whole);
        }
        rest = &rest[start + end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

/// The files that a text refers to: what it stands for changes with them.
pub(crate) fn files_behind(text: &str) -> impl Iterator<Item = PathBuf> {
    let references = text.split("${").skip(1).filter_map(|rest| rest.split_once('}'));
    references.filter_map(|(reference, _)| {
        let (provider, place) = reference.split_once(':')?;
        let (path, key) = place.rsplit_once(':')?;
        match provider {
            "file" => Some(PathBuf::from(path)),
            "dir" => Some(Path::new(path).join(key)),
            _ => None,
        }
    })
}

/// Values that were filled in, so that no message repeats them.
#[derive(Clone, Default)]
pub struct Seen(Vec<(String, String)>);

impl Seen {
    fn add(&mut self, reference: &str, value: &str) {
        if !value.is_empty() {
            self.0.push((value.to_owned(), reference.to_owned()));
            // One that contains another is taken out first.
            self.0.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        }
    }

    /// Whether nothing was filled in.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A message in which references stand for values.
    pub fn hide(&self, message: &str) -> String {
        let hidden = |message: String, (value, reference): &(String, String)| message.replace(value, reference);
        self.0.iter().fold(message.to_owned(), hidden)
    }
}

/// Only how many: values are secrets.
impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seen({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl Secrets for Fixed {
        fn look_up(&self, reference: &str) -> Result<Option<String>, String> {
            match reference {
                "env:A" => Ok(Some("hunter2".to_owned())),
                "file:/f:k" => Err("Could not read properties from file /f".to_owned()),
                _ => Ok(None),
            }
        }
    }

    #[test]
    fn files_behind_references_are_known() {
        let text = "${env:A} x${file:/mnt/pg:2/pg.properties:user}-${dir:/mnt/pg:password}${file:nothing}${other:/a:b} ${file:/c:d";
        let files: Vec<_> = files_behind(text).collect();
        assert_eq!(files, [Path::new("/mnt/pg:2/pg.properties"), Path::new("/mnt/pg/password")]);
    }

    #[test]
    fn references_are_filled_in_and_hidden() {
        let mut seen = Seen::default();
        assert_eq!(
            fill_in("x-${env:A}-${routedByValue}", &Fixed, &mut seen).as_deref(),
            Ok("x-hunter2-${routedByValue}")
        );
        assert_eq!(seen.hide("bad: x-hunter2-y"), "bad: x-${env:A}-y");
        assert_eq!(format!("{seen:?}"), "Seen(1)");
        assert!(fill_in("${env:B}", &Fixed, &mut seen).is_err_and(|error| error.contains("${env:B}")));
        assert!(fill_in("${file:/f:k}", &Fixed, &mut seen).is_err());
        assert_eq!(fill_in("${env:A", &Fixed, &mut seen).as_deref(), Ok("${env:A"));
    }
}
