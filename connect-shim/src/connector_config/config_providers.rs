//! Values that stand elsewhere: `${file:…}`, `${env:…}` and `${dir:…}` in a config (`FileConfigProvider`,
//! `EnvVarConfigProvider`, `DirectoryConfigProvider`).

use std::collections::BTreeMap;
use std::path::Path;

use super::Properties;

/// How much a file of secrets may hold.
const LARGEST_FILE: u64 = 1024 * 1024;

/// A config with what providers know in place of what refers to it. What they do not know stays as it is written.
///
/// # Errors
/// That a file cannot be read, in Kafka's words. Reads files: not for a thread that serves requests.
pub fn resolve(properties: &Properties) -> Result<Properties, String> {
    let mut resolved = Properties::new();
    for (name, value) in properties.iter() {
        resolved.set_nullable(name, value.map(resolve_text).transpose()?);
    }
    Ok(resolved)
}

/// Whether anything of a config stands elsewhere.
pub fn refers(properties: &Properties) -> bool {
    let prefixes = ["${file:", "${env:", "${dir:"];
    properties.iter().any(|(_, value)| value.is_some_and(|text| prefixes.iter().any(|prefix| text.contains(prefix))))
}

fn resolve_text(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(end) = rest[start..].find('}') else {
            break;
        };
        out.push_str(&rest[..start]);
        let whole = &rest[start..=start + end];
        match look_up(&whole[2..whole.len() - 1])? {
            Some(value) => out.push_str(&value),
            None => out.push_str(whole),
        }
        rest = &rest[start + end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

/// What a reference such as `file:/path:key` means; `None` if there is no such thing.
///
/// # Errors
/// As [`resolve`].
pub fn look_up(reference: &str) -> Result<Option<String>, String> {
    let Some((provider, place)) = reference.split_once(':') else {
        return Ok(None);
    };
    match (provider, place.rsplit_once(':')) {
        ("env", None) => Ok(std::env::var(place).ok()),
        ("file", Some((path, key))) => {
            let text = read(Path::new(path)).map_err(|_| format!("Could not read properties from file {path}"))?;
            Ok(java_properties(&text).remove(key))
        }
        ("dir", Some((path, key))) if !key.contains(['/', '\\']) && key != ".." => {
            let file = Path::new(path).join(key);
            if !file.is_file() {
                return Ok(None);
            }
            read(&file).map(Some).map_err(|_| format!("Could not read file {} for property {key}", file.display()))
        }
        _ => Ok(None),
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    if std::fs::metadata(path)?.len() > LARGEST_FILE {
        return Err(std::io::ErrorKind::FileTooLarge.into());
    }
    std::fs::read_to_string(path)
}

/// The entries of a properties file (`java.util.Properties.load`).
fn java_properties(text: &str) -> BTreeMap<String, String> {
    let mut entries = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let mut line = line.trim_start().to_owned();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        while (line.len() - line.trim_end_matches('\\').len()) % 2 == 1 {
            line.pop();
            match lines.next() {
                Some(next) => line.push_str(next.trim_start()),
                None => break,
            }
        }
        let (key, value) = split_entry(&line);
        entries.insert(unescape(key), unescape(value));
    }
    entries
}

fn split_entry(line: &str) -> (&str, &str) {
    let mut escaped = false;
    for (at, character) in line.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '=' | ':' => return (&line[..at], line[at + 1..].trim_start()),
            ' ' | '\t' => {
                let rest = line[at..].trim_start();
                return (&line[..at], rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start());
            }
            _ => {}
        }
    }
    (line, "")
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(next) = chars.next() {
        if next != '\\' {
            out.push(next);
            continue;
        }
        match chars.next() {
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                out.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn references_are_looked_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret.properties");
        std::fs::write(&path, "# comment\npw = se=cret\\u0021\nuser:me\nlong=a\\\n  b\n").unwrap();
        std::fs::write(dir.path().join("pw"), "from-dir").unwrap();
        let resolved = |text: String| {
            let config = [("a".to_owned(), text)].into_iter().collect();
            resolve(&config).map(|config| config.value("a").unwrap().to_owned())
        };
        let (file, dir) = (path.display(), dir.path().display());
        assert_eq!(resolved(format!("${{file:{file}:pw}}")).unwrap(), "se=cret!");
        assert_eq!(resolved(format!("x-${{file:{file}:user}}-${{file:{file}:long}}")).unwrap(), "x-me-ab");
        assert_eq!(resolved(format!("${{dir:{dir}:pw}}")).unwrap(), "from-dir");
        assert_eq!(resolved(format!("${{dir:{dir}:../x}}")).unwrap(), format!("${{dir:{dir}:../x}}"));
        assert_eq!(resolved("${env:NO_SUCH_VARIABLE_HERE}".into()).unwrap(), "${env:NO_SUCH_VARIABLE_HERE}");
        assert_eq!(resolved("${vault:a:b} ${".into()).unwrap(), "${vault:a:b} ${");
        assert_eq!(resolved("${file:/nope:pw}".into()).unwrap_err(), "Could not read properties from file /nope");
    }
}
