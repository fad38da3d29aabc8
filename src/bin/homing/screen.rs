//! The screen of `homing top`.
//!
//! ```text
//!   process 4711 │ 3 runtimes, 12 tasks │ sorted by busy
//!   thread  name  state  polls  polls/s  busy %  longest  unchanged  stands at
//!   …
//!   q quit   b busy   p polls   u unchanged   ↑ ↓ scroll
//! ```

use crate::Failure;
use crate::sampler::{Row, Sampler};
use crate::top::{HEADS, cells};
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
        screen.rows = rows;
        screen.title = format!(
            "{} │ {} runtimes, {} tasks",
            sampler.describe(),
            reading.runtimes.len(),
            reading.task_count()
        );
        screen.sort();
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
    /// Waits for so long whether a key is pressed.
    fn answer(&mut self, pause: Duration) -> io::Result<Next> {
        if !event::poll(pause)? {
            return Ok(Next::Nothing);
        }
        let key = match event::read()? {
            Event::Key(key) if key.kind == KeyEventKind::Press => key,
            Event::Resize(..) => return Ok(Next::Draw),
            _ => return Ok(Next::Nothing),
        };
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Ok(Next::Quit),
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Ok(Next::Quit),
            KeyCode::Char('b') => self.order = Order::Busy,
            KeyCode::Char('p') => self.order = Order::Polls,
            KeyCode::Char('u') => self.order = Order::Unchanged,
            KeyCode::Down => self.first = (self.first + 1).min(self.rows.len().saturating_sub(1)),
            KeyCode::Up => self.first = self.first.saturating_sub(1),
            KeyCode::PageDown => self.first = (self.first + 20).min(self.rows.len().saturating_sub(1)),
            KeyCode::PageUp => self.first = self.first.saturating_sub(20),
            _ => return Ok(Next::Nothing),
        }
        self.sort();
        Ok(Next::Draw)
    }

    fn sort(&mut self) {
        match self.order {
            Order::Busy => self.rows.sort_by(|a, b| b.busy.total_cmp(&a.busy)),
            Order::Polls => self.rows.sort_by(|a, b| b.polls_per_second.total_cmp(&a.polls_per_second)),
            Order::Unchanged => self.rows.sort_by_key(|row| Reverse(row.unchanged)),
        }
    }

    fn draw(&self, frame: &mut Frame<'_>) {
        let parts = [Constraint::Length(1), Constraint::Min(1), Constraint::Length(1)];
        let [title, table, keys] = Layout::vertical(parts).areas(frame.area());
        let order = match self.order {
            Order::Busy => "busy",
            Order::Polls => "polls/s",
            Order::Unchanged => "unchanged",
        };
        frame.render_widget(Line::from(format!("{} │ sorted by {order}", self.title)).bold(), title);
        let rows = self.rows.iter().skip(self.first).take(table.height.into()).map(|row| {
            let style = if row.busy > 0.5 { Style::new().fg(Color::Red) } else { Style::new() };
            Shown::new(cells(row).map(Cell::from)).style(style)
        });
        let widths =
            [8, 24, 8, 10, 10, 6, 8, 9].map(Constraint::Length).into_iter().chain([Constraint::Min(20)]);
        let heads = Shown::new(HEADS.map(Cell::from)).reversed();
        frame.render_widget(Table::new(rows, widths).header(heads), table);
        frame.render_widget(Line::from("q quit   b busy   p polls/s   u unchanged   ↑ ↓ scroll").dim(), keys);
    }
}
