//! Splits a history into components: parts that do not depend on each other and can be judged one by one. In a
//! key-value store, the operations on one key are a component.

use std::hash::Hash;

use crate::history::History;
use crate::intern::Interner;

/// Which component each operation belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// By operation: the number of its component. Invariant: every entry is less than `count`.
    component: Vec<u32>,
    /// How many components there are.
    count: u32,
}

impl Partition {
    /// One component with all operations.
    pub fn whole(length: usize) -> Partition {
        Partition { component: vec![0; length], count: u32::from(length > 0) }
    }

    /// A component for each key. `key_of` gives the key of an operation.
    pub fn by_key<I, O, K: Hash + Eq + Clone>(
        history: &History<I, O>,
        key_of: impl Fn(&I) -> K,
    ) -> Partition {
        let mut keys = Interner::new();
        let component = history
            .operations()
            .iter()
            .map(|operation| keys.intern_owned(key_of(&operation.input)))
            .collect();
        Partition { component, count: keys.len() as u32 }
    }

    /// For operations on several keys: two operations are in the same component if they share a key, or if a
    /// chain of operations that share keys connects them.
    pub fn by_keys<I, O, K: Hash + Eq + Clone>(
        history: &History<I, O>,
        keys_of: impl Fn(&I) -> Vec<K>,
    ) -> Partition {
        let mut keys = Interner::new();
        // By key: its last operation so far.
        let mut last: Vec<u32> = Vec::new();
        // By operation: its parent in a forest (union-find). The trees are the components.
        let mut parent: Vec<u32> = (0..history.len() as u32).collect();
        for (index, operation) in history.operations().iter().enumerate() {
            for key in keys_of(&operation.input) {
                let key = keys.intern_owned(key) as usize;
                if key == last.len() {
                    last.push(index as u32);
                }
                let (root, other) = (find(&mut parent, index as u32), find(&mut parent, last[key]));
                parent[root as usize] = other;
                last[key] = index as u32;
            }
        }
        let mut components = Interner::new();
        let component = (0..history.len() as u32)
            .map(|index| components.intern_owned(find(&mut parent, index)))
            .collect();
        Partition { component, count: components.len() as u32 }
    }

    /// How many components there are.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none, as in an empty history.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The component of each operation.
    pub fn components(&self) -> &[u32] {
        &self.component
    }

    /// How many operations each component has.
    pub(crate) fn sizes(&self) -> Vec<u32> {
        let mut sizes = vec![0; self.count as usize];
        for &component in &self.component {
            sizes[component as usize] += 1;
        }
        sizes
    }

    /// The operations of each component, in the order of the history.
    pub(crate) fn members(&self) -> Members {
        let mut starts = vec![0; self.count as usize + 1];
        for (component, size) in self.sizes().into_iter().enumerate() {
            starts[component + 1] = starts[component] + size;
        }
        let mut next = starts.clone();
        let mut operations = vec![0_u32; self.component.len()];
        for (index, &component) in self.component.iter().enumerate() {
            let slot = &mut next[component as usize];
            operations[*slot as usize] = index as u32;
            *slot += 1;
        }
        Members { starts, operations }
    }
}

/// The operations of each component, one component after the other.
pub(crate) struct Members {
    /// Component `c` holds `operations[starts[c]..starts[c + 1]]`.
    starts: Vec<u32>,
    /// Indices of operations.
    operations: Vec<u32>,
}

impl Members {
    pub(crate) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The operations of one component.
    pub(crate) fn of(&self, component: usize) -> &[u32] {
        &self.operations[self.starts[component] as usize..self.starts[component + 1] as usize]
    }
}

/// The root of a node's tree. Shortens the path to it on the way.
fn find(parent: &mut [u32], mut node: u32) -> u32 {
    while parent[node as usize] != node {
        parent[node as usize] = parent[parent[node as usize] as usize];
        node = parent[node as usize];
    }
    node
}
