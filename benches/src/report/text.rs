//! What the pages say about a measurement, in words and numbers.

use crate::bars::{Against, Bar, Outcome, Verdict};
use crate::results::{Cell, Measurement, Results};
use crate::statistics::Middle;

/// A number with about three digits that mean something.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.001 => format!("{value:.2}"),
        _ => "0".to_owned(),
    }
}

/// The median, and the quartiles in brackets.
pub(super) fn spread(middle: Middle) -> String {
    format!("{} ({}–{})", number(middle.median), number(middle.low), number(middle.high))
}

/// A row of the summary.
pub(super) struct Row<'a> {
    pub(super) measurement: &'a Measurement,
    pub(super) subject: String,
    pub(super) best_peer: String,
    pub(super) to_best_peer: String,
    pub(super) to_limit: String,
    pub(super) bar: String,
    pub(super) outcome: Option<Outcome>,
}

/// The rows of the summary: all measurements in which homing took part.
pub(super) fn rows(results: &Results) -> Vec<Row<'_>> {
    results.measurements.iter().filter_map(|measurement| row(results, measurement)).collect()
}

fn row<'a>(results: &Results, measurement: &'a Measurement) -> Option<Row<'a>> {
    let subject = measurement.subject()?;
    let best_peer = measurement.best_peer();
    let bar = Bar::of(&measurement.name);
    Some(Row {
        measurement,
        subject: spread(subject.middle()),
        best_peer: best_peer
            .map_or(String::new(), |peer| format!("{} {}", peer.name, number(peer.middle().median))),
        to_best_peer: ratio(subject, best_peer),
        to_limit: ratio(subject, measurement.limit()),
        bar: bar.map_or(String::new(), describe),
        outcome: bar.and_then(|bar| bar.outcome(results)),
    })
}

/// The ratio of two contestants, with its quartiles; nothing if there is none.
pub(super) fn ratio(one: &Cell, other: Option<&Cell>) -> String {
    other.and_then(|other| one.ratio_to(other)).map_or(String::new(), spread)
}

fn describe(bar: &Bar) -> String {
    let at_most = number(bar.at_most);
    match bar.against {
        Against::BestPeer => format!("≤ {at_most}"),
        Against::BestPeerIn(other) => format!("≤ {at_most} of {other}"),
        Against::Peer(name) => format!("≤ {at_most} of {name}"),
        Against::Itself => format!("≤ {at_most}"),
    }
}

/// What became of a bar, in a word or two.
pub(super) fn verdict(outcome: &Outcome) -> String {
    let word = match outcome.verdict {
        Verdict::Met => "met",
        Verdict::Missed => "missed",
    };
    let close = if outcome.close { ", close" } else { "" };
    format!("{word}{close}: {}", number(outcome.reached))
}

/// How many bars were met, of how many.
pub(super) fn tally(rows: &[Row<'_>]) -> String {
    let outcomes: Vec<&Outcome> = rows.iter().filter_map(|row| row.outcome.as_ref()).collect();
    let met = outcomes.iter().filter(|outcome| outcome.verdict == Verdict::Met).count();
    format!("{met} of {} bars met", outcomes.len())
}

/// What was measured where: names and values.
pub(super) fn setting(results: &Results) -> Vec<(&'static str, String)> {
    let setting = &results.setting;
    let mut facts = vec![
        ("date", setting.date.clone()),
        ("scale", setting.scale.clone()),
        ("processor", format!("{}, {} for this process", setting.cpu, setting.cpus)),
        ("kernel", setting.kernel.clone()),
        ("compiler", setting.compiler.clone()),
    ];
    let versions: Vec<String> =
        setting.versions.iter().map(|(name, version)| format!("{name}: {version}")).collect();
    facts.push(("versions", versions.join("; ")));
    facts
}

/// How to read the summary.
pub(super) const LEGEND: &str = "Less is better everywhere. A figure is the median of all rounds, with the \
    quartiles in brackets: half of the rounds lie between these. A ratio is the median of the laps' ratios, each \
    of two rounds that were run one soon after the other; it means more than the figures, which are those of one \
    machine in one minute. The limit is the least code that does the job with no executor at all. A bar is what \
    homing wants to reach against the best peer, if no other is named; where it lies within the noise, it says \
    'close'. Only runtimes with tasks count as peers.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_about_three_digits() {
        let shown: Vec<String> = [12345.6, 123.4, 12.34, 1.234, 0.123, 0.0].into_iter().map(number).collect();
        assert_eq!(shown, ["12346", "123", "12.3", "1.23", "0.12", "0"]);
    }
}
