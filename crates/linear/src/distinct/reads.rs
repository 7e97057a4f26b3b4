//! Orders the operations of a set that is read as a whole, if no element is added twice but elements are removed. The
//! head of [`super`] defines the words.
//!
//! *Positions.* Suppose an order of the reads. It shows which elements come (are added) and which go (are removed)
//! between one read and the next. An element that is gone never comes back. An element can come after a read only if
//! that read's position is not after the last one at which the element can be added; it can go before a read only if
//! that read's position is not before the first one at which the element can be removed ([`super::life`]). And a read
//! that does not show an element cannot have a position at which the element is certainly in the set. Therefore each
//! read gets the first position that it can have after the reads before it. A later one would never help the reads
//! that follow: if there is no order with the first positions, there is none.
//!
//! *The search.* So it is enough to search for an order of the reads. Some other rows take part in it: those that found
//! a single element absent, if some read shows that element. Each of them comes before or after all reads that show it.
//! Reads and these rows are the *events*. The state of the search is what the last read showed, and the position
//! reached so far. The other rows find their places afterwards.
//!
//! Mostly the reads are in the order of their calls, or their elements show their order, so the search seldom has a
//! choice. At worst it takes time exponential in the number of reads in flight at a time.

use std::collections::HashMap;

use crate::budget::{Limit, Meter};
use crate::intern::Interner;
use crate::order::NEVER;
use crate::search::{self, Moves};
use crate::slice::Effort;

use super::cover::Cover;
use super::elements::NONE;
use super::life::{Kind, Life};
use super::reason::Reason;
use super::set::{Grouped, Judged};

/// The rows in order, or why there is no order.
pub(super) fn order(grouped: &Grouped, meter: &mut Meter<'_>, effort: Effort) -> Result<Judged, Limit> {
    let timeline = match Timeline::new(grouped) {
        Ok(timeline) => timeline,
        Err(reason) => return Ok(Judged::Wrong(reason)),
    };
    let Effort::Search(seed) = effort else { return Ok(Judged::Deferred) };
    let events = &timeline.events;
    let call: Vec<u32> = events.iter().map(|event| event.lower).collect();
    let ret: Vec<u32> = events.iter().map(|event| event.upper).collect();
    let problem = search::Problem { call: &call, ret: &ret, rank: &ret, start: 0, seed };
    match search::search(&problem, &mut ReadMoves::new(&timeline), meter) {
        search::Found::Order(path) => Ok(Judged::Order(timeline.all_rows(&path))),
        search::Found::Nothing { deepest } => {
            let core = timeline.around(&deepest);
            let deepest = deepest.iter().map(|&event| events[event as usize].row).collect();
            Ok(Judged::Nothing { core, deepest })
        }
        search::Found::Ended { limit, .. } => Err(limit),
    }
}

/// A contradiction that shows without a search.
pub(super) fn contradiction(grouped: &Grouped) -> Option<Reason> {
    Timeline::new(grouped).err()
}

/// A row that takes part in the search: a read, or a row that did not find an element that some read shows.
struct Event {
    row: u32,
    /// The first position it can have.
    lower: u32,
    /// The last position it can have.
    upper: u32,
    /// Which of the two it is.
    what: What,
}

/// What an event is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    /// A read. The number is the index in [`Timeline::contents`] of the elements that it showed.
    Read(u32),
    /// A row that found this element absent.
    Absent(u32),
}

/// What is known before reads are put in order.
struct Timeline<'a> {
    grouped: &'a Grouped,
    /// By element.
    lives: Vec<Life>,
    /// By element: how many reads show it.
    shown: Vec<u32>,
    /// The sets that reads showed, each once. The first is the empty set.
    contents: Vec<&'a [u32]>,
    /// In the order of their lower bounds.
    events: Vec<Event>,
    /// The positions at which an element is certainly in the set that no read shows. No read can be there.
    unseen: Cover,
    /// The elements that some read shows, sorted by the last position at which each can be added.
    by_added: Vec<u32>,
    /// By element: its index in `by_added`.
    place: Vec<u32>,
}

