//! Numbers, places and times as text, without the detour by way of a formatter: half of what a tree of a hundred thousand
//! tasks consists of are these.

use super::frame::Place;

/// In decimal.
pub(super) fn push_decimal(text: &mut String, number: u64) {
    push_digits::<10>(text, number);
}

/// As `{:#x}` does.
pub(super) fn push_hex(text: &mut String, number: u64) {
    text.push_str("0x");
    push_digits::<16>(text, number);
}

/// How many digits that takes.
pub(super) fn hex_width(number: u64) -> usize {
    2 + (number.max(1).ilog2() / 4 + 1) as usize
}

/// And in decimal.
pub(super) fn decimal_width(number: u32) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

fn push_digits<const BASE: u64>(text: &mut String, mut number: u64) {
    // As many as a number of 64 bits has in decimal.
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b"0123456789abcdef"[(number % BASE) as usize];
        number /= BASE;
        if number == 0 {
            break;
        }
    }
    // (Seven bits each, as the compiler sees then as well: no digit is looked at for whether it takes two bytes.)
    text.extend(digits[first..].iter().map(|digit| char::from(digit & 0x7f)));
}

/// As its `Display` does.
pub(super) fn push_place(text: &mut String, place: &Place) {
    text.push_str(&place.file);
    text.push(':');
    push_decimal(text, place.line.into());
    if place.column != 0 {
        text.push(':');
        push_decimal(text, place.column.into());
    }
}

/// When a deadline is due, rounded to milliseconds: `due in 1.5s`.
pub(super) fn push_due(text: &mut String, deadline: u64, now: u64) {
    /// A timer that never fires.
    const NEVER: u64 = u64::MAX;
    match deadline {
        NEVER => text.push_str("never due"),
        deadline if deadline <= now => text.push_str("due now"),
        deadline => {
            text.push_str("due in ");
            push_millis(text, (deadline - now).div_ceil(1_000_000));
        }
    }
}

/// As the `Debug` of a `Duration` does.
fn push_millis(text: &mut String, millis: u64) {
    let (seconds, rest) = (millis / 1000, millis % 1000);
    if seconds == 0 {
        push_decimal(text, rest);
        return text.push_str("ms");
    }
    push_decimal(text, seconds);
    if rest != 0 {
        let digits = [rest / 100, rest / 10 % 10, rest % 10];
        let last = digits.iter().rposition(|digit| *digit != 0).unwrap_or(0);
        text.push('.');
        text.extend(digits[..=last].iter().map(|digit| char::from(b'0' + *digit as u8)));
    }
    text.push('s');
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn pushed(push: impl FnOnce(&mut String)) -> String {
        let mut text = String::new();
        push(&mut text);
        text
    }

    #[test]
    fn numbers_read_as_the_standard_library_writes_them() {
        for number in [0, 1, 9, 10, 15, 16, 255, 4096, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            assert_eq!(pushed(|text| push_decimal(text, number)), number.to_string());
            assert_eq!(pushed(|text| push_hex(text, number)), format!("{number:#x}"));
            assert_eq!(hex_width(number), format!("{number:#x}").len());
            assert_eq!(decimal_width(number as u32), (number as u32).to_string().len());
        }
    }

    #[test]
    fn times_read_as_a_duration_does() {
        for millis in [1, 20, 999, 1000, 1001, 1010, 1100, 59_000, 3_598_929, 1 << 40] {
            let expected = format!("{:?}", Duration::from_millis(millis));
            assert_eq!(pushed(|text| push_millis(text, millis)), expected);
        }
        assert_eq!(pushed(|text| push_due(text, 5, 5)), "due now");
        assert_eq!(pushed(|text| push_due(text, 6, 5)), "due in 1ms");
        assert_eq!(pushed(|text| push_due(text, u64::MAX, 5)), "never due");
    }
}
