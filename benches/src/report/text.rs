//! What the pages say about a measurement, in words and numbers.

use crate::bars::{Against, BARS, Bar, Mark, Outcome, Verdict};
use crate::results::{Cell, Measurement, Results};
use crate::statistics::{Middle, number};
use crate::workload::Better;

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
    let bar = Bar::of(&measurement.name).find(|bar| !is_of_elsewhere(bar));
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

/// A bar that stands beside a program in another language.
fn is_of_elsewhere(bar: &Bar) -> bool {
    matches!(bar.mark, Mark::Times(_))
}

/// A row of the table on where people come from.
pub(super) struct Elsewhere<'a> {
    pub(super) measurement: &'a Measurement,
    pub(super) subject: String,
    pub(super) other: String,
    pub(super) times: String,
    pub(super) bar: String,
    pub(super) outcome: Outcome,
}

/// The rows of that table; none where those programs were not measured.
pub(super) fn elsewhere(results: &Results) -> Vec<Elsewhere<'_>> {
    let row = |bar: &Bar| {
        let outcome = bar.outcome(results)?;
        let measurement = results.measurements.iter().find(|one| one.name == bar.measurement)?;
        let (subject, other) = (measurement.subject()?, measurement.cell(&outcome.with)?);
        Some(Elsewhere {
            measurement,
            subject: spread(subject.middle()),
            other: format!("{} {}", other.name, number(other.middle().median)),
            times: ratio(other, Some(subject)),
            bar: describe(bar),
            outcome,
        })
    };
    BARS.iter().filter(|bar| is_of_elsewhere(bar)).filter_map(row).collect()
}

/// The unit, and an arrow where more of it is better.
pub(super) fn unit(measurement: &Measurement) -> String {
    match measurement.better {
        Better::Less => measurement.unit.clone(),
        Better::More => format!("{} ↑", measurement.unit),
    }
}

fn describe(bar: &Bar) -> String {
    let mark = match bar.mark {
        Mark::AtMost(mark) => format!("≤ {}", number(mark)),
        Mark::AtLeast(mark) => format!("≥ {}", number(mark)),
        Mark::Times(times) => format!("≥ {}", number(times)),
    };
    match bar.against {
        Against::One(_) if is_of_elsewhere(bar) => mark,
        Against::BestPeer | Against::Itself => mark,
        Against::BestPeerIn(other) => format!("{mark} of {other}"),
        Against::One(name) => format!("{mark} of {name}"),
        Against::Limit => format!("{mark} of the limit"),
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
pub(super) fn tally(results: &Results) -> String {
    let outcomes: Vec<Outcome> = BARS.iter().filter_map(|bar| bar.outcome(results)).collect();
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
pub(super) const LEGEND: &str = "Less is better, but for the units with an arrow (↑). A figure is the median of all rounds, with the \
    quartiles in brackets: half of the rounds lie between these. A ratio is the median of the laps' ratios, each \
    of two rounds that were run one soon after the other; it means more than the figures, which are those of one \
    machine in one minute. The limit is the least code that does the job with no executor at all. A bar is what \
    homing wants to reach against the best peer, if no other is named; where it lies within the noise, it says \
    'close'. Only runtimes with tasks count as peers.";
