//! `etcdsim replay --step`: walks a run in the terminal. The run and the position are a [`Walk`]; here are only the keys
//! and the picture.

use std::io::{self, IsTerminal};

use ratatui::Frame;
use ratatui::crossterm::event::{self, Event as Input, KeyCode, KeyEventKind};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Row, Table};
use verify::describe;

use crate::error::Error;
use crate::show::numbers;
use crate::walk::{Goal, ROWS, Walk};

/// How far a page goes, in events.
const PAGE: usize = 100;

/// The line with the keys.
const KEYS: &str =
    " →/← event   e/E election   c/C commit   f/F fault   v/V violation   PgDn/PgUp 100   Home/End   q quit ";

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Next(Goal),
    Previous(Goal),
    Forward(usize),
    Back(usize),
    Quit,
}

/// The walk, and what is shown with it.
struct View {
    walk: Walk,
    title: String,
    /// A message if the last key led nowhere.
    said: String,
}

/// Walking needs a terminal.
pub(super) fn needs_terminal() -> Result<(), Error> {
    let is_one = io::stdout().is_terminal() && io::stdin().is_terminal();
    if is_one { Ok(()) } else { Err(Error::NoTerminal) }
}

/// Walks until the user quits.
pub(super) fn step(walk: Walk, title: String) -> Result<(), Error> {
    let failed = |error| Error::Unwritable { path: "the terminal".into(), error };
    let mut terminal = ratatui::try_init().map_err(failed)?;
    let mut view = View { walk, title, said: String::new() };
    let ended = loop {
        if let Err(error) = terminal.draw(|frame| draw(frame, &view)) {
            break Err(error);
        }
        match event::read() {
            Err(error) => break Err(error),
            Ok(Input::Key(key)) if key.kind == KeyEventKind::Press => match order(key.code) {
                Some(Order::Quit) => break Ok(()),
                Some(order) => view.obey(order),
                None => {}
            },
            Ok(_) => {}
        }
    };
    ratatui::restore();
    ended.map_err(failed)
}

/// What a key asks for; a capital letter goes back.
fn order(key: KeyCode) -> Option<Order> {
    Some(match key {
        KeyCode::Right | KeyCode::Down | KeyCode::Char(' ' | 'n') => Order::Next(Goal::Event),
        KeyCode::Left | KeyCode::Up | KeyCode::Char('p') => Order::Previous(Goal::Event),
        KeyCode::PageDown => Order::Forward(PAGE),
        KeyCode::PageUp => Order::Back(PAGE),
        KeyCode::End => Order::Forward(usize::MAX),
        KeyCode::Home => Order::Back(usize::MAX),
        KeyCode::Char('q') | KeyCode::Esc => Order::Quit,
        KeyCode::Char(letter) => {
            let named = |goal: &Goal| goal.name().starts_with(letter.to_ascii_lowercase());
            let goal = Goal::ALL.into_iter().filter(|goal| *goal != Goal::Event).find(named)?;
            if letter.is_ascii_uppercase() { Order::Previous(goal) } else { Order::Next(goal) }
        }
        _ => return None,
    })
}

impl View {
    fn obey(&mut self, order: Order) {
        self.said.clear();
        let position = self.walk.position();
        match order {
            Order::Next(goal) if !self.walk.next(goal) => {
                self.said = format!("no {} after this", goal.name())
            }
            Order::Previous(goal) if !self.walk.previous(goal) => {
                self.said = format!("no {} before this", goal.name());
            }
            Order::Forward(count) => self.walk.go_to(position.saturating_add(count)),
            Order::Back(count) => self.walk.go_to(position.saturating_sub(count)),
            Order::Next(_) | Order::Previous(_) | Order::Quit => {}
        }
    }
}

