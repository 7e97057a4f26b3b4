//! What a stack's stretches are asked for, over the elements that are left.
//!
//! Places are elements in the order of the returns that put them in.

use crate::order::NEVER;

use super::elements::{Element, NONE};
use super::supply::{ABSENT, Least};

pub(super) struct Trees {
    /// By place: the return that put the element in.
    put_ret: Vec<u32>,
    /// By place: itself if it is left, else one further on.
    next: Vec<u32>,
    /// How many elements before a place are still there when it is put in: 0 where a cut can be.
    cover: Least,
    /// The calls that take elements.
    last: Most,
    /// Elements whose put was not called by the start of their stretch: the calls, negated.
    late: Most,
    /// Elements whose take returned before the end of their stretch: the returns.
    early: Most,
    /// Elements within both bounds: 2 if they stay, else 1.
    ready: Most,
    /// Of each element how many bounds it is within.
    within: Vec<u8>,
    /// The same without elements that stay, where these may have been taken.
    certain: Option<Certain>,
}

struct Certain {
    cover: Least,
    last: Most,
    /// The returns of takes, of elements whose put was called by the start of their stretch.
    widest: Most,
}

impl Trees {
    pub(super) fn new(elements: &[Element], open: bool) -> Trees {
        let put_ret: Vec<u32> = elements.iter().map(|element| element.put_ret).collect();
        let certain = open.then(|| Certain {
            cover: cover(elements, &put_ret, |element| !element_stays(element)),
            last: Most::new(elements.len(), |place| match &elements[place] {
                element if element_stays(element) => 0,
                element => element.gone_call,
            }),
            widest: Most::new(elements.len(), |_| 0),
        });
        Trees {
            next: (0..=elements.len() as u32).collect(),
            cover: cover(elements, &put_ret, |_| true),
            last: Most::new(elements.len(), |place| elements[place].gone_call),
            late: Most::new(elements.len(), |place| NEVER - elements[place].put_call),
            early: Most::new(elements.len(), |place| elements[place].gone_ret),
            ready: Most::new(elements.len(), |_| 0),
            within: vec![0; elements.len()],
            put_ret,
            certain,
        }
    }

    /// The first place from this one on that is left, or how many places there are.
    pub(super) fn next(&mut self, place: u32) -> u32 {
        let mut at = place;
        while self.next[at as usize] != at {
            let further = self.next[self.next[at as usize] as usize];
            self.next[at as usize] = further;
            at = further;
        }
        at
    }

    /// The first place behind `start` before which a cut can be, or `to`.
    pub(super) fn next_cut(&self, start: u32, to: u32) -> u32 {
        let found = self.cover.first_at_most(start as usize + 1, to as usize, 0);
        found.map_or(to, |place| place as u32)
    }

    /// The last call that takes an element of a stretch.
    pub(super) fn last_call(&self, from: u32, to: u32) -> u32 {
        self.last.most(from, to)
    }

    /// An element of a stretch whose put was called by `start` and whose take returned at `end` or later. One
    /// that stays, if there is one.
    pub(super) fn outermost(
        &mut self,
        elements: &[Element],
        from: u32,
        to: u32,
        (start, end): (u32, u32),
    ) -> Option<u32> {
        while let Some(place) = self.late.find(from, to, NEVER - start) {
            self.late.set(place, 0);
            self.came_within(elements, place);
            let element = &elements[place as usize];
            if let Some(certain) = &mut self.certain
                && !element_stays(element)
            {
                certain.widest.set(place, element.gone_ret);
            }
        }
        while let Some(place) = self.early.find(from, to, end) {
            self.early.set(place, 0);
            self.came_within(elements, place);
        }
        self.ready.find(from, to, 2).or_else(|| self.ready.find(from, to, 1))
    }

    fn came_within(&mut self, elements: &[Element], place: u32) {
        let within = &mut self.within[place as usize];
        *within += 1;
        if *within == 2 {
            self.ready.set(place, if element_stays(&elements[place as usize]) { 2 } else { 1 });
        }
    }

    /// Takes an element out.
    pub(super) fn remove(&mut self, place: u32, element: &Element) {
        self.next[place as usize] = place + 1;
        let behind = self.first_put_from(element.gone_call);
        self.cover.add(place as usize + 1, behind, -1);
        self.cover.remove(place as usize);
        for tree in [&mut self.last, &mut self.late, &mut self.early, &mut self.ready] {
            tree.set(place, 0);
        }
        if let Some(certain) = &mut self.certain {
            if !element_stays(element) {
                certain.cover.add(place as usize + 1, behind, -1);
            }
            certain.cover.remove(place as usize);
            certain.last.set(place, 0);
            certain.widest.set(place, 0);
        }
    }