impl<'a> Timeline<'a> {
    fn new(grouped: &'a Grouped) -> Result<Timeline<'a>, Reason> {
        let shown_by = ShownBy::new(grouped);
        let lives = lives(grouped, &shown_by)?;
        lacking(grouped, &lives)?;
        let rows = &grouped.rows;
        let shown: Vec<u32> = (0..grouped.len()).map(|element| shown_by.of(element).len() as u32).collect();
        let mut contents: Vec<&[u32]> = vec![&[]];
        let mut numbers: HashMap<&[u32], u32> = HashMap::from([(contents[0], 0)]);
        let mut events = Vec::with_capacity(grouped.reads.len());
        for read in &grouped.reads {
            let elements = read.elements.as_slice();
            let number = *numbers.entry(elements).or_insert_with(|| {
                contents.push(elements);
                contents.len() as u32 - 1
            });
            events.push(bounded(grouped, &lives, read.row, elements, number)?);
        }
        for (element, _) in shown.iter().enumerate().filter(|(_, shown)| **shown > 0) {
            let absent = grouped.of(element).iter().filter(|mark| mark.1 == Kind::Absent);
            let what = What::Absent(element as u32);
            events.extend(absent.map(|&(row, _)| Event {
                row,
                lower: rows.call(row),
                upper: rows.ret(row),
                what,
            }));
        }
        events.sort_by_key(|event| (event.lower, event.row));
        let unseen = lives.iter().zip(&shown).filter(|(life, shown)| **shown == 0 && life.certain());
        let unseen = Cover::new(rows.end(), unseen.map(|(life, _)| (life.added.0, life.removed.0)));
        let mut by_added: Vec<u32> =
            (0..grouped.len() as u32).filter(|&element| shown[element as usize] > 0).collect();
        by_added.sort_by_key(|&element| lives[element as usize].added.0);
        let mut place = vec![NONE; grouped.len()];
        (0..).zip(&by_added).for_each(|(at, &element)| place[element as usize] = at);
        Ok(Timeline { grouped, lives, shown, contents, events, unseen, by_added, place })
    }

    /// All rows in order, given the order of the events.
    fn all_rows(&self, path: &[u32]) -> Vec<u32> {
        let rows = &self.grouped.rows;
        let mut moves = ReadMoves::new(self);
        // By element: the places and positions of the first and the last read that shows it.
        let mut first = vec![(NONE, 0); self.lives.len()];
        let mut last = vec![(NONE, 0); self.lives.len()];
        // The keys by which rows are sorted: position; place of the event in the path, or 0 for rows before all
        // events at that position; what comes first at the same place; row.
        let mut keys: Vec<(u32, u32, u8, u32)> = Vec::with_capacity(rows.len());
        let mut state = State::default();
        for (place, &event) in (1..).zip(path) {
            let Some(after) = moves.step(state, event) else {
                debug_assert!(false, "the search found this order");
                return Vec::new();
            };
            moves.lift(event, 0);
            state = after;
            let event = &self.events[event as usize];
            keys.push((state.position, place, 1, event.row));
            if let What::Read(number) = event.what {
                for &element in self.contents[number as usize] {
                    if first[element as usize].0 == NONE {
                        first[element as usize] = (place, state.position);
                    }
                    last[element as usize] = (place, state.position);
                }
            }
        }
        for (element, life) in self.lives.iter().enumerate() {
            let marks = self.grouped.of(element);
            if self.shown[element] == 0 {
                self.place_unseen(life, marks, &mut keys);
                continue;
            }
            let add = (life.added.0.min(first[element].1), first[element].0);
            let remove = (life.removed.0.max(last[element].1), last[element].0);
            for &(row, kind) in marks {
                match kind {
                    Kind::Add => keys.push((add.0, add.1, 0, row)),
                    Kind::Remove if row == life.remove => keys.push((remove.0, remove.1, 3, row)),
                    Kind::Present if rows.call(row) <= add.0 => keys.push((add.0, add.1, 1, row)),
                    Kind::Present => keys.push((rows.call(row), 0, 1, row)),
                    // The other removals did not take effect, and rows that found the element absent are events.
                    Kind::Remove | Kind::Absent => {}
                }
            }
        }
        keys.sort_unstable();
        keys.into_iter().map(|(.., row)| row).collect()
    }

    /// Places the rows of an element that no read shows. No read has a position at which the element is certainly in
    /// the set. A read at the position where this time begins comes before it, and a read at the position where it
    /// ends comes after it.
    fn place_unseen(&self, life: &Life, marks: &[(u32, Kind)], keys: &mut Vec<(u32, u32, u8, u32)>) {
        let mut placed = Vec::with_capacity(marks.len());
        let right = life.place(&self.grouped.rows, marks, &mut placed);
        debug_assert!(right.is_ok(), "it was looked at before");
        let added = if life.certain() { life.added.0 } else { NONE };
        for (position, kind, row) in placed {
            // `kind` is the number that `Life::place` gives: 0 for rows before the add, 1 for the add itself, 4 for
            // rows after the removal. The rows before the add come before all reads at its position. So do all rows
            // if the element is added and removed at one position.
            let behind = position == added && kind > 0 || position == life.removed.0 && kind == 4;
            keys.push((position, if behind { NEVER } else { 0 }, kind as u8, row));
        }
    }

    /// A few rows around the point that no order gets past. They may be a conflict.
    fn around(&self, deepest: &[u32]) -> Vec<u32> {
        const NEAR: usize = 12;
        const ELEMENTS: usize = 48;
        let mut done = vec![false; self.events.len()];
        deepest.iter().for_each(|&event| done[event as usize] = true);
        let open = || (0..self.events.len()).filter(|&event| !done[event]);
        let until = open().map(|event| self.events[event].upper).min().unwrap_or(NEVER);
        let next = open().filter(|&event| self.events[event].lower < until).take(NEAR);
        let before = deepest.iter().rev().take(NEAR).map(|&event| event as usize);
        let near: Vec<&Event> = next.chain(before).map(|event| &self.events[event]).collect();
        let mut count: HashMap<u32, usize> = HashMap::new();
        for event in &near {
            match event.what {
                What::Read(number) => {
                    self.contents[number as usize].iter().for_each(|&one| *count.entry(one).or_insert(0) += 1)
                }
                What::Absent(element) => *count.entry(element).or_insert(0) += 1,
            }
        }
        // An element that all of these events show does not distinguish them.
        let mut elements: Vec<u32> =
            count.into_iter().filter(|(_, count)| *count < near.len()).map(|(element, _)| element).collect();
        let reach =
            near.iter().map(|event| event.lower).min().zip(near.iter().map(|event| event.upper).max());
        elements.extend((0..self.lives.len() as u32).filter(|&element| {
            let life = &self.lives[element as usize];
            let certain = self.shown[element as usize] == 0 && life.certain();
            certain && reach.is_some_and(|(from, to)| life.added.0 < to && life.removed.0 > from)
        }));
        elements.sort_unstable();
        elements.truncate(ELEMENTS);
        let marks = elements.iter().flat_map(|&element| self.grouped.of(element as usize));
        let mut rows: Vec<u32> = marks.map(|mark| mark.0).chain(near.iter().map(|event| event.row)).collect();
        rows.retain(|&row| self.grouped.rows.ret(row) != NEVER);
        rows.sort_unstable();
        rows.dedup();
        rows
    }
}

/// The event of a read, with the bounds of its position: it comes after the adds of all elements that it shows, and
/// before their removals.
fn bounded(
    grouped: &Grouped,
    lives: &[Life],
    row: u32,
    elements: &[u32],
    number: u32,
) -> Result<Event, Reason> {
    let rows = &grouped.rows;
    let mut lower = (rows.call(row), NONE);
    let mut upper = (rows.ret(row), NONE);
    for &element in elements {
        let life = &lives[element as usize];
        lower = lower.max((rows.call(life.add), life.add));
        if life.remove != NONE {
            upper = upper.min((rows.ret(life.remove), life.remove));
        }
    }
    if upper.0 < lower.0 {
        return Err(Reason::NeverTogether { add: lower.1, remove: upper.1, read: row });
    }
    Ok(Event { row, lower: lower.0, upper: upper.0, what: What::Read(number) })
}

/// For each element, the reads that show it.
struct ShownBy {
    /// By element: the index in `rows` of its first read. A last entry has the length of `rows`.
    starts: Vec<u32>,
    /// For one element after another: the rows of its reads.
    rows: Vec<u32>,
}

impl ShownBy {
    fn new(grouped: &Grouped) -> ShownBy {
        let all =
            || grouped.reads.iter().flat_map(|read| read.elements.iter().map(move |one| (*one, read.row)));
        let mut starts = vec![0_u32; grouped.len() + 1];
        all().for_each(|(element, _)| starts[element as usize + 1] += 1);
        for element in 0..grouped.len() {
            starts[element + 1] += starts[element];
        }
        let mut next = starts.clone();
        let mut rows = vec![0; starts[grouped.len()] as usize];
        for (element, row) in all() {
            rows[next[element as usize] as usize] = row;
            next[element as usize] += 1;
        }
        ShownBy { starts, rows }
    }

