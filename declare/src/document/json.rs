//! JSON with the line of everything. Beyond JSON it knows the variables of streaming-ops, whose connectors are templates
//! of `jq`: in the place of a value, `env.NAME`, `$ENV.NAME` and `$NAME` stand for an environment variable, and are read as
//! the text `${env:NAME}`.

use super::{DocumentError, Entry, MOST_NESTED, MOST_NODES, Node, Value};

/// The one value of a text.
///
/// # Errors
/// What is no JSON, and where.
pub fn parse_json(text: &str) -> Result<Node, DocumentError> {
    let mut reader = Reader { text, at: 0, line: 1, nodes: 0 };
    let node = reader.value(0)?;
    reader.skip_space();
    if reader.at < text.len() {
        return Err(reader.error("there is something behind the end of the document"));
    }
    Ok(node)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Node, DocumentError> {
        self.skip_space();
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return Err(self.error(format!("more than {MOST_NODES} values in one document")));
        }
        if depth == MOST_NESTED {
            return Err(self.error("values lie too deep within each other"));
        }
        let line = self.line;
        let value = match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => Value::Scalar { text: self.string()?, plain: false },
            Some(_) => self.word()?,
            None => return Err(self.error("the document ends where a value should be")),
        };
        Ok(Node { value, line })
    }

    fn object(&mut self, depth: usize) -> Result<Value, DocumentError> {
        self.at += 1;
        let mut entries: Vec<Entry> = Vec::new();
        let mut names = std::collections::BTreeSet::new();
        self.skip_space();
        if self.take(b'}') {
            return Ok(Value::Mapping(entries));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.error("a name in quotes is expected here"));
            }
            let line = self.line;
            let key = self.string()?;
            self.skip_space();
            if !self.take(b':') {
                return Err(self.error(format!("a colon is missing behind \"{key}\"")));
            }
            let value = self.value(depth + 1)?;
            if !names.insert(key.clone()) {
                return Err(DocumentError::new(line, format!("\"{key}\" is there already")));
            }
            entries.push(Entry { key, line, value });
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Mapping(entries));
                }
                _ => return Err(self.error("a comma or the end of the object is missing")),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, DocumentError> {
        self.at += 1;
        let mut elements = Vec::new();
        self.skip_space();
        if self.take(b']') {
            return Ok(Value::List(elements));
        }
        loop {
            elements.push(self.value(depth + 1)?);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::List(elements));
                }
                _ => return Err(self.error("a comma or the end of the list is missing")),
            }
        }
    }

    /// A string, whose quote is next. That what stands between the quotes is a string, serde's reader says.
    fn string(&mut self) -> Result<String, DocumentError> {
        let bytes = self.text.as_bytes();
        let mut end = self.at + 1;
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(b'\n') | None => return Err(self.error("a text has no end")),
                Some(_) => end += 1,
            }
        }
        let raw = &self.text[self.at..=end];
        self.at = end + 1;
        serde_json::from_str(raw).map_err(|_| self.error(format!("{raw} is no text as JSON has it")))
    }

    /// A number, a truth, null, or a variable.
    fn word(&mut self) -> Result<Value, DocumentError> {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| c.is_whitespace() || ",]}:\"{[".contains(c)).unwrap_or(rest.len());
        let word = &rest[..end];
        let variable = word.strip_prefix("env.").or(word.strip_prefix("$ENV.")).or(word.strip_prefix('$'));
        if let Some(name) = variable {
            let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !is_name {
                return Err(self.error(format!("{word} is no variable")));
            }
            self.at += end;
            return Ok(Value::Scalar { text: format!("${{env:{name}}}"), plain: false });
        }
        let is_json = serde_json::from_str::<serde_json::Value>(word).is_ok();
        if word.is_empty() || !is_json {
            let shown: String = rest.chars().take(20).take_while(|c| !c.is_whitespace()).collect();
            return Err(self.error(format!("\"{shown}\" is no value")));
        }
        self.at += end;
        Ok(Value::Scalar { text: word.to_owned(), plain: true })
    }

    fn skip_space(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' => self.line += 1,
                b' ' | b'\t' | b'\r' => {}
                _ => return,
            }
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn error(&self, reason: impl Into<String>) -> DocumentError {
        DocumentError::new(self.line, reason)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn everything_has_its_line_and_variables_are_texts() {
        let text = "{\n  \"a\": [1,\n  -2.5e3, true, null],\n\t\"b\\u00e4\\/\": \"\\ud83d\\ude00\",\n \"c\": env.PG_USER,\n \"d\": $URL\n}\n";
        let node = parse_json(text).unwrap();
        let keys: Vec<_> = node.entries().iter().map(|entry| (entry.key.as_str(), entry.line)).collect();
        assert_eq!(keys, [("a", 2), ("bä/", 4), ("c", 5), ("d", 6)]);
        assert_eq!(node.member("bä/").unwrap().text(), Some("😀"));
        assert_eq!(node.member("c").unwrap().text(), Some("${env:PG_USER}"));
        assert_eq!(node.member("d").unwrap().text(), Some("${env:URL}"));
        let Value::List(list) = &node.member("a").unwrap().value else { panic!("no list") };
        assert_eq!((list[1].line, list[1].text(), list[3].is_null()), (3, Some("-2.5e3"), true));
    }

    #[test]
    fn mistakes_have_their_line() {
        for (text, line) in [
            ("", 1),
            ("{\"a\": 1,\n}", 2),
            ("{\"a\"\n 1}", 2),
            ("{\"a\": 1\n\"b\": 2}", 2),
            ("[1,\n\n x]", 3),
            ("{\"a\": 1} {", 1),
            ("{\"a\": \"x\ny\"}", 1),
            ("{\"a\": 1,\n\"a\": 2}", 2),
            ("{\"a\": $}", 1),
            ("{\"a\": 'x'}", 1),
        ] {
            assert_eq!(parse_json(text).expect_err(text).line, line, "{text}");
        }
        assert!(parse_json(&"[".repeat(100_000)).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(?s)([\\[\\]{}:,\"\\\\ \\n0-9a-ce.$-]|.){0,60}") {
            let _ = parse_json(&text);
        }

        #[test]
        fn what_serde_reads_is_read(texts in proptest::collection::vec((".{0,12}", any::<i64>()), 0..6)) {
            let value = serde_json::json!(texts.iter().map(|(text, number)| serde_json::json!({"t": text, "n": number})).collect::<Vec<_>>());
            let node = parse_json(&serde_json::to_string_pretty(&value).unwrap()).unwrap();
            let Value::List(list) = &node.value else { panic!("no list") };
            for (node, (text, number)) in list.iter().zip(&texts) {
                prop_assert_eq!(&node.member("t").unwrap().value, &Value::Scalar { text: text.clone(), plain: false });
                prop_assert_eq!(node.member("n").unwrap().integer(), Some(*number));
            }
            prop_assert_eq!(list.len(), texts.len());
        }
    }
}
