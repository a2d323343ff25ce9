//! XML-RPC as redirection services of phone makers are administered by it: calls read, answers written.
//!
//! Known are text, whole numbers, booleans and arrays. No entity but the five of XML is known, and there is no
//! DOCTYPE.

use std::fmt;

use quick_xml::Reader;
use quick_xml::escape::{escape, resolve_predefined_entity};
use quick_xml::events::Event;

/// The longest call, in bytes.
pub const MOST_BYTES: usize = 1 << 16;
/// Arrays in arrays.
const MOST_DEPTH: usize = 8;
/// Values of one call.
const MOST_VALUES: usize = 4_096;

/// A value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Value {
    /// A text; also a value whose type is not named.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Bool(bool),
    /// Values in their order.
    Array(Vec<Value>),
}

/// A method that is called.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Call {
    /// Its name, as in `redirect.registerDevice`.
    pub method: String,
    /// What it is given.
    pub params: Vec<Value>,
}

/// A text that is no call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flaw {
    /// It is no XML, or has a DOCTYPE.
    Xml,
    /// It is XML, and no `methodCall`.
    Shape,
    /// A value has a type that is not known here, or is not of its type.
    Value,
    /// It has more than is read.
    TooLarge,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Xml => "this is no XML",
            Self::Shape => "this is no methodCall with methodName and params",
            Self::Value => "a value is no string, int, boolean or array",
            Self::TooLarge => "the call is too large",
        })
    }
}

impl std::error::Error for Flaw {}

impl Call {
    /// Reads a call.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        if text.len() > MOST_BYTES {
            return Err(Flaw::TooLarge);
        }
        let mut xml = Tokens { reader: Reader::from_str(text), values: 0 };
        xml.reader.config_mut().expand_empty_elements = true;
        xml.begin("methodCall")?;
        xml.begin("methodName")?;
        let method = xml.text_until("methodName")?.trim().to_owned();
        let mut params = Vec::new();
        match xml.next()? {
            Token::End(_) => {}
            Token::Begin(name) if name == "params" => {
                while xml.begins_or_ends("param", "params")? {
                    xml.begin("value")?;
                    params.push(xml.value(0)?);
                    xml.end("param")?;
                }
                xml.end("methodCall")?;
            }
            _ => return Err(Flaw::Shape),
        }
        if method.is_empty() { Err(Flaw::Shape) } else { Ok(Self { method, params }) }
    }
}

/// An answer.
pub fn answer(value: &Value) -> String {
    let mut out = "<?xml version=\"1.0\"?><methodResponse><params><param>".to_owned();
    write(value, &mut out);
    out + "</param></params></methodResponse>\n"
}

/// That a method cannot be called so, and why.
pub fn fault(code: i64, text: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><methodResponse><fault><value><struct><member><name>faultCode</name><value><int>{code}\
         </int></value></member><member><name>faultString</name><value><string>{}</string></value></member></struct>\
         </value></fault></methodResponse>\n",
        escape(text)
    )
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Text(text) => {
            out.push_str(&format!("<value><string>{}</string></value>", escape(text.as_str())))
        }
        Value::Number(number) => out.push_str(&format!("<value><int>{number}</int></value>")),
        Value::Bool(is) => out.push_str(&format!("<value><boolean>{}</boolean></value>", u8::from(*is))),
        Value::Array(all) => {
            out.push_str("<value><array><data>");
            all.iter().for_each(|one| write(one, out));
            out.push_str("</data></array></value>");
        }
    }
}

enum Token {
    Begin(String),
    End(String),
    Text(String),
    Over,
}

struct Tokens<'a> {
    reader: Reader<&'a [u8]>,
    values: usize,
}

impl Tokens<'_> {
    /// The next token; comments and the XML declaration are none.
    fn raw(&mut self) -> Result<Token, Flaw> {
        loop {
            return Ok(match self.reader.read_event().map_err(|_| Flaw::Xml)? {
                Event::Start(begin) => Token::Begin(begin.local_name().as_ref().to_owned()),
                Event::End(end) => Token::End(end.local_name().as_ref().to_owned()),
                Event::Text(text) => Token::Text(text.xml10_content().into_owned()),
                Event::CData(text) => Token::Text(text.xml10_content().into_owned()),
                Event::GeneralRef(entity) => {
                    let sign = entity.resolve_char_ref().map_err(|_| Flaw::Xml)?.map(String::from);
                    let known = sign
                        .or_else(|| resolve_predefined_entity(&entity.xml10_content()).map(str::to_owned));
                    Token::Text(known.ok_or(Flaw::Xml)?)
                }
                Event::Eof => Token::Over,
                Event::DocType(_) => return Err(Flaw::Xml),
                _ => continue,
            });
        }
    }

    /// The next token that is not blank.
    fn next(&mut self) -> Result<Token, Flaw> {
        loop {
            match self.raw()? {
                Token::Text(text) if text.trim().is_empty() => {}
                token => return Ok(token),
            }
        }
    }

    fn begin(&mut self, expected: &str) -> Result<(), Flaw> {
        if matches!(self.next()?, Token::Begin(name) if name == expected) { Ok(()) } else { Err(Flaw::Shape) }
    }

    fn end(&mut self, expected: &str) -> Result<(), Flaw> {
        if matches!(self.next()?, Token::End(name) if name == expected) { Ok(()) } else { Err(Flaw::Shape) }
    }

    /// Whether another `one` begins, or `all` ends.
    fn begins_or_ends(&mut self, one: &str, all: &str) -> Result<bool, Flaw> {
        match self.next()? {
            Token::Begin(name) if name == one => Ok(true),
            Token::End(name) if name == all => Ok(false),
            _ => Err(Flaw::Shape),
        }
    }

    fn text_until(&mut self, end: &str) -> Result<String, Flaw> {
        let mut all = String::new();
        loop {
            match self.raw()? {
                Token::Text(text) => all.push_str(&text),
                Token::End(name) if name == end => return Ok(all),
                _ => return Err(Flaw::Shape),
            }
        }
    }

    /// The value whose element has begun.
    fn value(&mut self, depth: usize) -> Result<Value, Flaw> {
        self.values += 1;
        if depth > MOST_DEPTH || self.values > MOST_VALUES {
            return Err(Flaw::TooLarge);
        }
        let mut bare = String::new();
        loop {
            match self.raw()? {
                Token::Text(text) => bare.push_str(&text),
                Token::End(_) => return Ok(Value::Text(bare)),
                Token::Over => return Err(Flaw::Shape),
                Token::Begin(kind) if kind == "array" => {
                    self.begin("data")?;
                    let mut all = Vec::new();
                    while self.begins_or_ends("value", "data")? {
                        all.push(self.value(depth + 1)?);
                    }
                    self.end("array")?;
                    self.end("value")?;
                    return Ok(Value::Array(all));
                }
                Token::Begin(kind) => {
                    let text = self.text_until(&kind)?;
                    self.end("value")?;
                    return typed(&kind, text);
                }
            }
        }
    }
}

