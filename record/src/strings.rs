//! Texts that occur again and again, kept once each.

use crate::json::Json;
use std::collections::HashMap;

/// The number of a text.
pub(crate) type Text = u32;

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Strings {
    texts: Vec<String>,
    numbers: HashMap<String, Text>,
}

impl Strings {
    pub(crate) fn number(&mut self, text: &str) -> Text {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.texts.len() as Text;
        self.texts.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }

    pub(crate) fn text(&self, number: Text) -> &str {
        &self.texts[number as usize]
    }
}

impl Json for Strings {
    fn write(&self, json: &mut String) {
        self.texts.write(json);
    }
}
