//! Finds an order of transactions that respects all dependencies, or a short cycle of dependencies.
//!
//! Nearly every pair of transactions is ordered by time, and an edge for each would be too many. Instead, every
//! commit (the moment at which a transaction was answered) is a node of its own. These nodes form a chain in the
//! order of time: each transaction leads to its commit, each commit to the next one, and the last commit before a
//! transaction's call leads to the transaction. In a cycle, a path along the chain counts as one edge.

use std::collections::{BTreeSet, VecDeque};

use super::{Dependency, Link, Span};

/// How many transactions of a component the search for a cycle starts from.
const STARTS_MAX: usize = 256;

/// The graph. The first `transactions` nodes are the transactions, by index. The others are the commits, in the
/// order of time.
struct Graph {
    /// By node: the nodes that must come after it, and why.
    next: Vec<Vec<(u32, Link)>>,
    /// How many transactions there are.
    transactions: u32,
}

/// The shortest paths from one node, the start, to the others. The lists are reused for the next start, because there
/// may be many starts in small components of a large graph.
struct Ways {
    /// By node: its distance from the start; `u32::MAX` if it was not reached.
    distance: Vec<u32>,
    /// By node: the node before it on the path, and the edge between them.
    from: Vec<(u32, Link)>,
    /// The nodes that were reached.
    reached: Vec<u32>,
}

impl Ways {
    fn new(nodes: usize) -> Ways {
        Ways { distance: vec![u32::MAX; nodes], from: vec![(0, Link::Time); nodes], reached: Vec::new() }
    }

    fn clear(&mut self) {
        for node in self.reached.drain(..) {
            self.distance[node as usize] = u32::MAX;
        }
    }
}

/// A serial order of the transactions that happened. The error is a cycle.
pub(super) fn order_or_cycle(
    transactions: &[Span],
    happened: &[bool],
    dependencies: &[Dependency],
) -> Result<Vec<u32>, Vec<Dependency>> {
    let graph = Graph::new(transactions, happened, dependencies);
    let mut waits_for = vec![0_u32; graph.next.len()];
    for &(to, _) in graph.next.iter().flatten() {
        waits_for[to as usize] += 1;
    }
    let mut ready: VecDeque<u32> =
        (0..waits_for.len() as u32).filter(|&node| waits_for[node as usize] == 0).collect();
    let mut order = Vec::new();
    while let Some(node) = ready.pop_front() {
        if happened.get(node as usize) == Some(&true) {
            order.push(node);
        }
        for &(to, _) in &graph.next[node as usize] {
            waits_for[to as usize] -= 1;
            if waits_for[to as usize] == 0 {
                ready.push_back(to);
            }
        }
    }
    if order.len() == happened.iter().filter(|happened| **happened).count() {
        return Ok(order);
    }
    Err(graph.shortest_cycle())
}

/// Builds a serial order step by step. At each step it asks `place` about the transactions that the dependencies
/// allow to come next, until `place` returns true for one. That one comes next, and `place` must take note of it.
/// `None` if `place` accepts none of them, or if there is a cycle.
pub(super) fn order_chosen(
    transactions: &[Span],
    happened: &[bool],
    dependencies: &[Dependency],
    mut place: impl FnMut(u32) -> bool,
) -> Option<Vec<u32>> {
    let graph = Graph::new(transactions, happened, dependencies);
    let mut waits_for = vec![0_u32; graph.next.len()];
    for &(to, _) in graph.next.iter().flatten() {
        waits_for[to as usize] += 1;
    }
    // The transactions that may come next, those with the earliest answers first.
    let mut ready: BTreeSet<(u64, u32)> = BTreeSet::new();
    let mut free: Vec<u32> =
        (0..waits_for.len() as u32).filter(|&node| waits_for[node as usize] == 0).collect();
    let mut order = Vec::new();
    loop {
        while let Some(node) = free.pop() {
            if happened.get(node as usize) == Some(&true) {
                ready.insert((transactions[node as usize].answered.unwrap_or(u64::MAX), node));
                continue;
            }
            graph.release(node, &mut waits_for, &mut free);
        }
        let Some(&next) = ready.iter().find(|&&(_, node)| place(node)) else { break };
        ready.remove(&next);
        order.push(next.1);
        graph.release(next.1, &mut waits_for, &mut free);
    }
    let all = happened.iter().filter(|happened| **happened).count();
    (order.len() == all).then_some(order)
}

impl Graph {
    /// Records that a node has its place in the order. Nodes that waited only for it are added to `free`.
    fn release(&self, node: u32, waits_for: &mut [u32], free: &mut Vec<u32>) {
        for &(to, _) in &self.next[node as usize] {
            waits_for[to as usize] -= 1;
            if waits_for[to as usize] == 0 {
                free.push(to);
            }
        }
    }