    /// The rows of one element.
    fn of(&self, element: usize) -> &[u32] {
        &self.rows[self.starts[element] as usize..self.starts[element + 1] as usize]
    }
}

/// When each element is in the set, by the rows on this element and the reads that show it. Reports contradictions
/// about a single element, except reads that do not show it ([`lacking`]).
fn lives(grouped: &Grouped, shown_by: &ShownBy) -> Result<Vec<Life>, Reason> {
    let mut lives = Vec::with_capacity(grouped.len());
    let mut marks = Vec::new();
    for element in 0..grouped.len() {
        let shown = shown_by.of(element);
        marks.clear();
        marks.extend_from_slice(grouped.of(element));
        marks.extend(shown.iter().map(|&row| (row, Kind::Present)));
        let missed = shown.len() < grouped.reads.len();
        let life = Life::new(&grouped.rows, element as u32, &marks, missed)?;
        let absent = grouped.of(element).iter().filter(|mark| mark.1 == Kind::Absent);
        for &(row, _) in absent {
            if !life.allows_absence(&grouped.rows, row) {
                return Err(life.there(row));
            }
        }
        lives.push(life);
    }
    Ok(lives)
}

/// Looks for a read that lacks (does not show) an element that was certainly in the set from before its call until
/// after its return. To find one quickly, the elements are only counted: such a read shows fewer of these elements
/// than there are.
fn lacking(grouped: &Grouped, lives: &[Life]) -> Result<(), Reason> {
    let rows = &grouped.rows;
    let there = |life: &Life, row: u32| {
        life.certain() && life.added.0 < rows.call(row) && rows.ret(row) < life.removed.0
    };
    // Goes through the reads in the order of their calls, and through the elements in the order in which they are
    // added. `removed` counts the elements so far by the position of their removal.
    let mut reads: Vec<usize> = (0..grouped.reads.len()).collect();
    reads.sort_by_key(|&read| grouped.reads[read].row);
    let mut certain: Vec<&Life> = lives.iter().filter(|life| life.certain()).collect();
    certain.sort_by_key(|life| life.added.0);
    let end = rows.end();
    let mut removed = Counts::new(end as usize + 1);
    let mut next = certain.iter().peekable();
    let mut wrong: Option<usize> = None;
    for read in reads {
        let row = grouped.reads[read].row;
        while let Some(life) = next.next_if(|life| life.added.0 < rows.call(row)) {
            removed.add(life.removed.0.min(end) as usize);
        }
        let all = removed.above(rows.ret(row) as usize);
        let shown = grouped.reads[read].elements.iter().filter(|&&one| there(&lives[one as usize], row));
        // Of several wrong reads, the one that returned first is reported.
        let first = wrong.is_none_or(|known| rows.ret(row) < rows.ret(grouped.reads[known].row));
        if first && (shown.count() as u32) < all {
            wrong = Some(read);
        }
    }
    let Some(read) = wrong.map(|read| &grouped.reads[read]) else { return Ok(()) };
    let lacked = |&element: &u32| read.elements.binary_search(&element).is_err();
    let missing = (0..lives.len() as u32)
        .filter(lacked)
        .map(|element| &lives[element as usize])
        .find(|life| there(life, read.row));
    missing.map_or(Ok(()), |life| Err(life.there(read.row)))
}

/// A collection of numbers that tells quickly how many of them are above a given one (a Fenwick tree).
struct Counts {
    /// The nodes of the tree.
    sums: Vec<u32>,
    /// How many numbers there are.
    all: u32,
}

impl Counts {
    fn new(most: usize) -> Counts {
        Counts { sums: vec![0; most + 1], all: 0 }
    }

