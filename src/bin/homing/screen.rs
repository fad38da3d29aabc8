//! The screen of `homing top`.
//!
//! ```text
//!   process 4711 │ 3 runtimes, 12 tasks │ sorted by busy
//!   thread  name  state  polls  polls/s  wakes  busy %  longest  unchanged  stands at
//!   …
//!   q quit   b busy   p polls/s   w wakes   l longest   u unchanged   ↑ ↓ scroll
//! ```

use crate::Failure;
use crate::sampler::{Row, Sampler};
use crate::top::{COLUMNS, HEADS, cells};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Cell, Row as Shown, Table};
use ratatui::{DefaultTerminal, Frame};
use std::cmp::Reverse;
use std::io;
use std::time::Duration;

/// By what the rows are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Busy,
    Polls,
    Wakes,
    Longest,
    Unchanged,
}

struct Screen {
    title: String,
    rows: Vec<Row>,
    order: Order,
    /// The first row that is shown.
    first: usize,
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Quit,
    Draw,
    Nothing,
}

pub(crate) fn run(sampler: &mut Sampler, interval: Duration) -> Result<(), Failure> {
    let mut terminal = ratatui::try_init()?;
    let done = show(&mut terminal, sampler, interval);
    ratatui::restore();
    done
}

fn show(terminal: &mut DefaultTerminal, sampler: &mut Sampler, interval: Duration) -> Result<(), Failure> {
    let title = sampler.describe();
    let mut screen = Screen { title, rows: Vec::new(), order: Order::Busy, first: 0 };
    loop {
        let (reading, rows) = sampler.read()?;
        screen.title = format!(
            "{} │ {} runtimes, {} tasks",
            sampler.describe(),
            reading.runtimes.len(),
            reading.task_count()
        );
        screen.show(rows);
        terminal.draw(|frame| screen.draw(frame))?;
        let mut failed = None;
        let goes_on = sampler.look(interval, |pause| match screen.answer(pause) {
            Ok(Next::Quit) => false,
            Ok(Next::Nothing) => true,
            Ok(Next::Draw) => match terminal.draw(|frame| screen.draw(frame)) {
                Ok(_) => true,
                Err(error) => {
                    failed = Some(error);
                    false
                }
            },
            Err(error) => {
                failed = Some(error);
                false
            }
        });
        match failed {
            Some(error) => return Err(error.into()),
            None if !goes_on => return Ok(()),
            None => {}
        }
    }
}

impl Screen {
    /// What there is to be shown now.
    fn show(&mut self, rows: Vec<Row>) {
        // Tasks that one had scrolled to may have ended.
        self.first = self.first.min(rows.len().saturating_sub(1));
        self.rows = rows;
        self.sort();
    }

    /// Waits for so long whether a key is pressed.
    fn answer(&mut self, pause: Duration) -> io::Result<Next> {
        if !event::poll(pause)? {
            return Ok(Next::Nothing);
        }
        Ok(self.handle(&event::read()?))
    }

