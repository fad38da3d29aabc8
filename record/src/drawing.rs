//! The drawing: everything at once, in SVG. For programs of some dozen tasks, and for books.

use crate::timeline::{Arrow, Block, Doing, Ended, Lane, TimeLine, Unit};
use std::fmt::Write;

const NAMES: f64 = 150.0;
const WIDTH: f64 = 900.0;
const ROW: f64 = 30.0;
const TOP: f64 = 12.0;
/// Steps have the same width everywhere, so that drawings can be compared.
const STEP: f64 = 16.0;

/// Colours of both themes: the reader's decides.
const STYLE: &str = "
svg { font: 12px system-ui, sans-serif; --ink: #22252a; --faint: #6b7078; --poll: #2a6fdb; --ready: #f0b429; --wait: #c3ccd8;
  --value: #2e9e5b; --failed: #cf3b35; --cancelled: #8d5bc9; --scope: #2a6fdb; }
@media (prefers-color-scheme: dark) { svg { --ink: #d8dade; --faint: #9aa0a9; --poll: #5b9bff; --ready: #d9a21b; --wait: #4a525e;
  --value: #43c078; --failed: #ff6b61; --cancelled: #b78bf0; --scope: #5b9bff; } }
text { fill: var(--ink); } .what { fill: var(--faint); font-size: 10px; } .poll { fill: var(--poll); } .ready { fill: var(--ready); }
.wait { stroke: var(--wait); stroke-width: 3; } .value { fill: var(--value); } .failed { fill: var(--failed); }
.cancelled { fill: var(--cancelled); } .block { fill: var(--scope); fill-opacity: .05; stroke: var(--scope); stroke-opacity: .5; }
.scope { fill: var(--scope); font-size: 10px; } .wake, .spawn, .cancel { fill: none; stroke: var(--faint); marker-end: url(#tip); }
.spawn { stroke-dasharray: 2 2; } .cancel { stroke: var(--failed); stroke-width: 1.5; marker-end: url(#cancel-tip); }
.asked { fill: var(--failed); } marker path { fill: var(--faint); } marker.cancels path { fill: var(--failed); }
";

pub(crate) fn write(line: &TimeLine) -> String {
    Drawing { line, svg: String::new() }.all()
}

struct Drawing<'a> {
    line: &'a TimeLine,
    svg: String,
}

impl Drawing<'_> {
    fn all(mut self) -> String {
        let (width, height) = (NAMES + self.width() + 20.0, TOP + ROW * self.line.lanes.len() as f64 + 12.0);
        self.put(&format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" width="{width:.0}" role="img">"#
        ));
        self.put(&format!("<style>{STYLE}</style>"));
        for (id, class) in [("tip", ""), ("cancel-tip", "cancels")] {
            self.put(&format!(
                r#"<marker id="{id}" class="{class}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker>"#
            ));
        }
        for block in &self.line.blocks {
            self.block(block);
        }
        for (index, lane) in self.line.lanes.iter().enumerate() {
            self.lane(index, lane);
        }
        for arrow in &self.line.arrows {
            self.arrow(arrow);
        }
        self.put("</svg>");
        self.svg
    }

    fn put(&mut self, text: &str) {
        self.svg += text;
        self.svg.push('\n');
    }

    fn width(&self) -> f64 {
        match self.line.unit {
            Unit::Steps => self.line.end as f64 * STEP,
            Unit::Nanoseconds => WIDTH,
        }
    }

    fn x(&self, time: u64) -> f64 {
        NAMES + time as f64 / self.line.end.max(1) as f64 * self.width()
    }

    fn lane(&mut self, index: usize, lane: &Lane) {
        let middle = y(index) + ROW / 2.0;
        let indent = 4.0 + 12.0 * lane.depth as f64;
        self.put(&format!(r#"<text x="{indent}" y="{:.1}">{}</text>"#, middle + 4.0, escaped(&lane.name)));
        for segment in &lane.segments {
            let (from, to) = (self.x(segment.from), self.x(segment.to));
            let title = match segment.kind {
                Doing::Poll => "polled".to_owned(),
                Doing::Ready => "in line".to_owned(),
                Doing::Wait => format!("waits for {}", self.text(segment.what)),
            };
            let title = format!("<title>{} {}</title>", escaped(&title), escaped(self.text(segment.place)));
            match segment.kind {
                Doing::Wait => {
                    self.put(&format!(
                        r#"<path class="wait" d="M{from:.1} {middle:.1}H{to:.1}">{title}</path>"#
                    ));
                    self.caption(from, to, middle, self.text(segment.what).to_owned());
                }
                kind => {
                    let class = if kind == Doing::Poll { "poll" } else { "ready" };
                    let (top, wide) = (middle - 8.0, (to - from).max(1.0));
                    self.put(&format!(
                        r#"<rect class="{class}" x="{from:.1}" y="{top:.1}" width="{wide:.1}" height="16" rx="2">{title}</rect>"#
                    ));
                }
            }
        }
        for (at, why) in &lane.requests {
            let (at, top) = (self.x(*at), middle - 12.0);
            let why = escaped(self.line.strings.text(*why));
            self.put(&format!(
                r#"<path class="asked" d="M{:.1} {top:.1}h8l-4 6z"><title>asked to cancel: {why}</title></path>"#,
                at - 4.0
            ));
        }
        if let Some(at) = lane.to {
            let class = match lane.outcome {
                Ended::Value | Ended::NotYet => "value",
                Ended::Failed => "failed",
                Ended::Cancelled => "cancelled",
            };
            let error = escaped(self.text(lane.error));
            self.put(&format!(
                r#"<rect class="{class}" x="{:.1}" y="{:.1}" width="4" height="20"><title>{class} {error}</title></rect>"#,
                self.x(at) - 1.0,
                middle - 10.0
            ));
        }
    }

    /// What is waited for, over the line, if there is room.
    fn caption(&mut self, from: f64, to: f64, middle: f64, what: String) {
        // The font's letters are about so wide.
        if what.chars().count() as f64 * 5.2 < to - from {
            self.put(&format!(
                r#"<text class="what" x="{:.1}" y="{:.1}">{}</text>"#,
                from + 3.0,
                middle - 4.0,
                escaped(&what)
            ));
        }
    }

    fn block(&mut self, block: &Block) {
        let (left, right) = (self.x(block.from), self.x(block.to));
        // Those within others are smaller.
        let inset = 2.0 * self.nesting(block) as f64;
        let (top, bottom) = (y(block.lane) + 1.0 + inset, y(block.last + 1) - 1.0 - inset);
        let kind = self.line.strings.text(block.kind);
        let name = block
            .name
            .map_or_else(|| kind.to_owned(), |name| format!("{kind} '{}'", self.line.strings.text(name)));
        self.put(&format!(
            r#"<rect class="block" x="{left:.1}" y="{top:.1}" width="{:.1}" height="{:.1}" rx="3"><title>{} {}</title></rect>"#,
            right - left,
            bottom - top,
            escaped(&name),
            escaped(self.text(block.place))
        ));
        self.put(&format!(
            r#"<text class="scope" x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
            right - 4.0 - 60.0 * self.nesting(block) as f64,
            bottom - 3.0,
            escaped(&name)
        ));
    }

    fn nesting(&self, block: &Block) -> usize {
        std::iter::successors(block.parent, |parent| self.line.blocks[*parent].parent).count()
    }

    fn arrow(&mut self, arrow: &Arrow) {
        let class = arrow.kind.as_str();
        let down = arrow.to_lane >= arrow.lane;
        let (from, to) = (self.x(arrow.at), self.x(arrow.to));
        let from_y = y(arrow.lane) + ROW / 2.0;
        let to_y = y(arrow.to_lane) + ROW / 2.0 + if down { -9.0 } else { 9.0 };
        let middle = (from_y + to_y) / 2.0;
        self.put(&format!(
            r#"<path class="{class}" d="M{from:.1} {from_y:.1}C{from:.1} {middle:.1} {to:.1} {middle:.1} {to:.1} {to_y:.1}"><title>{class}</title></path>"#
        ));
    }

    fn text(&self, number: Option<u32>) -> &str {
        number.map_or("", |number| self.line.strings.text(number))
    }
}

fn y(lane: usize) -> f64 {
    TOP + ROW * lane as f64
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            // What XML does not have, such as most control characters.
            letter if letter.is_control() => write!(escaped, "\\u{{{:x}}}", letter as u32).expect("a string"),
            letter => escaped.push(letter),
        }
    }
    escaped
}
