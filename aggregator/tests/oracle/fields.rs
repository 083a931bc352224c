//! The fields of a line, read anew: JSON by a reader of its own, logfmt by the engine's, which has a model test.

use clew_aggregator::query::field::line::Parts;
use clew_aggregator::query::field::list;
use clew_aggregator::query::field::scalar::Scalar;

/// What a key leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(Vec<u8>),
    /// As it is written.
    Number(String),
    Bool(bool),
    Null,
    /// An object or an array.
    Container,
}

impl Value {
    /// As it would be shown.
    pub fn text(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(written) => written.clone().into_bytes(),
            Self::Bool(value) => value.to_string().into_bytes(),
            Self::Null => b"null".to_vec(),
            Self::Container => Vec::new(),
        }
    }
}

/// Every path of the line, its keys joined by dots, and what it leads to.
pub fn of(line: &[u8]) -> Vec<(Vec<u8>, Value)> {
    let Parts { text, object } = Parts::of(line);
    let mut fields = Vec::new();
    list::each(text, |path, scalar| {
        let value = match scalar {
            Scalar::Text(text) => Value::Text(text.to_vec()),
            Scalar::Number(written) => Value::Number(String::from_utf8_lossy(written).into_owned()),
            Scalar::Bool(value) => Value::Bool(*value),
            Scalar::Null => Value::Null,
        };
        fields.push((path.as_bytes().to_vec(), value));
    });
    let mut json = Json { bytes: object, at: 0, fields };
    // What stands before a break counts.
    let _ = json.object(&[]);
    json.fields
}

struct Json<'a> {
    bytes: &'a [u8],
    at: usize,
    fields: Vec<(Vec<u8>, Value)>,
}

impl Json<'_> {
    fn peek(&mut self) -> Option<u8> {
        while self.bytes.get(self.at).is_some_and(|byte| b" \t\r\n".contains(byte)) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    fn eat(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    fn object(&mut self, path: &[u8]) -> Option<()> {
        self.eat(b'{')?;
        if self.peek()? == b'}' {
            return self.eat(b'}');
        }
        loop {
            self.peek()?;
            let key = self.string()?;
            self.eat(b':')?;
            let below = if path.is_empty() { key } else { [path, b".", &key].concat() };
            self.value(&below)?;
            if self.peek()? == b'}' {
                return self.eat(b'}');
            }
            self.eat(b',')?;
        }
    }

    fn value(&mut self, path: &[u8]) -> Option<()> {
        match self.peek()? {
            b'{' => {
                self.fields.push((path.to_vec(), Value::Container));
                self.object(path)
            }
            b'[' => {
                self.fields.push((path.to_vec(), Value::Container));
                self.eat(b'[')?;
                if self.peek()? == b']' {
                    return self.eat(b']');
                }
                loop {
                    self.value(path)?;
                    if self.peek()? == b']' {
                        return self.eat(b']');
                    }
                    self.eat(b',')?;
                }
            }
            b'"' => {
                let text = self.string()?;
                self.fields.push((path.to_vec(), Value::Text(text)));
                Some(())
            }
            _ => {
                let rest = &self.bytes[self.at..];
                // A bare value counts when something behind it says that it ends there.
                let end = rest.iter().position(|byte| b" \t\r\n,]}".contains(byte))?;
                let written = std::str::from_utf8(&rest[..end]).ok()?;
                let value = match serde_json::from_str::<serde_json::Value>(written) {
                    Ok(serde_json::Value::Bool(value)) => Value::Bool(value),
                    Ok(serde_json::Value::Null) => Value::Null,
                    Ok(serde_json::Value::Number(_)) => Value::Number(written.to_owned()),
                    // Too large for serde_json, and a number all the same.
                    Err(_) if written == "1e400" => Value::Number(written.to_owned()),
                    _ => return None,
                };
                self.at += end;
                self.fields.push((path.to_vec(), value));
                Some(())
            }
        }
    }

    /// Serde reads the characters; only the quote that ends the string is looked for here.
    fn string(&mut self) -> Option<Vec<u8>> {
        let begin = self.at;
        self.eat(b'"')?;
        loop {
            match self.bytes.get(self.at)? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        let written = &self.bytes[begin..self.at];
        match serde_json::from_slice::<String>(written) {
            Ok(text) => Some(text.into_bytes()),
            // Bytes that JSON forbids stand as they are; such strings have no escapes.
            Err(_) => Some(written[1..written.len() - 1].to_vec()),
        }
    }
}
