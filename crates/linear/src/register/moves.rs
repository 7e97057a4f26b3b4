//! The register as the search sees it: numbered values, and counts of the rows that still have to see them.

use crate::intern::Interner;
use crate::search::Moves;

use super::appends::Edges;
use super::columns::{Columns, INITIAL, Kind, NONE};

/// The rows of a component as moves.
pub(super) struct RegisterMoves<'a> {
    kind: &'a [Kind],
    a: &'a [u32],
    b: Vec<u32>,
    /// The value in `b` that stands for all values that no row looks for; [`NONE`] if there is none.
    unseen: u32,
    edges: &'a Edges,
    optional: Vec<bool>,
    /// Rows of the same class do the same. [`NONE`]: no other row does what this one does.
    class: Vec<u32>,
    classes: u32,
    /// By value: how many rows that must take effect still have to see it, and how many appends still have to
    /// find it.
    consumers: Vec<u32>,
    /// By value: how many rows that have not taken effect yet could set it.
    producers: Vec<u32>,
    /// By value: how often an append has led to it, if an append must. That is so if it is looked for, and the
    /// only way to it is by appends to one value. [`FREE`] for all others.
    taken: Vec<u32>,
    /// By value with a count in `taken`: the value before it.
    before: Vec<u32>,
}

const FREE: u32 = u32::MAX;

