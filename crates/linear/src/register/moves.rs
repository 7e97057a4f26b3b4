//! Tells the search what the rows of a register do. A state of the search is the number of a value. Counts of
//! the rows that are not in the order yet show dead ends early: once the register leaves a value that it can
//! never have again, no row may be left that has to see it.

use crate::intern::Interner;
use crate::search::Moves;

use super::appends::Edges;
use super::columns::{Columns, INITIAL, Kind, NONE};

/// The rows of a component as moves.
pub(super) struct RegisterMoves<'a> {
    kind: &'a [Kind],
    expected: &'a [u32],
    /// The column `new`, with one value in place of all values that no row looks for.
    new: Vec<u32>,
    /// The value in `new` that stands for all values that no row looks for; [`NONE`] if there is none.
    unseen: u32,
    edges: &'a Edges,
    optional: Vec<bool>,
    /// By row. Rows of the same class do the same; [`NONE`] if no other row does the same.
    class: Vec<u32>,
    /// One more than the greatest class.
    classes: u32,
    /// By value: how many rows must take effect, are not in the order yet, and can only follow this value.
    consumers: Vec<u32>,
    /// By value: how many rows that are not in the order yet could set it.
    producers: Vec<u32>,
    /// By value. Some row must see the value, and only appends to one other value can make it: how many of
    /// these appends are in the order. [`FREE`] for all other values.
    appended: Vec<u32>,
    /// By value with a count in `appended`: the value that those appends extend.
    before: Vec<u32>,
}

/// No append is required to make the value.
const FREE: u32 = u32::MAX;

impl<'a> RegisterMoves<'a> {
    pub(super) fn new(columns: &'a Columns) -> Self {
        let values = vec![0_u32; columns.values as usize];
        let (new, unseen) = merge_unseen(columns);
        let mut moves = RegisterMoves {
            kind: &columns.kind,
            expected: &columns.expected,
            new,
            unseen,
            edges: &columns.edges,
            optional: (0..columns.len()).map(|row| columns.optional(row)).collect(),
            class: vec![NONE; columns.len()],
            classes: 0,
            consumers: values.clone(),
            appended: vec![FREE; columns.values as usize],
            producers: values,
            before: Vec::new(),
        };
        moves.classify();
        for row in 0..moves.kind.len() {
            moves.count(row, true);
        }
        moves.require_appends(INITIAL);
        moves
    }

    /// Gives the same class to rows that do the same.
    fn classify(&mut self) {
        let mut kinds: Interner<(u8, u32, u32)> = Interner::new();
        // By class: how many rows it has.
        let mut alike: Vec<u32> = Vec::new();
        let mut class = vec![NONE; self.kind.len()];
        for row in 0..self.kind.len() {
            let kind = match self.kind[row] {
                Kind::Write => 0,
                Kind::Cas => 1,
                Kind::Append => 2,
                Kind::Read | Kind::Negative | Kind::Dropped => continue,
            };
            let number = kinds.intern_owned((kind, self.expected[row], self.new[row]));
            class[row] = number;
            if number as usize == alike.len() {
                alike.push(0);
            }
            alike[number as usize] += 1;
        }
        for (row, class) in class.into_iter().enumerate() {
            if class != NONE && alike[class as usize] > 1 {
                self.class[row] = class;
            }
        }
        self.classes = alike.len() as u32;
    }

    /// Finds the values that an append must make (see `appended`), and counts that append as a consumer of the
    /// value it extends.
    fn require_appends(&mut self, initial: u32) {
        let mut before = vec![NONE; self.appended.len()];
        // By value: the number of ways to it. All appends to the same value are one way; 2 stands for several.
        let mut ways = vec![0_u32; self.appended.len()];
        for (from, to) in self.edges.all() {
            ways[to as usize] += u32::from(before[to as usize] != from);
            before[to as usize] = from;
        }
        for row in 0..self.kind.len() {
            if matches!(self.kind[row], Kind::Write | Kind::Cas) {
                ways[self.new[row] as usize] = 2;
            }
        }
        ways[initial as usize] = 2;
        let must = |moves: &Self, value: u32| moves.consumers[value as usize] > 0;
        let mut open: Vec<u32> = (0..self.appended.len() as u32).filter(|&value| must(self, value)).collect();
        while let Some(value) = open.pop() {
            if ways[value as usize] == 1 && self.appended[value as usize] == FREE {
                self.appended[value as usize] = 0;
                self.consumers[before[value as usize] as usize] += 1;
                open.push(before[value as usize]);
            }
        }
        self.before = before;
    }

    /// Whether this row must take effect and see its value.
    fn consumes(&self, row: usize) -> bool {
        !self.optional[row] && matches!(self.kind[row], Kind::Read | Kind::Cas)
    }

