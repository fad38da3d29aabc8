//! Which part of a file is wanted.

/// From `first` on, up to and without `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) first: u64,
    pub(crate) end: u64,
    of: u64,
}

/// Nothing of what is wanted is there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OutOfRange;

impl Part {
    /// Of a file of this length, what a `Range` asks for: `bytes=10-19`, `bytes=10-`, `bytes=-10` for the last ten. What is
    /// not understood, or asks for several parts, is left out of account, as it may be.
    pub(crate) fn of(length: u64, range: Option<&str>) -> Result<Part, OutOfRange> {
        let all = Part { first: 0, end: length, of: length };
        let Some((first, last)) = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-'))
        else {
            return Ok(all);
        };
        let part = match (first.parse::<u64>(), last.parse::<u64>()) {
            (Ok(first), Ok(last)) if first <= last => Part { first, end: last.saturating_add(1), ..all },
            (Ok(first), Err(_)) if last.is_empty() => Part { first, ..all },
            (Err(_), Ok(count)) if first.is_empty() => Part { first: length.saturating_sub(count), ..all },
            _ => return Ok(all),
        };
        let part = Part { end: part.end.min(length), ..part };
        if part.first < part.end { Ok(part) } else { Err(OutOfRange) }
    }

    pub(crate) fn is_all(self) -> bool {
        self.end - self.first == self.of
    }
}
