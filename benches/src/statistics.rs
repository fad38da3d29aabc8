//! Statistics: what is said of many rounds.
//!
//! Disturbances only ever add time, and now and then a lot, so nothing here is a mean. The middle is the
//! median; the spread is the two quartiles. How well the median itself is known is told by its *interval*:
//! the two order statistics between which the true median lies with 95 % probability, whatever the
//! distribution, for it is a matter of counting coin tosses:
//!
//! ```text
//! sorted:   x x x x x x x x x x x x x x x x x
//!                   │     │ median│     │        each round is as likely above the true median as below
//!               quartile  └──interval──┘ quartile
//! ```

/// The middle of some numbers, and how far it can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Middle {
    /// A quarter of the rounds is below this.
    pub low: f64,
    /// Half of them is below this.
    pub median: f64,
    /// A quarter of the rounds is above this.
    pub high: f64,
    /// Where the true median lies, in 95 of 100 runs: from here …
    pub from: f64,
    /// … to here.
    pub to: f64,
}

impl Middle {
    /// Of at least one number.
    ///
    /// # Panics
    ///
    /// Without a number, and with one that is none.
    pub fn of(numbers: impl IntoIterator<Item = f64>) -> Middle {
        let mut sorted: Vec<f64> = numbers.into_iter().collect();
        assert!(!sorted.is_empty(), "the middle of nothing");
        assert!(sorted.iter().all(|number| !number.is_nan()), "a figure is not a number");
        sorted.sort_by(f64::total_cmp);
        let outside = ranks_outside(sorted.len());
        Middle {
            low: at(&sorted, 0.25),
            median: at(&sorted, 0.5),
            high: at(&sorted, 0.75),
            from: sorted[outside],
            to: sorted[sorted.len() - 1 - outside],
        }
    }
}

/// The number below which `part` of the numbers lie. Sorts them.
///
/// # Panics
///
/// Without a number.
pub fn percentile(numbers: &mut [f64], part: f64) -> f64 {
    numbers.sort_by(f64::total_cmp);
    at(numbers, part)
}

/// A number with about three digits that mean something.
pub fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        size if size >= 0.01 => format!("{value:.3}"),
        size if size >= 0.0001 => format!("{value:.4}"),
        _ => "0".to_owned(),
    }
}

/// Between two neighbours in proportion, so that an even count has its median in the middle of two.
fn at(sorted: &[f64], part: f64) -> f64 {
    let place = part * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

/// How many numbers can be left out at either end, so that the rest still encloses the true median in 95
/// cases of 100: the largest `k` with P(at most `k` of `count` coins show heads) ≤ 2.5 %. Of five numbers or
/// fewer, none can.
fn ranks_outside(count: usize) -> usize {
    let mut exactly = 0.5_f64.powi(count as i32);
    let mut at_most = exactly;
    let mut heads = 0;
    while at_most <= 0.025 {
        heads += 1;
        exactly *= (count + 1 - heads) as f64 / heads as f64;
        at_most += exactly;
    }
    usize::saturating_sub(heads, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_count_is_in_the_middle_of_two() {
        let middle = Middle::of([4.0, 1.0, 2.0, 3.0]);
        assert_eq!((middle.low, middle.median, middle.high), (1.75, 2.5, 3.25));
    }

    #[test]
    fn one_wild_round_moves_neither_the_median_nor_the_quartiles() {
        let calm = Middle::of((0..=20).map(f64::from));
        let wild = Middle::of((0..=20).map(|number| if number == 20 { 1e9 } else { f64::from(number) }));
        assert_eq!(calm, wild);
    }

    #[test]
    fn the_interval_is_that_of_the_textbook_on_the_sign_test() {
        // The numbers to leave out at 5 %, two-sided: tables of the sign test have them.
        let tables =
            [(1, 0), (5, 0), (6, 0), (8, 0), (9, 1), (12, 2), (15, 3), (20, 5), (25, 7), (30, 9), (40, 13)];
        for (count, left_out) in tables {
            assert_eq!(ranks_outside(count), left_out, "of {count}");
        }
    }

    #[test]
    fn more_rounds_of_the_same_kind_know_the_median_better() {
        let width = |rounds: u32| {
            let middle = Middle::of((0..rounds).map(|round| f64::from(round) / f64::from(rounds)));
            middle.to - middle.from
        };
        assert!(width(100) < width(25) && width(25) < width(9));
    }

    #[test]
    fn numbers_have_about_three_digits() {
        let numbers = [12345.6, 123.4, 12.34, 1.234, 0.123, 0.0123, 0.00456, 0.0];
        assert_eq!(numbers.map(number), ["12346", "123", "12.3", "1.23", "0.12", "0.012", "0.0046", "0"]);
    }

    #[test]
    fn percentiles_lie_between_neighbours_in_proportion() {
        let mut numbers: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&mut numbers, 0.99), 99.0);
        assert_eq!(percentile(&mut [10.0, 20.0], 0.25), 12.5);
    }
}