    fn handle(&mut self, event: &Event) -> Next {
        let key = match event {
            Event::Key(key) if key.kind == KeyEventKind::Press => key,
            Event::Resize(..) => return Next::Draw,
            _ => return Next::Nothing,
        };
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Next::Quit,
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Next::Quit,
            KeyCode::Char('b') => self.order = Order::Busy,
            KeyCode::Char('p') => self.order = Order::Polls,
            KeyCode::Char('w') => self.order = Order::Wakes,
            KeyCode::Char('l') => self.order = Order::Longest,
            KeyCode::Char('u') => self.order = Order::Unchanged,
            KeyCode::Down => self.first = (self.first + 1).min(self.rows.len().saturating_sub(1)),
            KeyCode::Up => self.first = self.first.saturating_sub(1),
            KeyCode::PageDown => self.first = (self.first + 20).min(self.rows.len().saturating_sub(1)),
            KeyCode::PageUp => self.first = self.first.saturating_sub(20),
            _ => return Next::Nothing,
        }
        self.sort();
        Next::Draw
    }

    fn sort(&mut self) {
        match self.order {
            Order::Busy => self.rows.sort_by(|a, b| b.busy.total_cmp(&a.busy)),
            Order::Polls => self.rows.sort_by(|a, b| b.polls_per_second.total_cmp(&a.polls_per_second)),
            Order::Wakes => self.rows.sort_by_key(|row| Reverse(row.wakes)),
            Order::Longest => self.rows.sort_by_key(|row| Reverse(row.longest)),
            Order::Unchanged => self.rows.sort_by_key(|row| Reverse(row.unchanged)),
        }
    }

    fn draw(&self, frame: &mut Frame<'_>) {
        let parts = [Constraint::Length(1), Constraint::Min(1), Constraint::Length(1)];
        let [title, table, keys] = Layout::vertical(parts).areas(frame.area());
        let order = match self.order {
            Order::Busy => "busy",
            Order::Polls => "polls/s",
            Order::Wakes => "wakes",
            Order::Longest => "longest",
            Order::Unchanged => "unchanged",
        };
        frame.render_widget(Line::from(format!("{} │ sorted by {order}", self.title)).bold(), title);
        let columns = columns(table.width);
        let shown = |cells: [String; COLUMNS]| {
            let cells = cells.into_iter().enumerate().filter(|(column, _)| columns.contains(column));
            Shown::new(cells.map(|(_, cell)| Cell::from(cell)))
        };
        let rows = self.rows.iter().skip(self.first).take(table.height.into()).map(|row| {
            let style = if row.busy > 0.5 { Style::new().fg(Color::Red) } else { Style::new() };
            shown(cells(row)).style(style)
        });
        let widths = columns.iter().map(|column| match *column {
            STANDS_AT => Constraint::Min(WIDTHS[STANDS_AT]),
            column => Constraint::Length(WIDTHS[column]),
        });
        let heads = shown(HEADS.map(str::to_owned)).reversed();
        frame.render_widget(Table::new(rows, widths).header(heads), table);
        let told = "q quit   b busy   p polls/s   w wakes   l longest   u unchanged   ↑ ↓ scroll";
        frame.render_widget(Line::from(told).dim(), keys);
    }
}

/// How wide the columns are; the last one at least.
const WIDTHS: [u16; COLUMNS] = [8, 24, 8, 10, 10, 10, 6, 8, 9, 20];

/// Where the last one is.
const STANDS_AT: usize = COLUMNS - 1;

/// Those that are left out where there is no room for all, the first one first; what a task is called and where it stands
/// never.
const DISPENSABLE: [usize; COLUMNS - 2] = [0, 5, 3, 8, 7, 2, 4, 6];

