//! The report in Markdown.

use super::text::{LEGEND, elsewhere, ratio, rows, setting, spread, tally, unit, verdict};
use crate::results::{Measurement, Results};
use std::fmt::Write;

/// All of it.
pub(super) fn page(results: &Results) -> String {
    let mut page = String::from("# Benchmarks\n\n");
    for (name, value) in setting(results) {
        writeln!(page, "* {name}: {value}").expect("a string takes all");
    }
    for misgiving in results.setting.misgivings() {
        writeln!(page, "* **{misgiving}**").expect("a string takes all");
    }
    page.push_str("\n## Summary\n\n");
    page.push_str(LEGEND);
    page.push_str("\n\n");
    page.push_str(&summary(results));
    page.push_str("\n## All figures\n");
    page.extend(results.measurements.iter().map(details));
    page
}

/// A line for each measurement, and how many bars were met.
pub(super) fn summary(results: &Results) -> String {
    let rows = rows(results);
    let mut table = String::from(
        "| | unit | homing | best peer | homing : best peer | homing : limit | bar | |\n\
         |---|---|---:|---|---:|---:|---|---|\n",
    );
    for row in &rows {
        let verdict = row.outcome.as_ref().map_or(String::new(), verdict);
        writeln!(
            table,
            "| {} | {} | {} | {} | {} | {} | {} | {verdict} |",
            row.measurement.name,
            unit(row.measurement),
            row.subject,
            row.best_peer,
            row.to_best_peer,
            row.to_limit,
            row.bar
        )
        .expect("a string takes all");
    }
    table.push_str(&beside_python(results));
    writeln!(table, "\n{}.", tally(results)).expect("a string takes all");
    table
}

/// The same programs in Python, where they were measured.
fn beside_python(results: &Results) -> String {
    let rows = elsewhere(results);
    if rows.is_empty() {
        return String::new();
    }
    let mut table = String::from(
        "\n| beside Python | unit | homing | it takes | times as long | bar | |\n\
         |---|---|---:|---|---:|---|---|\n",
    );
    for row in &rows {
        writeln!(
            table,
            "| {} | {} | {} | {} | {} | {} | {} |",
            row.measurement.name,
            unit(row.measurement),
            row.subject,
            row.other,
            row.times,
            row.bar,
            verdict(&row.outcome)
        )
        .expect("a string takes all");
    }
    table
}

/// One measurement with all its contestants.
pub(super) fn details(measurement: &Measurement) -> String {
    let mut part = format!("\n### {}, {}\n\n{}.\n\n", measurement.name, unit(measurement), measurement.about);
    part.push_str(
        "| | median (quartiles) | homing : it | it : best peer | it : limit | rounds | note |\n\
         |---|---:|---:|---:|---:|---:|---|\n",
    );
    for cell in measurement.measured() {
        let note = cell.note.as_deref().unwrap_or_default();
        let compared = measurement.subject().map_or(String::new(), |subject| ratio(subject, Some(cell)));
        writeln!(
            part,
            "| {} | {} | {compared} | {} | {} | {} | {note} |",
            cell.name,
            spread(cell.middle()),
            ratio(cell, measurement.best_peer()),
            ratio(cell, measurement.limit()),
            cell.samples.len()
        )
        .expect("a string takes all");
    }
    for (reason, names) in measurement.left_out() {
        writeln!(part, "\nLeft out: {}: {}.", names.join(", "), one_line(reason))
            .expect("a string takes all");
    }
    part
}

/// Text that stays in its line.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lineup::Kind::{Aside, Limit, Peer, Subject};
    use crate::results::tests::measurement;
    use crate::setting::Setting;
    use crate::workload::Better;

    fn results() -> Results {
        let mut it = measurement(
            "spawn-join",
            &[
                ("homing", Subject, &[50.0; 7]),
                ("tokio", Peer, &[200.0; 7]),
                ("smol", Peer, &[100.0; 7]),
                ("nio", Peer, &[]),
                ("limit", Limit, &[25.0; 7]),
            ],
        );
        it.cells[3].left_out = Some("it failed:\nno | idea".to_owned());
        Results { setting: Setting { load: 7.0, ..Setting::default() }, measurements: vec![it] }
    }

    #[test]
    fn the_summary_names_the_best_peer_the_ratios_and_the_verdict() {
        let summary = summary(&results());
        let line = summary.lines().nth(2).unwrap();
        let expected = "| spawn-join | ns/task | 50.0 (50.0–50.0) | smol 100 | 0.50 (0.50–0.50) \
             | 2.00 (2.00–2.00) | ≤ 0.60 | met: 0.50 |";
        assert_eq!(line, expected);
        assert!(summary.ends_with("\n1 of 1 bars met.\n"), "{summary}");
    }

    #[test]
    fn python_has_a_table_of_its_own_in_which_a_figure_says_how_many_times_as_long_it_takes() {
        let cells = [("homing", Subject, &[50.0; 7][..]), ("asyncio", Aside, &[7_500.0; 7][..])];
        let measurements = vec![measurement("ring-1000", &cells)];
        let summary = summary(&Results { setting: Setting::default(), measurements });
        let line =
            "| ring-1000 | ns/task | 50.0 (50.0–50.0) | asyncio 7500 | 150 (150–150) | ≥ 100 | met: 150 |";
        assert!(summary.contains(line), "{summary}");
        assert!(summary.ends_with("\n1 of 1 bars met.\n"), "{summary}");
    }

    #[test]
    fn where_more_is_better_an_arrow_says_so() {
        let cells = [("homing", Subject, &[96.0; 7][..]), ("tokio", Peer, &[100.0; 7][..])];
        let it = measurement("echo-50 throughput", &cells);
        let it = Measurement { better: Better::More, unit: "messages/s".to_owned(), ..it };
        let summary = summary(&Results { setting: Setting::default(), measurements: vec![it] });
        let line = "| echo-50 throughput | messages/s ↑ | 96.0 (96.0–96.0) | tokio 100 | 0.96 (0.96–0.96) |  | ≥ 0.95 \
             | met: 0.96 |";
        assert!(summary.contains(line), "{summary}");
    }

    #[test]
    fn who_is_left_out_has_its_reason_in_one_line_below_the_table() {
        let page = page(&results());
        assert!(page.contains("\nLeft out: nio: it failed: no | idea.\n"), "{page}");
    }

    #[test]
    fn a_busy_machine_is_said_in_bold() {
        assert!(page(&results()).contains("* **the machine was busy: 7 threads"));
    }
}
