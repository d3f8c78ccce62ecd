//! Bodies as Jackson reads them: with the place of each value, which its messages tell.

use crate::connector_config::Properties;

/// How deep values may lie within each other, as Jackson has it.
const DEEPEST: usize = 1000;
const SOURCE: &str = "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled)";

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) value: JsonValue,
    place: Place,
    /// Behind its last character.
    end: Place,
}

/// A line and a column, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{SOURCE}; line: {}, column: {}]", self.line, self.column)
    }
}

/// A JSON value; numbers as they are written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum JsonValue {
    Null,
    Boolean(bool),
    Number(String),
    Text(String),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    /// Reads a body; `None` if there is none.
    ///
    /// # Errors
    /// Jackson's message for what is no JSON.
    pub(super) fn parse(body: &[u8]) -> Result<Option<Self>, String> {
        let text = std::str::from_utf8(body).map_err(|_| "Invalid UTF-8 in the request's body".to_owned())?;
        let mut parser = Parser { text, at: 0 };
        parser.skip_space();
        if parser.peek().is_none() {
            return Ok(None);
        }
        let node = parser.value(0)?;
        parser.skip_space();
        if parser.peek().is_some() {
            // What follows has to be a token, and then is one too many.
            parser.value(0)?;
            return Err(format!("Trailing token found after value\n at {}", parser.place(parser.at)));
        }
        Ok(Some(node))
    }

    /// Whether it is null.
    pub(super) fn is_null(&self) -> bool {
        self.value == JsonValue::Null
    }

    /// The members of the object that this is.
    ///
    /// # Errors
    /// Jackson's message for anything else in the place of an object of this Java class.
    pub(super) fn object(&self, class: &str, chain: &str) -> Result<&[(String, Self)], String> {
        match &self.value {
            JsonValue::Object(members) => Ok(members),
            _ => Err(self.mismatch(class, chain)),
        }
    }

    /// The text that this is; numbers and truths are taken for their text, as Jackson does.
    ///
    /// # Errors
    /// Jackson's message for a list or an object.
    pub(super) fn text(&self, chain: &str) -> Result<Option<String>, String> {
        match &self.value {
            JsonValue::Null => Ok(None),
            JsonValue::Boolean(value) => Ok(Some(value.to_string())),
            JsonValue::Number(text) | JsonValue::Text(text) => Ok(Some(text.clone())),
            JsonValue::Array(_) | JsonValue::Object(_) => Err(self.mismatch("java.lang.String", chain)),
        }
    }

    /// The config that this is. `chain` is where it stands within the body.
    ///
    /// # Errors
    /// Jackson's message for a value that is no text.
    pub(super) fn properties(&self, chain: &str) -> Result<Properties, String> {
        let mut properties = Properties::new();
        for (name, value) in self.object("java.util.LinkedHashMap<java.lang.String,java.lang.String>", chain)? {
            let arrow = if chain.is_empty() { "" } else { "->" };
            let value = value.text(&format!("{chain}{arrow}java.util.LinkedHashMap[\"{name}\"]"))?;
            properties.set_nullable(name.as_str(), value);
        }
        Ok(properties)
    }

    /// Jackson's message with this place.
    pub(super) fn message(&self, what: &str, chain: &str) -> String {
        format!("{what}\n at {}{}", self.place, through(chain))
    }

    /// Jackson's message for a member that no field of a Java class takes: it is told once the whole object was read.
    pub(super) fn unrecognized(&self, field: &str, class: &str, fields: &[&str], known: &str) -> String {
        self.unrecognized_within("", field, class, fields, known)
    }

    /// The same within something else. Behind all `fields` that the class has, the one too many is told at once: behind the
    /// first token of its value.
    pub(super) fn unrecognized_within(
        &self,
        chain: &str,
        field: &str,
        class: &str,
        fields: &[&str],
        known: &str,
    ) -> String {
        let JsonValue::Object(members) = &self.value else { return String::new() };
        let at = members.iter().position(|(name, _)| name == field).unwrap_or_default();
        let complete = fields.iter().all(|known| members[..at].iter().any(|(name, _)| name == known));
        let place = if complete { members[at].1.first_token_end() } else { self.end };
        let what = format!("Unrecognized field \"{field}\" (class {class}), not marked as ignorable ({known})");
        let arrow = if chain.is_empty() { "" } else { "->" };
        format!("{what}\n at {place}{}", through(&format!("{chain}{arrow}{class}[\"{field}\"]")))
    }

    fn first_token_end(&self) -> Place {
        match self.value {
            JsonValue::Array(_) | JsonValue::Object(_) => Place { column: self.place.column + 1, ..self.place },
            _ => self.end,
        }
    }

    pub(super) fn mismatch(&self, class: &str, chain: &str) -> String {
        let bare = class.split('<').next().unwrap_or(class);
        let none = |kind: &str, from: &str, value: &str| {
            let what = format!(
                "Cannot construct instance of `{bare}` (although at least one Creator exists): no {kind}-argument \
                 constructor/factory method to deserialize from {from} value ({value})"
            );
            self.message(&what, chain)
        };
        match &self.value {
            JsonValue::Text(text) if !class.starts_with("java.util.ArrayList") => {
                return none("String", "String", &format!("'{text}'"));
            }
            JsonValue::Number(text) if !class.starts_with("java.util.") => return none("int/Int", "Number", text),
            _ => {}
        }
        let (from, token) = match self.value {
            JsonValue::Array(_) => ("Array value", "START_ARRAY"),
            JsonValue::Object(_) => ("Object value", "START_OBJECT"),
            JsonValue::Text(_) => ("String value", "VALUE_STRING"),
            JsonValue::Number(_) => ("Integer value", "VALUE_NUMBER_INT"),
            JsonValue::Boolean(_) => ("Boolean value", "VALUE_TRUE"),
            JsonValue::Null => ("Null value", "VALUE_NULL"),
        };
        self.message(
            &format!("Cannot deserialize value of type `{class}` from {from} (token `JsonToken.{token}`)"),
            chain,
        )
    }

    /// The same as `serde_json` has it.
    pub(super) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            JsonValue::Null => serde_json::Value::Null,
            JsonValue::Boolean(value) => (*value).into(),
            JsonValue::Number(text) => serde_json::from_str(text).unwrap_or(serde_json::Value::Null),
            JsonValue::Text(text) => text.as_str().into(),
            JsonValue::Array(items) => items.iter().map(Self::to_json).collect(),
            JsonValue::Object(members) => members.iter().map(|(name, value)| (name.clone(), value.to_json())).collect(),
        }
    }
}