    /// Adds a number.
    fn add(&mut self, number: usize) {
        self.all += 1;
        let mut at = number + 1;
        while at < self.sums.len() {
            self.sums[at] += 1;
            at += at & at.wrapping_neg();
        }
    }

    /// How many of the numbers added so far are greater.
    fn above(&self, number: usize) -> u32 {
        let (mut at, mut sum) = ((number + 1).min(self.sums.len() - 1), 0);
        while at > 0 {
            sum += self.sums[at];
            at -= at & at.wrapping_neg();
        }
        self.all - sum
    }
}

/// A state of the search.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct State {
    /// What the last read showed, as an index into [`Timeline::contents`].
    content: u32,
    /// The position of the last event.
    position: u32,
}

/// What events do to states, for the search.
struct ReadMoves<'a> {
    timeline: &'a Timeline<'a>,
    states: Interner<State>,
    /// By element: how many reads in the order show it.
    done: Vec<u32>,
    /// How many reads are in the order.
    reads_done: u32,
    /// All elements before this place in [`Timeline::by_added`] have been shown by a read in the order.
    to_come: usize,
    /// How many bytes were read since the search last asked, see [`Moves::take_work`].
    work: u64,
}

impl<'a> ReadMoves<'a> {
    fn new(timeline: &'a Timeline<'a>) -> Self {
        let mut states = Interner::new();
        states.intern_owned(State::default());
        ReadMoves {
            timeline,
            states,
            done: vec![0; timeline.lives.len()],
            reads_done: 0,
            to_come: 0,
            work: 0,
        }
    }

