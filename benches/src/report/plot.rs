//! A plot of one measurement: a line for each contestant, from its lower to its upper quartile, with a dot at
//! the median.
//!
//! ```text
//! homing       ─●─                ┊
//! tokio                           ┊           ──●────
//! smol                            ┊   ─●─
//!              ┊ limit            10          100            logarithmic: ratios are what counts
//! ```

use super::text::unit;
use crate::lineup::Kind;
use crate::results::{Cell, Measurement};
use crate::statistics::number;
use plotters::element::{Circle, EmptyElement, PathElement, Text};
use plotters::prelude::{
    BindKeyPoints, ChartBuilder, Color, IntoDrawingArea, IntoLogRange, IntoSegmentedCoord, RGBColor,
    SVGBackend, SegmentValue, ShapeStyle,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{BLACK, IntoFont};
use std::error::Error;

const WIDTH: u32 = 760;
const LINE_HEIGHT: u32 = 22;
const MARGINS: u32 = 46;

/// The plot as SVG. `None` if there is nothing to plot: figures that are zero have no place on a logarithmic
/// scale.
pub(super) fn svg(measurement: &Measurement) -> Option<String> {
    let cells: Vec<&Cell> = measurement.measured().filter(|cell| cell.middle().low > 0.0).collect();
    if cells.len() < 2 {
        return None;
    }
    let mut svg = String::new();
    // Drawing into a string fails only if there is a mistake here, and a report without plots is better than
    // none.
    draw(measurement, &cells, &mut svg).ok()?;
    Some(svg)
}

fn draw(measurement: &Measurement, cells: &[&Cell], svg: &mut String) -> Result<(), Box<dyn Error>> {
    let height = MARGINS + LINE_HEIGHT * cells.len() as u32;
    let area = SVGBackend::with_string(svg, (WIDTH, height)).into_drawing_area();
    let lowest = cells.iter().map(|cell| cell.middle().low).fold(f64::INFINITY, f64::min) / 1.5;
    let highest = cells.iter().map(|cell| cell.middle().high).fold(0.0, f64::max) * 2.2;
    let mut chart = ChartBuilder::on(&area)
        .margin_right(16)
        .x_label_area_size(36)
        .y_label_area_size(130)
        .build_cartesian_2d(
            (lowest..highest).log_scale().with_key_points(ticks(lowest, highest)),
            (0..cells.len() as i32).into_segmented(),
        )?;
    // Downwards, in the order of the tables.
    let place = |line: usize| SegmentValue::CenterOf((cells.len() - 1 - line) as i32);
    chart
        .configure_mesh()
        .disable_y_mesh()
        .bold_line_style(BLACK.mix(0.12))
        .x_desc(unit(measurement))
        .x_label_formatter(&|tick| round(*tick))
        .label_style(("sans-serif", 13))
        .y_labels(cells.len())
        .y_label_formatter(&|segment| match segment {
            SegmentValue::CenterOf(line) | SegmentValue::Exact(line) => {
                let line = cells.len() as i32 - 1 - line;
                usize::try_from(line)
                    .ok()
                    .and_then(|line| cells.get(line))
                    .map_or(String::new(), |cell| cell.name.clone())
            }
            SegmentValue::Last => String::new(),
        })
        .draw()?;
    for (line, cell) in cells.iter().enumerate() {
        let (middle, style) = (cell.middle(), style(cell.kind));
        chart.draw_series([PathElement::new(
            [(middle.low, place(line)), (middle.high, place(line))],
            style,
        )])?;
        chart.draw_series([Circle::new((middle.median, place(line)), 4, style.filled())])?;
        let font = ("sans-serif", 12).into_font().color(&BLACK.mix(0.7));
        let font = font.pos(Pos::new(HPos::Left, VPos::Center));
        let beside = EmptyElement::at((middle.high, place(line)));
        chart.draw_series([beside + Text::new(number(middle.median), (8, 0), font)])?;
    }
    area.present()?;
    Ok(())
}

/// Where the scale has lines and numbers: round ones, and not so many that the numbers touch.
fn ticks(lowest: f64, highest: f64) -> Vec<f64> {
    let steps: &[f64] = match highest / lowest {
        range if range > 200.0 => &[1.0],
        range if range > 15.0 => &[1.0, 3.0],
        _ => &[1.0, 1.5, 2.0, 3.0, 5.0, 7.0],
    };
    let decades = lowest.log10().floor() as i32..=highest.log10().ceil() as i32;
    let all = decades.flat_map(|decade| steps.iter().map(move |step| step * 10_f64.powi(decade)));
    all.filter(|tick| (lowest..=highest).contains(tick)).collect()
}

/// A round number as one writes it: 10, 0.3.
fn round(tick: f64) -> String {
    // From powers of ten: 0.3 comes as 0.30000000000000004.
    format!("{}", (tick * 1e6).round() / 1e6)
}

fn style(kind: Kind) -> ShapeStyle {
    let colour = match kind {
        Kind::Subject => RGBColor(196, 64, 32),
        Kind::Peer => RGBColor(48, 96, 160),
        Kind::Limit => RGBColor(32, 128, 64),
        Kind::Aside => RGBColor(140, 140, 140),
    };
    colour.stroke_width(3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lineup::Kind::{Limit, Peer, Subject};
    use crate::results::tests::measurement;

    #[test]
    fn every_contestant_has_its_name_in_the_plot() {
        let cells = [
            ("homing", Subject, &[10.0, 12.0, 11.0][..]),
            ("tokio", Peer, &[100.0, 90.0, 95.0][..]),
            ("limit", Limit, &[3.0, 3.0, 3.0][..]),
        ];
        let svg = svg(&measurement("spawn", &cells)).unwrap();
        assert!(svg.starts_with("<svg"), "{svg}");
        for name in ["homing", "tokio", "limit"] {
            assert!(svg.contains(name), "{name}: {svg}");
        }
        assert_eq!(svg.matches("<circle").count(), 3);
    }

    #[test]
    fn a_scale_has_some_numbers_and_not_too_many() {
        for (lowest, range) in
            [(0.02, 3.3), (7.0, 4.0), (15.0, 10.0), (800.0, 20.0), (3.0, 300.0), (0.5, 1e5)]
        {
            let ticks = ticks(lowest, lowest * range);
            assert!((2..=8).contains(&ticks.len()), "{lowest}, {range}: {ticks:?}");
        }
    }

    #[test]
    fn the_numbers_at_a_scale_are_round() {
        let numbers: Vec<String> = ticks(0.2, 4.0).into_iter().map(round).collect();
        assert_eq!(numbers, ["0.3", "1", "3"]);
        assert_eq!(round(1e5), "100000");
    }

    #[test]
    fn zeros_have_no_plot() {
        let cells = [("homing", Subject, &[0.0][..]), ("tokio", Peer, &[0.0][..])];
        assert_eq!(svg(&measurement("idle", &cells)), None);
    }
}