impl<'a> RegisterMoves<'a> {
    pub(super) fn new(columns: &'a Columns) -> Self {
        let values = vec![0_u32; columns.values as usize];
        let (b, unseen) = merge_unseen(columns);
        let mut moves = RegisterMoves {
            kind: &columns.kind,
            a: &columns.a,
            b,
            unseen,
            edges: &columns.edges,
            optional: (0..columns.len()).map(|row| columns.optional(row)).collect(),
            class: vec![NONE; columns.len()],
            classes: 0,
            consumers: values.clone(),
            taken: vec![FREE; columns.values as usize],
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

    /// Numbers the rows that do the same as another row.
    fn classify(&mut self) {
        let mut kinds: Interner<(u8, u32, u32)> = Interner::new();
        let mut alike: Vec<u32> = Vec::new();
        let mut class = vec![NONE; self.kind.len()];
        for row in 0..self.kind.len() {
            let kind = match self.kind[row] {
                Kind::Write => 0,
                Kind::Cas => 1,
                Kind::Append => 2,
                Kind::Read | Kind::Not | Kind::Gone => continue,
            };
            let number = kinds.intern_owned((kind, self.a[row], self.b[row]));
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

    /// Finds the values that must be reached by an append, and counts that append as a consumer of the value
    /// before.
    fn require_appends(&mut self, initial: u32) {
        let mut before = vec![NONE; self.taken.len()];
        let mut ways = vec![0_u32; self.taken.len()];
        for (from, to) in self.edges.all() {
            ways[to as usize] += u32::from(before[to as usize] != from);
            before[to as usize] = from;
        }
        for row in 0..self.kind.len() {
            if matches!(self.kind[row], Kind::Write | Kind::Cas) {
                ways[self.b[row] as usize] = 2;
            }
        }
        ways[initial as usize] = 2;
        let must = |moves: &Self, value: u32| moves.consumers[value as usize] > 0;
        let mut open: Vec<u32> = (0..self.taken.len() as u32).filter(|&value| must(self, value)).collect();
        while let Some(value) = open.pop() {
            if ways[value as usize] == 1 && self.taken[value as usize] == FREE {
                self.taken[value as usize] = 0;
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

    /// Adds a row that has not taken effect yet to the counts, or removes it.
    fn count(&mut self, row: usize, open: bool) {
        let change = |count: &mut u32| if open { *count += 1 } else { *count -= 1 };
        if self.consumes(row) {
            change(&mut self.consumers[self.a[row] as usize]);
        }
        match self.kind[row] {
            Kind::Write | Kind::Cas => change(&mut self.producers[self.b[row] as usize]),
            Kind::Append => {
                for &(_, after) in &self.edges.by_kind[self.b[row] as usize] {
                    change(&mut self.producers[after as usize]);
                }
            }
            Kind::Read | Kind::Not | Kind::Gone => {}
        }
    }

    /// The value that an append reaches from `before`, if it must be reached by an append.
    fn required(&self, row: usize, before: u32) -> Option<u32> {
        if self.kind[row] != Kind::Append {
            return None;
        }
        let after = self.edges.after(self.b[row], before);
        (self.taken[after as usize] != FREE).then_some(after)
    }
}

/// What each row sets, where one value stands for all values that no row looks for, and that value.
///
/// Which of them it is makes no difference to any row, so configurations that differ only in that become one.
fn merge_unseen(columns: &Columns) -> (Vec<u32>, u32) {
    let mut seen = vec![false; columns.values as usize];
    for value in columns.a.iter().copied().chain(columns.edges.all().map(|edge| edge.0)) {
        if value != NONE {
            seen[value as usize] = true;
        }
    }
    let sets = |row: &usize| matches!(columns.kind[*row], Kind::Write | Kind::Cas);
    let unseen = |row: &usize| sets(row) && !seen[columns.b[*row] as usize];
    let rows = 0..columns.len();
    let merged = match rows.clone().find(unseen) {
        Some(_) if !columns.edges.by_kind.is_empty() => columns.edges.elsewhere,
        Some(first) => columns.b[first],
        None => return (columns.b.clone(), NONE),
    };
    (rows.map(|row| if unseen(&row) { merged } else { columns.b[row] }).collect(), merged)
}

impl Moves for RegisterMoves<'_> {
    fn is_read(&self, row: u32) -> bool {
        matches!(self.kind[row as usize], Kind::Read | Kind::Not)
    }

    fn after(&mut self, state: u32, row: u32) -> Option<u32> {
        let at = row as usize;
        match self.kind[at] {
            Kind::Read => (self.a[at] == state).then_some(state),
            Kind::Not => (self.a[at] != state).then_some(state),
            Kind::Write => Some(self.b[at]),
            Kind::Cas => (self.a[at] == state).then(|| self.b[at]),
            Kind::Append => Some(self.edges.after(self.b[at], state)),
            Kind::Gone => None,
        }
    }

    fn possible(&self, state: u32, row: u32) -> bool {
        let at = row as usize;
        if self.kind[at] == Kind::Cas && self.a[at] != state {
            return false;
        }
        // Leaving a value for good is a dead end if a row still has to see it.
        let mut own = u32::from(self.consumes(at) && self.a[at] == state);
        if self.required(at, state).is_some_and(|after| self.taken[after as usize] == 0) {
            own = 1;
        }
        let stays = self.kind[at] == Kind::Write && self.b[at] == state;
        self.consumers[state as usize] <= own || self.producers[state as usize] > 0 || stays
    }

    fn spare(&self, row: u32) -> bool {
        let at = row as usize;
        self.optional[at] && self.kind[at] == Kind::Write && self.b[at] == self.unseen
    }

    fn wants_spare(&self, row: u32) -> bool {
        self.kind[row as usize] == Kind::Not
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
            self.taken[after as usize] += 1;
            self.consumers[before as usize] -= u32::from(self.taken[after as usize] == 1);
        }
    }

    fn unlift(&mut self, row: u32, before: u32) {
        self.count(row as usize, true);
        if let Some(after) = self.required(row as usize, before) {
            self.taken[after as usize] -= 1;
            self.consumers[before as usize] += u32::from(self.taken[after as usize] == 0);
        }
    }

    fn relax(&mut self) {
        for (value, taken) in self.taken.iter_mut().enumerate() {
            if std::mem::replace(taken, FREE) != FREE {
                self.consumers[self.before[value] as usize] -= 1;
            }
        }
    }
}