fn through(chain: &str) -> String {
    if chain.is_empty() { String::new() } else { format!(" (through reference chain: {chain})") }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl Parser<'_> {
    fn place(&self, at: usize) -> Place {
        let before = &self.text[..at];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Place { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn skip_space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    fn value(&mut self, depth: usize) -> Result<Node, String> {
        if depth > DEEPEST {
            return Err(format!(
                "Document nesting depth ({depth}) exceeds the maximum allowed ({DEEPEST}, from \
                 `StreamReadConstraints.getMaxNestingDepth()`)"
            ));
        }
        let place = self.place(self.at);
        let value = match self.peek() {
            Some('{') => self.object(place, depth)?,
            Some('[') => self.array(place, depth)?,
            Some('"') => JsonValue::Text(self.string()?),
            Some('-' | '0'..='9') => self.number()?,
            _ => self.word()?,
        };
        Ok(Node { value, place, end: self.place(self.at) })
    }

    fn object(&mut self, start: Place, depth: usize) -> Result<JsonValue, String> {
        let mut members: Vec<(String, Node)> = Vec::new();
        self.at += 1;
        loop {
            self.skip_space();
            match self.peek() {
                Some('}') if members.is_empty() => break self.at += 1,
                Some('"') => {}
                None if members.is_empty() => return Err(self.unclosed("Object", start)),
                None => return Err(self.between("Object entries")),
                Some(other) => return Err(self.unexpected(other, "was expecting double-quote to start field name")),
            }
            let name = self.string()?;
            self.skip_space();
            match self.peek() {
                Some(':') => self.at += 1,
                None => return Err(self.between("Object entries")),
                Some(other) => {
                    return Err(self.unexpected(other, "was expecting a colon to separate field name and value"));
                }
            }
            self.skip_space();
            let value = self.value(depth + 1)?;
            match members.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = value,
                None => members.push((name, value)),
            }
            self.skip_space();
            match self.peek() {
                Some(',') => self.at += 1,
                Some('}') => break self.at += 1,
                None => return Err(self.unclosed("Object", start)),
                Some(other) => return Err(self.unexpected(other, "was expecting comma to separate Object entries")),
            }
        }
        Ok(JsonValue::Object(members))
    }

    fn array(&mut self, start: Place, depth: usize) -> Result<JsonValue, String> {
        let mut items = Vec::new();
        self.at += 1;
        loop {
            self.skip_space();
            match self.peek() {
                Some(']') if items.is_empty() => break self.at += 1,
                None if items.is_empty() => return Err(self.unclosed("Array", start)),
                None => return Err(self.between("Array entries")),
                _ => items.push(self.value(depth + 1)?),
            }
            self.skip_space();
            match self.peek() {
                Some(',') => self.at += 1,
                Some(']') => break self.at += 1,
                None => return Err(self.unclosed("Array", start)),
                Some(other) => return Err(self.unexpected(other, "was expecting comma to separate Array entries")),
            }
        }
        Ok(JsonValue::Array(items))
    }

    fn string(&mut self) -> Result<String, String> {
        let from = self.at;
        let mut escaped = false;
        for (offset, character) in self.text[from + 1..].char_indices() {
            match character {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    self.at = from + offset + 2;
                    let whole = &self.text[from..self.at];
                    return serde_json::from_str(whole).map_err(|error| format!("{error}\n at {}", self.place(from)));
                }
                _ => {}
            }
        }
        self.at = self.text.len();
        let what = "Unexpected end-of-input: was expecting closing quote for a string value";
        Err(format!("{what}\n at {}", self.place(self.at)))
    }

    fn number(&mut self) -> Result<JsonValue, String> {
        let rest = &self.text[self.at..];
        let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c))).unwrap_or(rest.len());
        let text = &rest[..length];
        if serde_json::from_str::<serde_json::Number>(text).is_err() {
            return Err(format!("Unrecognized token '{text}': was expecting a number\n at {}", self.place(self.at)));
        }
        self.at += length;
        Ok(JsonValue::Number(text.to_owned()))
    }

    fn word(&mut self) -> Result<JsonValue, String> {
        let rest = &self.text[self.at..];
        let length = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let word = &rest[..length];
        let value = match word {
            "null" => JsonValue::Null,
            "true" => JsonValue::Boolean(true),
            "false" => JsonValue::Boolean(false),
            "" => match self.peek() {
                Some(other) => {
                    return Err(self.unexpected(
                        other,
                        "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
                    ));
                }
                None => return Err(self.between("Object entries")),
            },
            _ => {
                let expected = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
                self.at += length;
                return Err(format!(
                    "Unrecognized token '{word}': was expecting {expected}\n at {}",
                    self.place(self.at)
                ));
            }
        };
        self.at += length;
        Ok(value)
    }

    fn unexpected(&self, found: char, expected: &str) -> String {
        let place = self.place(self.at);
        format!("Unexpected character ('{found}' (code {})): {expected}\n at {place}", u32::from(found))
    }

    fn unclosed(&self, what: &str, start: Place) -> String {
        let place = self.place(self.text.len());
        format!("Unexpected end-of-input: expected close marker for {what} (start marker at {start})\n at {place}")
    }

    fn between(&self, what: &str) -> String {
        format!("Unexpected end-of-input within/between {what}\n at {}", self.place(self.text.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_in_the_place_of_an_object_is_told_with_its_place() {
        let node = Node::parse(b"{\"name\": \"v\",\n \"config\": {\"a\": 1}}").unwrap().unwrap();
        let error = node.properties("").unwrap_err();
        assert_eq!(
            error,
            "Cannot deserialize value of type `java.lang.String` from Object value (token `JsonToken.START_OBJECT`)\n at \
             [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 2, column: 12] (through \
             reference chain: java.util.LinkedHashMap[\"config\"])"
        );
    }

    #[test]
    fn a_member_too_many_is_told_with_the_objects_end() {
        let node = Node::parse(b"{\"foo\": 1}").unwrap().unwrap();
        let error = node.unrecognized("foo", "a.B", &["c"], "one known property: \"c\"");
        assert!(error.contains("line: 1, column: 11] (through reference chain: a.B[\"foo\"])"), "{error}");

        let node = Node::parse(br#"{"c":[],"foo":[1]}"#).unwrap().unwrap();
        let error = node.unrecognized("foo", "a.B", &["c"], "one known property: \"c\"");
        assert!(error.contains("line: 1, column: 16] (through reference chain: a.B[\"foo\"])"), "{error}");
    }

    #[test]
    fn what_follows_the_body_is_refused() {
        assert!(Node::parse(b"{} x").unwrap_err().starts_with("Unrecognized token 'x'"));
        assert!(Node::parse(b"{} \n ").unwrap().is_some());
    }

    #[test]
    fn a_scalar_in_the_place_of_an_object_is_told_as_one_that_nothing_makes_it_of() {
        let node = Node::parse(b"\"x\"").unwrap().unwrap();
        let error = node.object("a.B", "").unwrap_err();
        assert!(
            error.starts_with(
                "Cannot construct instance of `a.B` (although at least one Creator exists): no String-argument \
                 constructor/factory method to deserialize from String value ('x')\n at"
            ),
            "{error}"
        );
    }

    #[test]
    fn scalars_are_taken_for_their_text() {
        let node = Node::parse(b" {\"a\": 5000, \"b\": true, \"c\": null, \"d\": 1.50} ").unwrap().unwrap();
        assert_eq!(node.properties("").unwrap().to_string(), "{a=5000, b=true, c=null, d=1.50}");
    }

    proptest::proptest! {
        #[test]
        fn what_serde_reads_is_read_the_same(text in "[\\[\\]{}:,\"a1.e\\\\ntrue -]{0,30}") {
            let ours = Node::parse(text.as_bytes());
            if let Ok(theirs) = serde_json::from_str::<serde_json::Value>(&text) {
                proptest::prop_assert_eq!(ours.unwrap().unwrap().to_json(), theirs);
            }
        }

        #[test]
        fn nothing_panics(body: Vec<u8>) {
            let _ = Node::parse(&body);
        }
    }
}
