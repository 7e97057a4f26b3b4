//! The trees with which [`super::stack`] finds, in logarithmic time, where a stretch can be cut and which element is
//! its outermost one. The head of that file explains both.
//!
//! An element's *place* is its index in the order of the returns of the puts. Elements are removed as the order is
//! built; the others are *left*.

use crate::order::NEVER;

use super::elements::{Element, NONE};
use super::supply::{ABSENT, Least};

/// The trees. Each has one number for each place.
pub(super) struct Trees {
    /// By place: the return of the element's put.
    put_ret: Vec<u32>,
    /// By place: itself if the element is left; otherwise a later place, from which the list leads on to the next
    /// element that is left.
    next: Vec<u32>,
    /// By place: how many elements of earlier places are certainly in the stack when this element is put in. Where
    /// this is 0, there can be a cut.
    cover: Least,
    /// By place: the call of the element's take.
    last: Most,
    /// For the elements whose put was not called by the start of their stretch: the put's call, subtracted from
    /// [`NEVER`]. 0 for the others.
    late: Most,
    /// For the elements whose take returned before the end of their stretch: that return. 0 for the others.
    early: Most,
    /// For the elements that can be outermost in their stretch: 2 if they stay, otherwise 1. 0 for the others.
    ready: Most,
    /// By place: how many of the two bounds of an outermost element (in `late` and `early`) the element keeps.
    within: Vec<u8>,
    /// Some of these trees without the elements that stay. Only if there are takers, which may have taken those.
    certain: Option<Certain>,
}

/// The trees over the elements that do not stay. `cover` and `last` are as in [`Trees`].
struct Certain {
    cover: Least,
    last: Most,
    /// For the elements whose put was called by the start of their stretch: the return of their take.
    widest: Most,
}

impl Trees {
    /// The trees while all elements are left. `open` says whether there are takers.
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

    /// The first place from this one on whose element is left; the number of places if there is none.
    pub(super) fn next(&mut self, place: u32) -> u32 {
        let mut at = place;
        while self.next[at as usize] != at {
            let further = self.next[self.next[at as usize] as usize];
            self.next[at as usize] = further;
            at = further;
        }
        at
    }

    /// The first place after `start` before which there can be a cut; `to` if there is none.
    pub(super) fn next_cut(&self, start: u32, to: u32) -> u32 {
        let found = self.cover.first_at_most(start as usize + 1, to as usize, 0);
        found.map_or(to, |place| place as u32)
    }

    /// The last call of a take of an element of a stretch.
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

    /// Notes that an element keeps one more of the two bounds of an outermost element.
    fn came_within(&mut self, elements: &[Element], place: u32) {
        let within = &mut self.within[place as usize];
        *within += 1;
        if *within == 2 {
            self.ready.set(place, if element_stays(&elements[place as usize]) { 2 } else { 1 });
        }
    }

    /// Removes an element, which is in the order now.
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

    /// Gives an element that stays an earlier deadline (`now` instead of `before`).
    pub(super) fn shorten(&mut self, place: u32, before: u32, now: u32) {
        let (from, to) = (self.first_put_from(now), self.first_put_from(before));
        self.cover.add(from.max(place as usize + 1), to, -1);
        self.last.set(place, now);
    }

    /// Looks only at the elements that do not stay, from the place `start` up to their first cut. Returns the place
    /// of that cut, the last call of a take of these elements, and the last return of a take among those whose put
    /// was called by the start.
    pub(super) fn certain_stretch(&self, start: u32, to: u32) -> Option<(u32, u32, u32)> {
        let certain = self.certain.as_ref()?;
        let until = certain.cover.first_at_most(start as usize + 1, to as usize, 0);
        let until = until.map_or(to, |place| place as u32);
        Some((until, certain.last.most(start, until), certain.widest.most(start, until)))
    }

    /// The first place whose put returned at this position or later.
    fn first_put_from(&self, position: u32) -> usize {
        self.put_ret.partition_point(|&ret| ret < position)
    }
}

/// Whether the element stays. Unlike [`Element::stays`], this is also true if it was given a deadline.
pub(super) fn element_stays(element: &Element) -> bool {
    element.gone == NONE
}

/// The tree [`Trees::cover`] of the elements for which `counts` is true.
fn cover(elements: &[Element], put_ret: &[u32], counts: impl Fn(&Element) -> bool) -> Least {
    let mut change = vec![0_i32; elements.len() + 1];
    for (place, element) in elements.iter().enumerate() {
        if counts(element) {
            change[place + 1] += 1;
            // Elements whose puts return before this element's take is called cannot be cut from it.
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

/// A list of numbers. Finding the greatest number of a range takes logarithmic time (a segment tree).
struct Most {
    /// A tree; the children of node `i` are `2i` and `2i + 1`. The greatest number below each node.
    most: Vec<u32>,
    /// How many leaves the tree has, a power of two. The leaf of place `i` is node `leaves + i`.
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

    /// Sets the number at a place.
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

    /// The greatest number from place `from` to place `to`, which is not included; 0 if the range is empty.
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

    /// The first place of a range whose number is at least `least`.
    fn find(&self, from: u32, to: u32, least: u32) -> Option<u32> {
        self.search(1, 0, self.leaves, (from as usize, to as usize, least.max(1)))
    }

    /// The first place in the range `asked` with a number of at least the least one asked for, within this node.
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
