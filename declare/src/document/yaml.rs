//! YAML, one document after the other. Scalars stay as they are written; anchors and aliases are followed, within limits.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};

use super::{DocumentError, Entry, MOST_NESTED, MOST_NODES, Node, Value};

/// The documents of a text, without empty ones, and what is wrong behind them, if anything is: what comes before a mistake
/// is still read.
pub fn parse_yaml(text: &str) -> (Vec<Node>, Option<DocumentError>) {
    let mut reader = Reader { events: Parser::new_from_str(text), anchors: BTreeMap::new(), nodes: 0 };
    let mut documents = Vec::new();
    let error = reader.stream(&mut documents).err();
    (documents, error)
}

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    /// Values that have a name, by its number.
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn stream(&mut self, documents: &mut Vec<Node>) -> Result<(), DocumentError> {
        loop {
            let (event, line) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(()),
                Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
                event => {
                    let document = self.node(event, line, 0)?;
                    if !document.is_null() {
                        documents.push(document);
                    }
                    self.anchors.clear();
                    self.nodes = 0;
                }
            }
        }
    }

    fn node(&mut self, event: Event<'a>, line: usize, depth: usize) -> Result<Node, DocumentError> {
        if depth == MOST_NESTED {
            return Err(DocumentError::new(line, "values lie too deep within each other"));
        }
        self.count(1, line)?;
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => {
                (Value::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain }, anchor)
            }
            Event::SequenceStart(anchor, _) => (self.list(depth)?, anchor),
            Event::MappingStart(anchor, _) => (self.mapping(depth)?, anchor),
            Event::Alias(anchor) => {
                let unknown = || DocumentError::new(line, "an alias for what is not there yet");
                let node = self.anchors.get(&anchor).cloned().ok_or_else(unknown)?;
                self.count(node.size(), line)?;
                return Ok(node);
            }
            _ => return Err(DocumentError::new(line, "the document ends where a value should be")),
        };
        let node = Node { value, line };
        if anchor != 0 {
            self.count(node.size(), line)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Value, DocumentError> {
        let mut elements = Vec::new();
        loop {
            let (event, line) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Value::List(elements));
            }
            elements.push(self.node(event, line, depth + 1)?);
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Value, DocumentError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut lines = BTreeMap::new();
        loop {
            let (event, line) = self.next()?;
            let key = match event {
                Event::MappingEnd => return Ok(Value::Mapping(entries)),
                Event::Scalar(key, ..) => key.into_owned(),
                _ => return Err(DocumentError::new(line, "a name is expected here")),
            };
            let (event, value_line) = self.next()?;
            let value = self.node(event, value_line, depth + 1)?;
            if let Some(first) = lines.insert(key.clone(), line) {
                return Err(DocumentError::new(line, format!("{key} is in line {first} already")));
            }
            entries.push(Entry { key, line, value });
        }
    }

    fn count(&mut self, nodes: usize, line: usize) -> Result<(), DocumentError> {
        self.nodes += nodes;
        if self.nodes > MOST_NODES {
            return Err(DocumentError::new(line, format!("more than {MOST_NODES} values in one document")));
        }
        Ok(())
    }

    fn next(&mut self) -> Result<(Event<'a>, usize), DocumentError> {
        match self.events.next() {
            Some(Ok((event, span))) => Ok((event, span.start.line())),
            Some(Err(error)) => Err(DocumentError::new(error.marker().line(), error.info())),
            None => Ok((Event::StreamEnd, 0)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn everything_has_its_line() {
        let text = "# a comment\na: 1\nb:\n  - x\n  - \"y\"\n---\nc: {d: true}\n---\n# empty\n";
        let (documents, error) = parse_yaml(text);
        assert_eq!(error, None);
        assert_eq!(documents.len(), 2);
        assert_eq!(documents[0].member("a").unwrap().integer(), Some(1));
        let Value::List(list) = &documents[0].member("b").unwrap().value else { panic!("no list") };
        assert_eq!(list.iter().map(|node| node.line).collect::<Vec<_>>(), [4, 5]);
        let c = documents[1].member("c").unwrap();
        assert_eq!((c.line, c.member("d").unwrap().truth()), (7, Some(true)));
    }

    #[test]
    fn what_comes_before_a_mistake_is_read() {
        let (documents, error) = parse_yaml("a: 1\n---\nb: [1\n---\n");
        assert_eq!(documents.len(), 1);
        assert!(error.unwrap().line >= 3);
        let (_, error) = parse_yaml("a: 1\na: 2");
        assert_eq!(error.unwrap(), DocumentError::new(2, "a is in line 1 already"));
    }

    #[test]
    fn aliases_are_followed_but_not_without_end() {
        let (documents, error) = parse_yaml("a: &x {b: 1}\nc: *x\n");
        assert_eq!(error, None);
        assert_eq!(documents[0].member("c").unwrap().member("b").unwrap().integer(), Some(1));
        let mut laughs = "l0: &l0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let below = format!("*l{}", level - 1);
            let row = vec![below; 9].join(", ");
            laughs += &format!("l{level}: &l{level} [{row}]\n");
        }
        let (_, error) = parse_yaml(&laughs);
        assert!(error.unwrap().reason.contains("more than"));
        let (_, error) = parse_yaml(&("[".repeat(100) + &"]".repeat(100)));
        assert!(error.unwrap().reason.contains("deep"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(?s)([-:,{}\\[\\]&*!|>'\"%@`# \\n\\ta-c~.?]|.){0,60}") {
            let _ = parse_yaml(&text);
        }
    }
}