/// The columns that there is room for.
fn columns(width: u16) -> Vec<usize> {
    let mut columns: Vec<usize> = (0..COLUMNS).collect();
    for dispensable in DISPENSABLE {
        // With a space between each two.
        let needed: u16 = columns.iter().map(|column| WIDTHS[*column] + 1).sum();
        if needed <= width + 1 {
            break;
        }
        columns.retain(|column| *column != dispensable);
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use homing::introspect::TaskState;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::KeyEvent;

    fn row(name: &str, busy: f64, polls: u32, seconds: u64) -> Row {
        Row {
            thread: 7,
            name: name.to_owned(),
            state: TaskState::Parked,
            polls,
            polls_per_second: f64::from(polls) / 10.0,
            wakes: polls - 1,
            busy,
            longest: Duration::from_millis(polls.into()),
            unchanged: Duration::from_secs(seconds),
            stands_at: format!("timer due in {seconds}s src/main.rs:{polls}"),
        }
    }

    /// The busiest, the one that is polled most, and the one that has not changed for longest are three.
    fn screen() -> Screen {
        let rows = vec![row("busy", 0.75, 20, 2), row("chatty", 0.25, 90, 1), row("idle", 0.0, 3, 600)];
        Screen { title: "process 4711".to_owned(), rows, order: Order::Busy, first: 0 }
    }

    fn press(screen: &mut Screen, key: KeyCode) -> Next {
        screen.handle(&Event::Key(KeyEvent::from(key)))
    }

    fn drawn(screen: &Screen, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| screen.draw(frame)).unwrap();
        let buffer = terminal.backend().buffer();
        let cells: Vec<&str> = buffer.content().iter().map(|cell| cell.symbol()).collect();
        let lines = cells.chunks(usize::from(width).max(1));
        lines.map(|line| line.concat().trim_end().to_owned()).collect()
    }

    fn names(screen: &Screen) -> Vec<&str> {
        screen.rows.iter().map(|row| row.name.as_str()).collect()
    }

    #[test]
    fn a_table_is_drawn_with_a_line_for_each_task() {
        let lines = drawn(&screen(), 140, 6);
        let words: Vec<Vec<&str>> = lines.iter().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], "process 4711 │ sorted by busy");
        assert_eq!(lines[1].split_whitespace().collect::<String>(), HEADS.concat().replace(' ', ""));
        let busy = [
            "7",
            "busy",
            "parked",
            "20",
            "2.0",
            "19",
            "75",
            "20ms",
            "2.0s",
            "timer",
            "due",
            "in",
            "2s",
            "src/main.rs:20",
        ];
        assert_eq!(words[2], busy);
        assert_eq!((words[3][1], words[4][1], words[4][8]), ("chatty", "idle", "10m00s"));
        assert!(lines[5].starts_with("q quit"));
    }

    #[test]
    fn keys_sort_scroll_and_quit() {
        let mut screen = screen();
        for (key, first) in [('p', "chatty"), ('u', "idle"), ('b', "busy"), ('w', "chatty"), ('l', "chatty")]
        {
            assert_eq!(press(&mut screen, KeyCode::Char(key)), Next::Draw);
            assert_eq!(names(&screen)[0], first, "{key}");
        }
        assert_eq!(drawn(&screen, 140, 6)[0], "process 4711 │ sorted by longest");
        for _ in 0..5 {
            press(&mut screen, KeyCode::Down);
        }
        assert_eq!(screen.first, 2, "the last one stays on the screen");
        press(&mut screen, KeyCode::PageUp);
        assert_eq!(screen.first, 0);
        assert_eq!(press(&mut screen, KeyCode::Char('x')), Next::Nothing);
        assert_eq!(screen.handle(&Event::Resize(1, 1)), Next::Draw);
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(screen.handle(&Event::Key(interrupt)), Next::Quit);
        assert_eq!(press(&mut screen, KeyCode::Esc), Next::Quit);
    }

    #[test]
    fn a_terminal_of_any_size_is_drawn_to() {
        let mut screen = screen();
        for (width, height) in [(1, 1), (2, 3), (5, 2), (20, 1), (1, 20), (79, 24), (400, 3)] {
            for first in 0..4 {
                screen.first = first;
                assert_eq!(drawn(&screen, width, height).len(), usize::from(height), "{width}x{height}");
            }
        }
        screen.rows.clear();
        assert_eq!(drawn(&screen, 46, 3)[1].split_whitespace().next(), Some("name"));
    }

    #[test]
    fn where_there_is_no_room_for_all_columns_those_that_matter_less_are_left_out() {
        let heads = |width| drawn(&screen(), width, 4)[1].split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(heads(122), "thread name state polls polls/s wakes busy % longest unchanged stands at");
        assert_eq!(heads(80), "name state polls/s busy % stands at");
        assert_eq!(heads(45), "name stands at");
        assert!(drawn(&screen(), 80, 4)[2].contains("timer due in 2s"));
    }

    #[test]
    fn fewer_tasks_than_were_scrolled_past_are_still_shown() {
        let mut screen = screen();
        press(&mut screen, KeyCode::PageDown);
        assert_eq!(screen.first, 2);
        screen.show(vec![row("left", 0.0, 5, 1)]);
        assert!(drawn(&screen, 140, 6)[2].contains("left"));
    }
}
