//! The report as a page: the summary, then each measurement with its plot and its notes. One file, no script,
//! no network.

use super::plot::svg;
use super::text::{LEGEND, elsewhere, ratio, rows, setting, spread, tally, unit, verdict};
use crate::bars::{Outcome, Verdict};
use crate::results::{Measurement, Results};
use std::fmt::Write;

const STYLE: &str = "
:root { color-scheme: light dark; --text: #222; --faint: #777; --line: #ddd; --page: #fff; --good: #206020; --bad: #b02010; }
body { font: 15px/1.5 sans-serif; max-width: 1240px; margin: 2em auto; padding: 0 1em; }
body { color: var(--text); background: var(--page); }
table { border-collapse: collapse; margin: 1em 0; font-size: 13px; }
th, td { padding: 2px 10px; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
td:first-child { white-space: nowrap; }
th.n { text-align: right; } td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.met { color: var(--good); } .missed { color: var(--bad); font-weight: bold; } .warning { color: var(--bad); }
section { margin-top: 2.5em; } dt { float: left; width: 7em; color: var(--faint); } dd { margin-left: 8em; }
.out { color: var(--faint); font-size: 13px; margin: 0.2em 0; } svg { max-width: 100%; height: auto; }
@media (prefers-color-scheme: dark) {
  :root { --text: #ddd; --faint: #999; --line: #444; --page: #181818; --good: #70c070; --bad: #ff8070; }
  a { color: #90b0ff; }
  /* The plots are drawn in dark on light: the other way round, and the colours as they were. */
  svg { filter: invert(1) hue-rotate(180deg); }
}
";

/// The page.
pub(super) fn page(results: &Results) -> String {
    let mut page = String::from(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Benchmarks</title>",
    );
    write!(page, "<style>{STYLE}</style></head>\n<body><h1>Benchmarks</h1>\n<dl>")
        .expect("a string takes all");
    for (name, value) in setting(results) {
        write!(page, "<dt>{name}</dt><dd>{}</dd>", escape(&value)).expect("a string takes all");
    }
    page.push_str("</dl>\n");
    for misgiving in results.setting.misgivings() {
        writeln!(page, "<p class=\"warning\">Mind: {}.</p>", escape(&misgiving)).expect("a string takes all");
    }
    writeln!(page, "<p>{LEGEND}</p>").expect("a string takes all");
    page.push_str(&summary(results));
    page.extend(results.measurements.iter().map(section));
    page.push_str("</body></html>\n");
    page
}

fn summary(results: &Results) -> String {
    let rows = rows(results);
    let mut table = format!(
        "<h2>Summary: {}</h2>\n<table><tr><th></th><th>unit</th><th class=\"n\">homing</th>\
         <th class=\"n\">best peer</th><th class=\"n\">homing : best peer</th>\
         <th class=\"n\">homing : limit</th><th>bar</th><th></th></tr>\n",
        tally(results)
    );
    for row in &rows {
        let name = escape(&row.measurement.name);
        write!(table, "<tr><td><a href=\"#{}\">{name}</a></td>", anchor(row.measurement))
            .expect("a string takes all");
        write!(table, "<td>{}</td>", escape(&unit(row.measurement))).expect("a string takes all");
        for text in [&row.subject, &row.best_peer, &row.to_best_peer, &row.to_limit] {
            write!(table, "<td class=\"n\">{}</td>", escape(text)).expect("a string takes all");
        }
        let outcome = row.outcome.as_ref().map_or("<td></td>".to_owned(), outcome);
        writeln!(table, "<td>{}</td>{outcome}</tr>", escape(&row.bar)).expect("a string takes all");
    }
    table.push_str("</table>\n");
    table.push_str(&beside_python(results));
    table
}

/// The same programs in Python, where they were measured.
fn beside_python(results: &Results) -> String {
    let rows = elsewhere(results);
    if rows.is_empty() {
        return String::new();
    }
    let mut table = String::from(
        "<table><tr><th>beside Python</th><th>unit</th><th class=\"n\">homing</th>\
         <th class=\"n\">it takes</th><th class=\"n\">times as long</th><th>bar</th><th></th></tr>\n",
    );
    for row in &rows {
        let name = escape(&row.measurement.name);
        write!(table, "<tr><td><a href=\"#{}\">{name}</a></td>", anchor(row.measurement))
            .expect("a string takes all");
        write!(table, "<td>{}</td>", escape(&unit(row.measurement))).expect("a string takes all");
        for text in [&row.subject, &row.other, &row.times] {
            write!(table, "<td class=\"n\">{}</td>", escape(text)).expect("a string takes all");
        }
        writeln!(table, "<td>{}</td>{}</tr>", escape(&row.bar), outcome(&row.outcome))
            .expect("a string takes all");
    }
    table.push_str("</table>\n");
    table
}

/// What became of a bar, as a cell.
fn outcome(outcome: &Outcome) -> String {
    let class = match outcome.verdict {
        Verdict::Met => "met",
        Verdict::Missed => "missed",
    };
    format!("<td class=\"{class}\">{}</td>", escape(&verdict(outcome)))
}

fn section(measurement: &Measurement) -> String {
    let mut section = format!(
        "<section id=\"{}\"><h2>{}, {}</h2>\n<p>{}.</p>\n",
        anchor(measurement),
        escape(&measurement.name),
        escape(&unit(measurement)),
        escape(&measurement.about)
    );
    section.push_str(&svg(measurement).unwrap_or_default());
    section.push_str(
        "<table><tr><th></th><th class=\"n\">median (quartiles)</th><th class=\"n\">homing : it</th>\
         <th class=\"n\">it : best peer</th><th class=\"n\">it : limit</th><th class=\"n\">rounds</th><th>note</th></tr>\n",
    );
    for cell in measurement.measured() {
        let note = cell.note.as_deref().unwrap_or_default();
        write!(section, "<tr><td>{}</td>", escape(&cell.name)).expect("a string takes all");
        let compared = measurement.subject().map_or(String::new(), |subject| ratio(subject, Some(cell)));
        let to_best_peer = ratio(cell, measurement.best_peer());
        let to_limit = ratio(cell, measurement.limit());
        for text in [spread(cell.middle()), compared, to_best_peer, to_limit, cell.samples.len().to_string()]
        {
            write!(section, "<td class=\"n\">{text}</td>").expect("a string takes all");
        }
        writeln!(section, "<td>{}</td></tr>", escape(note)).expect("a string takes all");
    }
    section.push_str("</table>\n");
    for (reason, names) in measurement.left_out() {
        writeln!(
            section,
            "<p class=\"out\">Left out: {}: {}.</p>",
            escape(&names.join(", ")),
            escape(reason)
        )
        .expect("a string takes all");
    }
    section.push_str("</section>\n");
    section
}

fn anchor(measurement: &Measurement) -> String {
    measurement.name.replace(' ', "-")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lineup::Kind::{Peer, Subject};
    use crate::results::tests::measurement;
    use crate::setting::Setting;

    #[test]
    fn text_from_elsewhere_does_not_become_markup() {
        let mut it = measurement("spawn-join", &[("homing", Subject, &[1.0; 5]), ("smol", Peer, &[2.0; 5])]);
        it.cells[1].note = Some("a Vec<Task> & more".to_owned());
        let page = page(&Results { setting: Setting::default(), measurements: vec![it] });
        assert!(page.contains("a Vec&lt;Task&gt; &amp; more"));
        assert!(!page.contains("<Task>"));
    }

    #[test]
    fn every_line_of_the_summary_links_to_its_section() {
        let it =
            measurement("timers-fire late-p50", &[("homing", Subject, &[1.0; 5]), ("smol", Peer, &[2.0; 5])]);
        let page = page(&Results { setting: Setting::default(), measurements: vec![it] });
        assert!(
            page.contains("href=\"#timers-fire-late-p50\"") && page.contains("id=\"timers-fire-late-p50\"")
        );
        assert!(page.contains("<svg"));
    }
}