    /// The state after an event; `None` if the event cannot come after `before`.
    fn step(&mut self, before: State, event: u32) -> Option<State> {
        let Event { lower, upper, what, .. } = self.timeline.events[event as usize];
        let position = before.position.max(lower);
        match what {
            What::Read(content) => self.read(before.content, content, position, upper),
            What::Absent(element) => {
                let life = &self.timeline.lives[element as usize];
                let done = self.done[element as usize];
                let position = match done {
                    0 if position > life.added.0 => return None,
                    0 => position,
                    // A read has shown the element, so it was removed before this event, and no later read may show
                    // it.
                    _ if done < self.timeline.shown[element as usize] || life.remove == NONE => return None,
                    _ => position.max(life.removed.0),
                };
                (position <= upper).then_some(State { position, ..before })
            }
        }
    }

    /// The state after a read that showed `content`, if the read before it showed `before`. The read can have
    /// positions from `position` to `upper`.
    fn read(&mut self, before: u32, content: u32, mut position: u32, upper: u32) -> Option<State> {
        let Timeline { lives, shown, contents, by_added, unseen, .. } = self.timeline;
        let (old, new) = (contents[before as usize], contents[content as usize]);
        if before != content {
            self.work += (old.len() + new.len()) as u64 * 4;
            for &gone in different(old, new) {
                // The element is gone, so no later read may show it.
                let life = &lives[gone as usize];
                if self.done[gone as usize] < shown[gone as usize] || life.remove == NONE {
                    return None;
                }
                position = position.max(life.removed.0);
            }
            // An element that was shown before and is gone never comes back. An element that nothing removes never
            // goes, so all reads that do not show it must come before.
            let lack = |come: u32| self.timeline.grouped.reads.len() as u32 - shown[come as usize];
            let wrong = |&come: &u32| {
                self.done[come as usize] > 0
                    || lives[come as usize].remove == NONE && self.reads_done < lack(come)
            };
            if different(new, old).any(wrong) {
                return None;
            }
        }
        position = unseen.free_from(position);
        let later = by_added[self.to_come..].iter().find(|&&element| {
            self.work += 4;
            self.done[element as usize] == 0 && new.binary_search(&element).is_err()
        });
        let deadline = later.map_or(NEVER, |&element| lives[element as usize].added.0);
        (position <= upper.min(deadline)).then_some(State { content, position })
    }
}