fn typed(kind: &str, text: String) -> Result<Value, Flaw> {
    match (kind, text.trim()) {
        ("string", _) => Ok(Value::Text(text)),
        ("int" | "i4" | "i8", number) => number.parse().map(Value::Number).map_err(|_| Flaw::Value),
        ("boolean", "1" | "true") => Ok(Value::Bool(true)),
        ("boolean", "0" | "false") => Ok(Value::Bool(false)),
        _ => Err(Flaw::Value),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn call(params: &str) -> Result<Call, Flaw> {
        Call::parse(&format!(
            "<?xml version='1.0'?>\n<methodCall>\n<methodName>redirect.x</methodName>\n{params}</methodCall>\n"
        ))
    }

    #[test]
    fn a_call_is_read_as_programs_write_it() {
        let params = "<params>\n<param>\n<value><string>00:15&amp;&#65;</string></value>\n</param><param><value>bare</value></param>\
             <param><value><array><data><value><int>7</int></value><value><boolean>1</boolean></value></data></array></value></param>\
             <param><value><string/></value></param></params>";
        let text = |text: &str| Value::Text(text.to_owned());
        let list = Value::Array(vec![Value::Number(7), Value::Bool(true)]);
        let read = call(params).expect("a call");
        assert_eq!(read.method, "redirect.x");
        assert_eq!(read.params, [text("00:15&A"), text("bare"), list, text("")]);
        assert_eq!(call("").expect("a call").params, []);
    }

    #[test]
    fn what_is_no_call_is_refused() {
        let deep = format!("<params><param>{}", "<value><array><data>".repeat(100));
        let many = format!("<params><param><value><array><data>{}", "<value>x</value>".repeat(4_100));
        for (params, flaw) in [
            ("<params><param><value><struct></struct></value></param></params>", Flaw::Value),
            ("<params><param><value><int>x</int></value></param></params>", Flaw::Value),
            ("<params><param><value>&lol;</value></param></params>", Flaw::Xml),
            ("<other/>", Flaw::Shape),
            (&deep, Flaw::TooLarge),
        ] {
            assert_eq!(call(params), Err(flaw), "{params:.80}");
        }
        assert_eq!(
            Call::parse(&many.replace("<params>", "<methodCall><methodName>x</methodName><params>")),
            Err(Flaw::TooLarge)
        );
        assert_eq!(Call::parse("<!DOCTYPE a [<!ENTITY lol 'lol'>]><methodCall/>"), Err(Flaw::Xml));
        assert_eq!(Call::parse(""), Err(Flaw::Shape));
        assert_eq!(Call::parse(&" ".repeat(MOST_BYTES + 1)), Err(Flaw::TooLarge));
    }

    #[test]
    fn answers_are_written() {
        let value = Value::Array(vec![Value::Bool(false), Value::Text("a<b".to_owned()), Value::Number(-1)]);
        let written = answer(&value);
        assert!(
            written.contains("<boolean>0</boolean>")
                && written.contains("a&lt;b")
                && written.contains("<int>-1</int>")
        );
        assert!(fault(-32_601, "no <method>").contains("<int>-32601</int>"));
    }

    proptest! {
        #[test]
        fn no_text_is_fatal(text in "\\PC{0,200}") {
            let _ = Call::parse(&text);
            let _ = call(&text);
        }

        #[test]
        fn what_is_written_is_read(text in "[ -~äß]{0,40}", number in any::<i64>(), is in any::<bool>()) {
            let value = Value::Array(vec![Value::Text(text), Value::Number(number), Value::Bool(is)]);
            let written = answer(&value).replace("methodResponse>", "methodCall>");
            let written = written.replacen("<params>", "<methodName>m</methodName><params>", 1);
            prop_assert_eq!(Call::parse(&written).expect("a call").params, [value]);
        }
    }
}
