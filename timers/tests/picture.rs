//! The picture of a cascade in the book is what the wheel does, and up to date.
//!
//! `UPDATE_PICTURES=1 cargo test -p homing-timers --test picture` draws it anew.

use homing_timers::{Tick, TimerWheel, Whereabouts};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// As many levels are drawn: the others are empty.
const LEVELS: usize = 4;
const CELL: usize = 9;
const LEFT: usize = 92;
const ROW: usize = 27;

const HEAD: &str = r#"<style>
svg { font: 12px system-ui, sans-serif; --ink: #22252a; --faint: #6b7078; --cell: #e4e8ee; --timer: #2a6fdb; --moved: #d9480f; --now: #f0b429; }
@media (prefers-color-scheme: dark) { svg { --ink: #d8dade; --faint: #9aa0a9; --cell: #333842; --timer: #5b9bff; --moved: #ff8a4c; --now: #d9a21b; } }
text { fill: var(--ink); } .what { fill: var(--faint); font-size: 10px; } .name { fill: var(--timer); font-size: 11px; }
.moved { fill: var(--moved); } .cell { fill: var(--cell); } .timer { fill: var(--timer); } .timer.moved { fill: var(--moved); }
.opened { fill: none; stroke: var(--moved); } .now { fill: none; stroke: var(--now); stroke-width: 2; } .hangs { stroke: var(--moved); stroke-dasharray: 2 2; }
</style>
"#;

/// From a slot of a level through opened slots: pairs of a level and a slot.
type Way = [(usize, usize)];

/// A wheel that is drawn whenever something has happened to it.
struct Film {
    wheel: TimerWheel<char>,
    fired: String,
    /// The level of each timer when the last picture was drawn; in the tray, above all.
    levels: BTreeMap<char, usize>,
    drawing: String,
    height: usize,
}

impl Film {
    fn new() -> Film {
        Film {
            wheel: TimerWheel::new(0),
            fired: String::new(),
            levels: BTreeMap::new(),
            drawing: String::new(),
            height: 0,
        }
    }

    fn advance(&mut self, now: Tick) {
        let fired = &mut self.fired;
        self.wheel.advance(now, |name| fired.push(name));
    }

    fn draw(&mut self, title: &str) {
        let met: Vec<(char, Whereabouts)> =
            self.wheel.whereabouts().into_iter().map(|(&name, _, place)| (name, place)).collect();
        let now = self.wheel.now();
        let fired = if self.fired.is_empty() { String::new() } else { format!("; fired: {}", self.fired) };
        self.text("", 4, 16, title);
        self.text("what", 4, 30, &format!("tick {now}{fired}"));
        self.height += 36;

        let tray: Vec<char> =
            met.iter().filter(|(_, place)| *place == Whereabouts::Tray).map(|&(name, _)| name).collect();
        if !tray.is_empty() {
            self.text("what", 4, 14, "tray");
            self.text("name", LEFT, 14, &String::from_iter(tray));
            self.height += 20;
        }
        for level in (0..LEVELS).rev() {
            let in_level = |way: &Way| way.len() == 1 && way[0].0 == level;
            let opened: Vec<usize> = ways(&met)
                .filter(|(_, way)| way.len() > 1 && way[0].0 == level)
                .map(|(_, way)| way[0].1)
                .collect();
            let digit = (now >> (6 * level)) as usize % 64;
            self.row(&format!("level {level}"), Some(digit), &met, &in_level);
            if let Some(&slot) = opened.first() {
                let x = LEFT + slot * CELL;
                self.rect("opened", x, 14, CELL - 1);
                self.height += ROW;
                let (top, bottom) = (self.height - ROW + 23, self.height + 14);
                let middle = x + CELL / 2;
                writeln!(self.drawing, r#"<path class="hangs" d="M{middle} {top}V{bottom}"/>"#).unwrap();
                let in_bank = |way: &Way| way.len() > 1 && way[0] == (level, slot);
                self.row(&format!("  slot {slot} of it"), None, &met, &in_bank);
            }
            self.height += ROW;
        }
        self.height += 14;
        let level = |place: &Whereabouts| match place {
            Whereabouts::Filed(way) => way.last().unwrap().0,
            Whereabouts::Tray | Whereabouts::Held => LEVELS,
        };
        self.levels = met.iter().map(|(name, place)| (*name, level(place))).collect();
    }

    /// 64 slots, with those timers whose way is accepted in the slot to which it leads.
    fn row(
        &mut self,
        label: &str,
        now: Option<usize>,
        met: &[(char, Whereabouts)],
        accepts: &dyn Fn(&Way) -> bool,
    ) {
        self.text("what", 4, 22, label);
        for slot in 0..64 {
            self.rect("cell", LEFT + slot * CELL, 14, CELL - 1);
        }
        let mut slots: BTreeMap<usize, (usize, String)> = BTreeMap::new();
        for (name, way) in ways(met).filter(|(_, way)| accepts(way)) {
            let &(level, slot) = way.last().unwrap();
            slots.entry(slot).or_insert((level, String::new())).1.push(name);
        }
        for (slot, (level, names)) in slots {
            let before = names.chars().map(|name| self.levels[&name]).max();
            let moved = if before.is_some_and(|before| before != level) { " moved" } else { "" };
            self.rect(&format!("timer{moved}"), LEFT + slot * CELL, 14, CELL - 1);
            self.text(&format!("name{moved}"), LEFT + slot * CELL, 11, &names);
        }
        if let Some(slot) = now {
            self.rect("now", LEFT + slot * CELL, 14, CELL - 1);
        }
    }

    fn rect(&mut self, class: &str, x: usize, below: usize, size: usize) {
        let y = self.height + below;
        writeln!(
            self.drawing,
            r#"<rect class="{class}" x="{x}" y="{y}" width="{size}" height="{size}" rx="1"/>"#
        )
        .unwrap();
    }

    fn text(&mut self, class: &str, x: usize, below: usize, text: &str) {
        let y = self.height + below;
        writeln!(self.drawing, r#"<text class="{class}" x="{x}" y="{y}">{text}</text>"#).unwrap();
    }

    fn finish(self) -> String {
        let (width, height) = (LEFT + 64 * CELL + 40, self.height);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" role=\"img\">\n{HEAD}{}</svg>\n",
            self.drawing
        )
    }
}

/// The timers that are filed, and their ways.
fn ways(met: &[(char, Whereabouts)]) -> impl Iterator<Item = (char, &Vec<(usize, usize)>)> {
    met.iter().filter_map(|(name, place)| match place {
        Whereabouts::Filed(way) => Some((*name, way)),
        Whereabouts::Tray | Whereabouts::Held => None,
    })
}

/// A tick, by its digits: of level 3, 2, 1 and 0.
fn tick(digits: [Tick; LEVELS]) -> Tick {
    digits.into_iter().fold(0, |tick, digit| tick * 64 + digit)
}

#[test]
fn a_cascade() {
    let mut film = Film::new();
    let deadlines = [
        ('a', [0, 0, 0, 5]),
        ('b', [0, 0, 2, 40]),
        ('c', [0, 0, 2, 9]),
        ('d', [0, 1, 3, 50]),
        ('e', [0, 1, 41, 11]),
        ('f', [0, 1, 3, 7]),
        ('g', [0, 1, 20, 1]),
        ('h', [0, 1, 60, 2]),
        ('i', [0, 1, 20, 30]),
        ('j', [1, 30, 0, 0]),
        ('k', [0, 0, 30, 0]),
    ];
    let mut keys: BTreeMap<char, _> =
        deadlines.iter().map(|&(name, digits)| (name, film.wheel.arm(tick(digits), name))).collect();
    film.draw("Armed: nobody has looked at them.");
    assert_eq!(film.wheel.next_deadline(), Some(5));
    film.draw("Asked for the first: each is filed by the highest digit in which it differs from now.");
    film.advance(tick([0, 0, 2, 0]));
    film.draw("The clock comes to slot 2 of level 1: what is in it moves down.");
    film.advance(tick([0, 0, 3, 8]));
    film.wheel.disarm(keys.remove(&'k').unwrap()).unwrap();
    assert_eq!(film.wheel.next_deadline(), Some(tick([0, 1, 3, 7])));
    film.draw("k is disarmed. The next are many in one slot, which is opened to tell which is the first.");
    film.advance(tick([0, 1, 3, 0]));
    film.draw(
        "The clock comes there: the bank that hung off the slot is level 1 now, and its slot 3 moves down.",
    );
    film.advance(Tick::MAX);
    assert_eq!(film.fired, "acbfdgiehj");

    let drawn = film.finish();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/pictures/cascade.svg");
    if std::env::var_os("UPDATE_PICTURES").is_some() {
        std::fs::write(&path, &drawn).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == drawn, "cascade.svg is not what the wheel does any more");
}