/// The numbers of `one` that are not in `other`; both ascend.
fn different<'a>(one: &'a [u32], other: &'a [u32]) -> impl Iterator<Item = &'a u32> {
    let mut rest = other.iter().peekable();
    one.iter().filter(move |&&number| {
        while rest.next_if(|&&other| other < number).is_some() {}
        rest.peek() != Some(&&number)
    })
}

impl Moves for ReadMoves<'_> {
    fn is_read(&self, _row: u32) -> bool {
        // Every event may change the state, because it may move the position.
        false
    }

    fn after(&mut self, state: u32, row: u32) -> Option<u32> {
        let before = *self.states.value(state);
        let after = self.step(before, row)?;
        Some(self.states.intern_owned(after))
    }

    fn joins(&mut self, state: u32, row: u32) -> bool {
        let before = *self.states.value(state);
        self.step(before, row) == Some(before)
    }

    fn late(&self, state: u32, until: u32) -> bool {
        self.states.value(state).position > until
    }

    fn lift(&mut self, row: u32, _before: u32) {
        let Timeline { events, contents, by_added, .. } = self.timeline;
        if let What::Read(content) = events[row as usize].what {
            self.reads_done += 1;
            contents[content as usize].iter().for_each(|&element| self.done[element as usize] += 1);
            self.work += contents[content as usize].len() as u64 * 4;
            while by_added.get(self.to_come).is_some_and(|&element| self.done[element as usize] > 0) {
                self.to_come += 1;
            }
        }
    }

    fn unlift(&mut self, row: u32, _before: u32) {
        let Timeline { events, contents, place, .. } = self.timeline;
        if let What::Read(content) = events[row as usize].what {
            self.reads_done -= 1;
            for &element in contents[content as usize] {
                self.done[element as usize] -= 1;
                if self.done[element as usize] == 0 {
                    self.to_come = self.to_come.min(place[element as usize] as usize);
                }
            }
        }
    }

    fn take_work(&mut self) -> u64 {
        std::mem::take(&mut self.work)
    }

    fn bytes(&self) -> usize {
        self.states.bytes_growing()
    }

    fn keep_only(&mut self, states: &mut [u32]) {
        let mut kept = Interner::new();
        for number in states {
            *number = kept.intern_owned(*self.states.value(*number));
        }
        self.states = kept;
    }
}
