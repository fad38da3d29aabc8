//! Spans: parts that lie near one another are read as one.
//!
//! ```text
//!   parts    ▆▆  ▆▆▆ ▆        ▆▆           many, small, anywhere
//!   spans    ▆▆▆▆▆▆▆▆▆        ▆▆           few: what lies between is read too, and thrown away
//! ```
//!
//! For the kernel a part is a page to be looked up, however small it is: to copy some hundred bytes more takes a tenth of
//! that time.

/// What may lie between two parts of one span.
const GAP: u64 = 1024;

/// How long a span may become by taking in another part. (One part may be longer.)
const LONGEST: u64 = 64 << 10;

struct Span {
    start: u64,
    length: u64,
    /// Its parts, by their places in the order of addresses.
    parts: std::ops::Range<usize>,
}

/// Fills the buffer with the parts, one after the other, and says which could be read. `read` does the same, part by part.
/// What is in `bytes` does not matter, then or after; it is memory for the spans.
pub(crate) fn read(
    parts: &[(u64, usize)],
    buffer: &mut [u8],
    bytes: &mut Vec<u8>,
    mut read: impl FnMut(&[(u64, usize)], &mut [u8]) -> Vec<bool>,
) -> Vec<bool> {
    let mut order: Vec<usize> = (0..parts.len()).collect();
    // Often they are in their order: what was made one after the other, lies so.
    if !parts.is_sorted_by_key(|part| part.0) {
        order.sort_by_key(|part| parts[*part].0);
    }
    let spans = spans(parts, &order);
    if spans.len() * 2 > parts.len() {
        return read(parts, buffer);
    }
    let offsets = offsets(parts);
    let wholes: Vec<(u64, usize)> = spans.iter().map(|span| (span.start, span.length as usize)).collect();
    let length = wholes.iter().map(|whole| whole.1).sum();
    if bytes.len() < length {
        bytes.resize(length, 0);
    }
    let is_read = read(&wholes, &mut bytes[..length]);
    let mut all_read = vec![true; parts.len()];
    let mut rest = &bytes[..];
    for (span, is_read) in spans.iter().zip(is_read) {
        let (whole, after) = rest.split_at(span.length as usize);
        rest = after;
        for &part in &order[span.parts.clone()] {
            let (address, length) = parts[part];
            let place = &mut buffer[offsets[part]..offsets[part] + length];
            if is_read {
                place.copy_from_slice(&whole[(address - span.start) as usize..][..length]);
            } else {
                // Not all of the span is there; perhaps this is.
                all_read[part] = read(&[(address, length)], place) == [true];
            }
        }
    }
    all_read
}

fn spans(parts: &[(u64, usize)], order: &[usize]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for (at, part) in order.iter().enumerate() {
        let (address, length) = (parts[*part].0, parts[*part].1 as u64);
        if let Some(span) = spans.last_mut()
            && let Some(end) = address.checked_add(length)
            && let Some(span_end) = span.start.checked_add(span.length)
        {
            let end = end.max(span_end);
            if address - span.start <= span.length + GAP && end - span.start <= LONGEST {
                span.length = end - span.start;
                span.parts.end = at + 1;
                continue;
            }
        }
        spans.push(Span { start: address, length, parts: at..at + 1 });
    }
    spans
}

/// Where in the buffer each part is.
fn offsets(parts: &[(u64, usize)]) -> Vec<usize> {
    let mut end = 0;
    let offset = |part: &(u64, usize)| {
        end += part.1;
        end - part.1
    };
    parts.iter().map(offset).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Memory in which there is something at most addresses, and nothing at some.
    fn byte(address: u64) -> Option<u8> {
        (address / 700 % 5 != 3).then_some((address % 251) as u8)
    }

    /// The same, part by part.
    fn simply(parts: &[(u64, usize)], buffer: &mut [u8]) -> Vec<bool> {
        let mut rest = buffer;
        let mut all_read = Vec::new();
        for (address, length) in parts {
            let (part, after) = rest.split_at_mut(*length);
            rest = after;
            let bytes: Option<Vec<u8>> =
                (0..*length as u64).map(|at| byte(address.checked_add(at)?)).collect();
            all_read.push(bytes.is_some());
            part.copy_from_slice(&bytes.unwrap_or_else(|| vec![0; *length]));
        }
        all_read
    }

    proptest! {
        #[test]
        fn what_is_read_in_spans_is_what_is_read_part_by_part(
            parts in prop::collection::vec((prop_oneof![0..20_000_u64, u64::MAX - 3000..u64::MAX], 0..300_usize), 0..200),
        ) {
            let length = parts.iter().map(|part| part.1).sum();
            let (mut expected, mut found) = (vec![0; length], vec![0; length]);
            let all_expected = simply(&parts, &mut expected);
            let all_read = read(&parts, &mut found, &mut Vec::new(), simply);
            prop_assert_eq!(&all_read, &all_expected);
            let offsets = offsets(&parts);
            for (number, (_, length)) in parts.iter().enumerate().filter(|(number, _)| all_read[*number]) {
                let place = offsets[number]..offsets[number] + length;
                prop_assert_eq!(&found[place.clone()], &expected[place]);
            }
        }
    }
}
