//! JSON, as far as time lines need it.
//!
//! Written by hand, although there are libraries: one of them in the build adds implementations of `PartialEq` for its
//! values to every type in the program, and `assert_eq!(list, [])` elsewhere does not compile any more. Recording must not
//! change what else compiles.

use std::fmt::Write;

/// What can be written as JSON.
pub(crate) trait Json {
    fn write(&self, json: &mut String);
}

/// Its members, in this order.
pub(crate) struct Object<'a>(pub(crate) &'a [(&'a str, &'a dyn Json)]);

/// JSON that was written before.
pub(crate) struct Written(pub(crate) String);

pub(crate) fn to_string(value: &dyn Json) -> String {
    let mut json = String::new();
    value.write(&mut json);
    json
}

impl Json for Object<'_> {
    fn write(&self, json: &mut String) {
        json.push('{');
        for (index, (name, value)) in self.0.iter().enumerate() {
            if index > 0 {
                json.push(',');
            }
            name.write(json);
            json.push(':');
            value.write(json);
        }
        json.push('}');
    }
}

impl Json for Written {
    fn write(&self, json: &mut String) {
        json.push_str(&self.0);
    }
}

impl<T: Json> Json for [T] {
    fn write(&self, json: &mut String) {
        json.push('[');
        for (index, value) in self.iter().enumerate() {
            if index > 0 {
                json.push(',');
            }
            value.write(json);
        }
        json.push(']');
    }
}

impl<T: Json> Json for Vec<T> {
    fn write(&self, json: &mut String) {
        self.as_slice().write(json);
    }
}

impl<A: Json, B: Json> Json for (A, B) {
    fn write(&self, json: &mut String) {
        json.push('[');
        self.0.write(json);
        json.push(',');
        self.1.write(json);
        json.push(']');
    }
}

impl<T: Json> Json for Option<T> {
    fn write(&self, json: &mut String) {
        match self {
            Some(value) => value.write(json),
            None => json.push_str("null"),
        }
    }
}

impl<T: Json + ?Sized> Json for &T {
    fn write(&self, json: &mut String) {
        (**self).write(json);
    }
}

impl Json for str {
    fn write(&self, json: &mut String) {
        json.push('"');
        for letter in self.chars() {
            match letter {
                '"' => json.push_str("\\\""),
                '\\' => json.push_str("\\\\"),
                letter if (letter as u32) < 0x20 => number(json, format_args!("\\u{:04x}", letter as u32)),
                letter => json.push(letter),
            }
        }
        json.push('"');
    }
}

impl Json for String {
    fn write(&self, json: &mut String) {
        self.as_str().write(json);
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Json for $number {
            fn write(&self, json: &mut String) {
                number(json, format_args!("{self}"));
            }
        }
    )*};
}

// A float here is a time, and never infinite or not a number.
numbers!(u32, u64, usize, f64);

fn number(json: &mut String, number: std::fmt::Arguments<'_>) {
    json.write_fmt(number).expect("a string takes everything");
}