    /// Asks an element that stays to be gone by a position, earlier than before.
    pub(super) fn shorten(&mut self, place: u32, before: u32, now: u32) {
        let (from, to) = (self.first_put_from(now), self.first_put_from(before));
        self.cover.add(from.max(place as usize + 1), to, -1);
        self.last.set(place, now);
    }

    /// Of the elements that do not stay: up to where those at the beginning of the stretch cannot be cut, the last
    /// call that takes one of these, and the last return of one whose put was called by the start.
    pub(super) fn certain_stretch(&self, start: u32, to: u32) -> Option<(u32, u32, u32)> {
        let certain = self.certain.as_ref()?;
        let until = certain.cover.first_at_most(start as usize + 1, to as usize, 0);
        let until = until.map_or(to, |place| place as u32);
        Some((until, certain.last.most(start, until), certain.widest.most(start, until)))
    }

    /// The first place that was put in at this position or later, for certain.
    fn first_put_from(&self, position: u32) -> usize {
        self.put_ret.partition_point(|&ret| ret < position)
    }
}

/// Whether nobody is known to have taken the element: then it has been asked to be gone at most.
pub(super) fn element_stays(element: &Element) -> bool {
    element.gone == NONE
}

fn cover(elements: &[Element], put_ret: &[u32], counts: impl Fn(&Element) -> bool) -> Least {
    let mut change = vec![0_i32; elements.len() + 1];
    for (place, element) in elements.iter().enumerate() {
        if counts(element) {
            change[place + 1] += 1;
            // Elements behind it with the same return cannot be cut from it.
            change[put_ret.partition_point(|&ret| ret < element.gone_call)] -= 1;
        }
    }
    let mut sum = 0;
    for change in &mut change {
        sum += *change;
        *change = sum;
    }
    debug_assert!(change.iter().all(|&count| (0..ABSENT).contains(&count)));
    change.pop();
    Least::new(&change)
}

/// Numbers of which the greatest of a range can be found, in logarithmic time.
struct Most {
    /// A tree; the children of node `i` are `2i` and `2i + 1`.
    most: Vec<u32>,
    leaves: usize,
}

impl Most {
    fn new(length: usize, number: impl Fn(usize) -> u32) -> Most {
        let leaves = length.next_power_of_two().max(2);
        let mut most = vec![0; leaves * 2];
        for place in 0..length {
            most[leaves + place] = number(place);
        }
        for node in (1..leaves).rev() {
            most[node] = most[node * 2].max(most[node * 2 + 1]);
        }
        Most { most, leaves }
    }

    fn set(&mut self, place: u32, number: u32) {
        let mut node = place as usize + self.leaves;
        self.most[node] = number;
        while node > 1 {
            node /= 2;
            let most = self.most[node * 2].max(self.most[node * 2 + 1]);
            if self.most[node] == most {
                return;
            }
            self.most[node] = most;
        }
    }

    /// The greatest number from one place to another, exclusive; 0 if there is none.
    fn most(&self, from: u32, to: u32) -> u32 {
        let (mut low, mut high) = (from as usize + self.leaves, to as usize + self.leaves);
        let mut most = 0;
        while low < high {
            if low % 2 == 1 {
                most = most.max(self.most[low]);
                low += 1;
            }
            if high % 2 == 1 {
                high -= 1;
                most = most.max(self.most[high]);
            }
            (low, high) = (low / 2, high / 2);
        }
        most
    }

    /// The first place of a range whose number is at least this.
    fn find(&self, from: u32, to: u32, least: u32) -> Option<u32> {
        self.search(1, 0, self.leaves, (from as usize, to as usize, least.max(1)))
    }

    fn search(&self, node: usize, start: usize, length: usize, asked: (usize, usize, u32)) -> Option<u32> {
        let (from, to, least) = asked;
        if start >= to || start + length <= from || self.most[node] < least {
            return None;
        }
        if length == 1 {
            return Some(start as u32);
        }
        let half = length / 2;
        self.search(node * 2, start, half, asked)
            .or_else(|| self.search(node * 2 + 1, start + half, half, asked))
    }
}