    /// Adds a row to the counts, because it is not in the order yet (`open`), or removes it, because it is now.
    fn count(&mut self, row: usize, open: bool) {
        let change = |count: &mut u32| if open { *count += 1 } else { *count -= 1 };
        if self.consumes(row) {
            change(&mut self.consumers[self.expected[row] as usize]);
        }
        match self.kind[row] {
            Kind::Write | Kind::Cas => change(&mut self.producers[self.new[row] as usize]),
            Kind::Append => {
                for &(_, after) in &self.edges.by_kind[self.new[row] as usize] {
                    change(&mut self.producers[after as usize]);
                }
            }
            Kind::Read | Kind::Negative | Kind::Dropped => {}
        }
    }

    /// The value that this row makes from `before`, if the row is an append and an append must make that value.
    fn required(&self, row: usize, before: u32) -> Option<u32> {
        if self.kind[row] != Kind::Append {
            return None;
        }
        let after = self.edges.after(self.new[row], before);
        (self.appended[after as usize] != FREE).then_some(after)
    }
}

/// The column `new` with one value in place of all values that no row looks for, and that value.
///
/// No row can tell those values apart, so configurations that differ only in them become one.
fn merge_unseen(columns: &Columns) -> (Vec<u32>, u32) {
    let mut seen = vec![false; columns.values as usize];
    for value in columns.expected.iter().copied().chain(columns.edges.all().map(|edge| edge.0)) {
        if value != NONE {
            seen[value as usize] = true;
        }
    }
    let sets = |row: &usize| matches!(columns.kind[*row], Kind::Write | Kind::Cas);
    let unseen = |row: &usize| sets(row) && !seen[columns.new[*row] as usize];
    let rows = 0..columns.len();
    // An append without an edge leads to `elsewhere`. So if there are appends, that value stands for all.
    let merged = match rows.clone().find(unseen) {
        Some(_) if !columns.edges.by_kind.is_empty() => columns.edges.elsewhere,
        Some(first) => columns.new[first],
        None => return (columns.new.clone(), NONE),
    };
    (rows.map(|row| if unseen(&row) { merged } else { columns.new[row] }).collect(), merged)
}

impl Moves for RegisterMoves<'_> {
    fn is_read(&self, row: u32) -> bool {
        matches!(self.kind[row as usize], Kind::Read | Kind::Negative)
    }

    fn after(&mut self, state: u32, row: u32) -> Option<u32> {
        let at = row as usize;
        match self.kind[at] {
            Kind::Read => (self.expected[at] == state).then_some(state),
            Kind::Negative => (self.expected[at] != state).then_some(state),
            Kind::Write => Some(self.new[at]),
            Kind::Cas => (self.expected[at] == state).then(|| self.new[at]),
            Kind::Append => Some(self.edges.after(self.new[at], state)),
            Kind::Dropped => None,
        }
    }

    fn possible(&self, state: u32, row: u32) -> bool {
        let at = row as usize;
        if self.kind[at] == Kind::Cas && self.expected[at] != state {
            return false;
        }
        // Leaving a value for good is a dead end if another row still has to see it. `own` counts this row, if
        // it is one that has to see the value.
        let mut own = u32::from(self.consumes(at) && self.expected[at] == state);
        if self.required(at, state).is_some_and(|after| self.appended[after as usize] == 0) {
            own = 1;
        }
        let stays = self.kind[at] == Kind::Write && self.new[at] == state;
        self.consumers[state as usize] <= own || self.producers[state as usize] > 0 || stays
    }

    fn spare(&self, row: u32) -> bool {
        let at = row as usize;
        self.optional[at] && self.kind[at] == Kind::Write && self.new[at] == self.unseen
    }

    fn wants_spare(&self, row: u32) -> bool {
        self.kind[row as usize] == Kind::Negative
    }

    fn class(&self, row: u32) -> u32 {
        self.class[row as usize]
    }

    fn classes(&self) -> u32 {
        self.classes
    }

    fn looks_at_state(&self, row: u32) -> bool {
        self.kind[row as usize] != Kind::Write
    }

    fn lift(&mut self, row: u32, before: u32) {
        self.count(row as usize, false);
        if let Some(after) = self.required(row as usize, before) {
            self.appended[after as usize] += 1;
            self.consumers[before as usize] -= u32::from(self.appended[after as usize] == 1);
        }
    }

    fn unlift(&mut self, row: u32, before: u32) {
        self.count(row as usize, true);
        if let Some(after) = self.required(row as usize, before) {
            self.appended[after as usize] -= 1;
            self.consumers[before as usize] += u32::from(self.appended[after as usize] == 0);
        }
    }

    fn relax(&mut self) {
        for (value, appended) in self.appended.iter_mut().enumerate() {
            if std::mem::replace(appended, FREE) != FREE {
                self.consumers[self.before[value] as usize] -= 1;
            }
        }
    }
}