    fn new(transactions: &[Span], happened: &[bool], dependencies: &[Dependency]) -> Graph {
        let committed =
            |(index, transaction): (usize, &Span)| transaction.answered.map(|at| (at, index as u32));
        let mut commits: Vec<(u64, u32)> = transactions.iter().enumerate().filter_map(committed).collect();
        commits.sort_unstable();
        let first = transactions.len() as u32;
        let mut next = vec![Vec::new(); transactions.len() + commits.len()];
        for (rank, &(_, index)) in commits.iter().enumerate() {
            let node = first + rank as u32;
            next[index as usize].push((node, Link::Time));
            if rank + 1 < commits.len() {
                next[node as usize].push((node + 1, Link::Time));
            }
        }
        for (index, transaction) in transactions.iter().enumerate() {
            let before = commits.partition_point(|&(at, _)| at < transaction.call);
            if before > 0 && happened[index] {
                next[first as usize + before - 1].push((index as u32, Link::Time));
            }
        }
        for &Dependency { from, to, link } in dependencies {
            next[from as usize].push((to, link));
        }
        Graph { next, transactions: first }
    }

    /// The shortest cycle through any of the transactions that are tried as its start: the first [`STARTS_MAX`] of each
    /// component that has cycles.
    fn shortest_cycle(&self) -> Vec<Dependency> {
        let component = self.components();
        let mut sizes = vec![0_u32; self.next.len()];
        component.iter().for_each(|&component| sizes[component as usize] += 1);
        // By component: how many starts were tried.
        let mut starts = vec![0; self.next.len()];
        let mut ways = Ways::new(self.next.len());
        let mut best: Option<Vec<Dependency>> = None;
        for start in 0..self.transactions {
            let tried = &mut starts[component[start as usize] as usize];
            if sizes[component[start as usize] as usize] == 1 || *tried == STARTS_MAX {
                continue;
            }
            *tried += 1;
            let shorter_than = best.as_ref().map_or(u32::MAX, |cycle| cycle.len() as u32);
            if let Some(cycle) = self.cycle_through(start, shorter_than, &component, &mut ways) {
                best = Some(cycle);
            }
        }
        best.unwrap_or_default()
    }

    /// A shortest cycle through `start`, if there is one with fewer edges than `shorter_than`.
    ///
    /// The search is breadth first. An edge to a commit costs nothing and an edge to a transaction costs one,
    /// so a path along the chain costs one altogether.
    fn cycle_through(
        &self,
        start: u32,
        shorter_than: u32,
        component: &[u32],
        ways: &mut Ways,
    ) -> Option<Vec<Dependency>> {
        ways.clear();
        let Ways { distance, from, reached } = ways;
        let mut open = VecDeque::from([(0, start)]);
        distance[start as usize] = 0;
        reached.push(start);
        while let Some((steps, node)) = open.pop_front() {
            if steps > distance[node as usize] || steps + 1 >= shorter_than {
                continue;
            }
            for &(to, link) in &self.next[node as usize] {
                if to == start {
                    from[start as usize] = (node, link);
                    return Some(self.walk_back(start, from));
                }
                let cost = u32::from(to < self.transactions);
                let same = component[to as usize] == component[start as usize];
                if same && steps + cost < distance[to as usize] {
                    if distance[to as usize] == u32::MAX {
                        reached.push(to);
                    }
                    distance[to as usize] = steps + cost;
                    from[to as usize] = (node, link);
                    if cost == 0 {
                        open.push_front((steps, to));
                    } else {
                        open.push_back((steps + 1, to));
                    }
                }
            }
        }
        None
    }

    /// The cycle that ends at `start`, where each path along the chain is one edge.
    fn walk_back(&self, start: u32, from: &[(u32, Link)]) -> Vec<Dependency> {
        let mut cycle = Vec::new();
        let mut to = start;
        loop {
            let (mut node, link) = from[to as usize];
            while node >= self.transactions {
                node = from[node as usize].0;
            }
            cycle.push(Dependency { from: node, to, link });
            to = node;
            if node == start {
                cycle.reverse();
                return cycle;
            }
        }
    }

    /// By node: the number of its strongly connected component (Tarjan, without recursion).
    fn components(&self) -> Vec<u32> {
        const UNSEEN: u32 = u32::MAX;
        let nodes = self.next.len();
        let (mut index, mut low, mut component) = (vec![UNSEEN; nodes], vec![0; nodes], vec![UNSEEN; nodes]);
        let (mut stack, mut calls) = (Vec::new(), Vec::new());
        let (mut count, mut components) = (0, 0);
        for root in 0..nodes {
            if index[root] == UNSEEN {
                calls.push((root, 0));
            }
            while let Some((node, edge)) = calls.pop() {
                if edge == 0 {
                    (index[node], low[node]) = (count, count);
                    count += 1;
                    stack.push(node);
                }
                match self.next[node].get(edge) {
                    Some(&(to, _)) => {
                        let to = to as usize;
                        calls.push((node, edge + 1));
                        if index[to] == UNSEEN {
                            calls.push((to, 0));
                        } else if component[to] == UNSEEN {
                            low[node] = low[node].min(index[to]);
                        }
                    }
                    None => {
                        if low[node] == index[node] {
                            while let Some(member) = stack.pop() {
                                component[member] = components;
                                if member == node {
                                    break;
                                }
                            }
                            components += 1;
                        }
                        if let Some(&(parent, _)) = calls.last() {
                            low[parent] = low[parent].min(low[node]);
                        }
                    }
                }
            }
        }
        component
    }
}