/// Draws the title, the members side by side, the events around this one, and the keys.
fn draw(frame: &mut Frame<'_>, view: &View) {
    let walk = &view.walk;
    let violations: Vec<&str> = walk.violations_here().collect();
    let rows = ROWS.len() as u16 + 2;
    let heights =
        [Constraint::Length(1), Constraint::Length(rows), Constraint::Min(3), Constraint::Length(1)];
    let [head, members, events, foot] = Layout::vertical(heights).areas(frame.area());
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let reversed = Style::new().add_modifier(Modifier::REVERSED);

    let place = format!(
        "{}   {}   event {} of {}   {}",
        view.title,
        describe::time(walk.time()),
        numbers::count(walk.position() as u64),
        numbers::count(walk.events().len() as u64),
        view.said
    );
    frame.render_widget(Paragraph::new(place).style(bold), head);

    let states = &walk.states().0;
    let acts = walk.last().map(|event| event.member);
    let heading = states
        .ids()
        .map(|id| Cell::from(format!("member {id}")).style(if acts == Some(id) { reversed } else { bold }));
    let heading = Row::new(std::iter::once(Cell::from("")).chain(heading));
    let row = |(name, part): &(&'static str, fn(&crate::walk::MemberState) -> String)| {
        Row::new(std::iter::once((*name).to_string()).chain(states.values().map(part)))
    };
    let widths = std::iter::once(Constraint::Length(14)).chain(states.ids().map(|_| Constraint::Fill(1)));
    let table = Table::new(ROWS.iter().map(row), widths).header(heading);
    frame.render_widget(table.block(Block::new().borders(Borders::BOTTOM)), members);

    // This event stands in the middle; violations stand under it.
    let height = events.height as usize;
    let above = (height / 2).min(walk.position());
    let first = walk.position() - above;
    let mut lines = Vec::new();
    for (nth, event) in walk.events().iter().enumerate().skip(first).take(height) {
        let here = nth + 1 == walk.position();
        let line = Line::from(describe::event(event));
        lines.push(if here { line.style(reversed) } else { line });
        if here {
            let seen =
                violations.iter().map(|title| Line::from(format!("      violation  {title}")).style(bold));
            lines.extend(seen);
        }
    }
    frame.render_widget(Paragraph::new(lines), events);
    frame.render_widget(Paragraph::new(KEYS).style(reversed), foot);
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use record::{EtcdFact, Event, Fact, MemberId, Role};
    use verify::{Oracle, Violation};

    use super::*;

    fn view() -> View {
        let id = MemberId::new(1);
        let state = EtcdFact::State { term: 4, vote: id, role: Role::Leader, leader: id };
        let at = |time, member: u32, fact| Event { time, member: MemberId::new(member), fact };
        let events = vec![
            at(0, 1, Fact::Started { incarnation: 1 }),
            at(7_000_000, 1, Fact::Own(state)),
            at(9_000_000, 2, Fact::Paused),
        ];
        let violations = [Violation::new(Oracle::K1, 8_000_000, "a stale read")];
        View { walk: Walk::new(events, &violations, 2), title: "a.toml".to_string(), said: String::new() }
    }

    fn drawn(view: &View) -> String {
        let mut terminal = Terminal::new(TestBackend::new(110, 24)).expect("a terminal in memory");
        terminal.draw(|frame| draw(frame, view)).expect("it takes everything");
        terminal.backend().to_string()
    }

    #[test]
    fn the_picture_follows_the_walk() {
        let mut view = view();
        assert!(drawn(&view).contains("event 0 of 3") && !drawn(&view).contains("LEADER"));
        view.obey(order(KeyCode::Char('e')).expect("a key"));
        let text = drawn(&view);
        assert!(text.contains("LEADER") && text.contains("event 2 of 3"), "{text}");
        assert!(text.contains("violation  K1: a stale read") && text.contains("m2   is paused"), "{text}");
        view.obey(Order::Back(PAGE));
        assert!(!drawn(&view).contains("LEADER"));
    }

    #[test]
    fn letters_go_forward_and_capitals_back() {
        assert_eq!(order(KeyCode::Char('v')), Some(Order::Next(Goal::Violation)));
        assert_eq!(order(KeyCode::Char('F')), Some(Order::Previous(Goal::Fault)));
        assert_eq!(order(KeyCode::Char('c')), Some(Order::Next(Goal::Commit)));
        assert_eq!((order(KeyCode::Char('x')), order(KeyCode::Esc)), (None, Some(Order::Quit)));
    }

    #[test]
    fn a_key_that_leads_nowhere_says_so() {
        let mut view = view();
        view.obey(Order::Previous(Goal::Election));
        assert!(drawn(&view).contains("no election before this"));
    }

    #[test]
    fn a_small_terminal_is_no_trouble() {
        let view = view();
        for (width, height) in [(1, 1), (10, 3), (40, 10)] {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal in memory");
            terminal.draw(|frame| draw(frame, &view)).expect("it takes everything");
        }
    }
}
