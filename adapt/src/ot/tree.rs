//! The spanning tree of the network simplex.
//!
//! Nodes are rows `0..n`, columns `n..n + m` and the root. Arcs go from rows to columns, and from
//! rows to the root, so that the arc between a node and its parent is known by the node: it leaves
//! a row and enters a column. The tree is kept as LEMON keeps it: parents, the preorder as a
//! doubly linked ring (`next`, `previous`), the size of every subtree and its last node in
//! preorder. Re-hanging a subtree then costs its stem and the walk to the join, and shifting its
//! potentials a walk along the ring.

use super::{greedy::Flow, twofold::Twofold};

const NONE: u32 = u32::MAX;

pub(super) struct Tree {
    n: usize,
    root: u32,
    parent: Vec<u32>,
    next: Vec<u32>,
    previous: Vec<u32>,
    size: Vec<u32>,
    last: Vec<u32>,
    /// The flow on the arc between a node and its parent.
    flow: Vec<i64>,
    /// u of rows, −v of columns: c_ij = u_i + v_j on the tree. Where a row lies far off, those of all
    /// others may hang from its costs: in one number each they would lose their own size.
    pub(super) potential: Vec<f64>,
    /// What rounding keeps out of `potential`.
    pub(super) low: Vec<f64>,
    /// The cost of the arc from a row to the root. No flow is ever on one: all enter the root.
    to_root: Vec<f64>,
}

impl Tree {
    /// The tree of a forest of flows on `(n, m)`; each of its components hangs from the root by
    /// one row. Positive flow on every other arc makes it strongly feasible.
    pub(super) fn new(n: usize, m: usize, flows: &[Flow], to_root: Vec<f64>, c: &[f64]) -> Self {
        let nodes = n + m + 1;
        let root = (n + m) as u32;
        let mut tree = Self {
            n,
            root,
            parent: vec![NONE; nodes],
            next: vec![root; nodes],
            previous: vec![root; nodes],
            size: vec![1; nodes],
            last: (0..nodes as u32).collect(),
            flow: vec![0; nodes],
            potential: vec![0.0; nodes],
            low: vec![0.0; nodes],
            to_root,
        };
        tree.grow(flows);
        tree.reset_potentials(c);
        tree
    }

    fn grow(&mut self, flows: &[Flow]) {
        let neighbours = Neighbours::new(self.parent.len() - 1, self.n, flows);
        let mut order = vec![self.root];
        let mut stack = Vec::new();
        for head in 0..self.n as u32 {
            if self.parent[head as usize] != NONE {
                continue;
            }
            self.parent[head as usize] = self.root;
            stack.push(head);
            while let Some(node) = stack.pop() {
                order.push(node);
                for &(other, mass) in neighbours.of(node) {
                    if other != self.parent[node as usize] {
                        self.parent[other as usize] = node;
                        self.flow[other as usize] = mass;
                        stack.push(other);
                    }
                }
            }
        }
        for (&node, &next) in order.iter().zip(order.iter().skip(1)) {
            self.link(node, next);
        }
        self.link(order[order.len() - 1], self.root);
        // Children come after their parents: backwards, sizes and last nodes are complete.
        for &node in order.iter().skip(1).rev() {
            let (node, parent) = (node as usize, self.parent[node as usize] as usize);
            self.size[parent] += self.size[node];
            // The child that comes first here is the last one in preorder.
            if self.last[parent] as usize == parent {
                self.last[parent] = self.last[node];
            }
        }
    }

    /// Potentials anew from the tree's arcs, so that rounding does not add up.
    pub(super) fn reset_potentials(&mut self, costs: &[f64]) {
        let (n, m) = (self.n, self.parent.len() - 1 - self.n);
        let mut node = self.next[self.root as usize];
        while node != self.root {
            let (x, parent) = (node as usize, self.parent[node as usize] as usize);
            let potential = match (x < n, parent == self.root as usize) {
                (true, true) => self.to_root[x].into(),
                (true, false) => self.twofold(parent).plus(costs[x * m + parent - n].into()),
                (false, _) => self.twofold(parent).minus(costs[parent * m + x - n].into()),
            };
            self.set(x, potential);
            node = self.next[x];
        }
    }

    fn twofold(&self, x: usize) -> Twofold {
        Twofold { high: self.potential[x], low: self.low[x] }
    }

    fn set(&mut self, x: usize, potential: Twofold) {
        (self.potential[x], self.low[x]) = (potential.high, potential.low);
    }

    /// The flows on arcs of the problem.
    pub(super) fn flows(&self) -> impl Iterator<Item = Flow> + '_ {
        (0..self.root).filter(|&x| self.parent[x as usize] != self.root).map(|x| {
            let (parent, mass) = (self.parent[x as usize], self.flow[x as usize]);
            let (row, column) = if (x as usize) < self.n { (x, parent) } else { (parent, x) };
            Flow { row, column: column - self.n as u32, mass }
        })
    }

    /// Takes the arc from `row` to the node `column`, of this cost, into the tree.
    pub(super) fn pivot(&mut self, row: u32, column: u32, cost: f64) {
        let reduced = Twofold::from(cost)
            .plus(self.twofold(column as usize))
            .minus(self.twofold(row as usize));
        let join = self.join(row, column);
        let (leaving, on_row_side, step) = self.leaving(row, column, join);
        if step > 0 {
            self.push(row, column, join, step);
        }
        let (inside, outside) = if on_row_side { (row, column) } else { (column, row) };
        self.rehang(inside, outside, leaving, join, step);
        self.shift(inside, if on_row_side { reduced } else { Twofold::default().minus(reduced) });
    }

    fn join(&self, mut x: u32, mut y: u32) -> u32 {
        while x != y {
            if self.size[x as usize] < self.size[y as usize] {
                x = self.parent[x as usize];
            } else {
                y = self.parent[y as usize];
            }
        }
        x
    }

    /// The node whose arc to its parent blocks first, the last such arc of the cycle as it runs
    /// from the join: the rule that keeps the tree strongly feasible (Cunningham 1976).
    fn leaving(&self, row: u32, column: u32, join: u32) -> (u32, bool, i64) {
        let (mut step, mut leaving, mut on_row_side) = (i64::MAX, NONE, true);
        // The cycle runs down to `row`: arcs that leave rows upwards are emptied.
        let mut x = row;
        while x != join {
            let flow = self.flow[x as usize];
            if (x as usize) < self.n && flow < step {
                (step, leaving) = (flow, x);
            }
            x = self.parent[x as usize];
        }
        let mut x = column;
        while x != join {
            let flow = self.flow[x as usize];
            if (x as usize) >= self.n && flow <= step {
                (step, leaving, on_row_side) = (flow, x, false);
            }
            x = self.parent[x as usize];
        }
        (leaving, on_row_side, step)
    }

    /// Sends `step` round the cycle.
    fn push(&mut self, row: u32, column: u32, join: u32, step: i64) {
        for (start, row_sign) in [(row, -step), (column, step)] {
            let mut x = start;
            while x != join {
                let node = x as usize;
                self.flow[node] += if node < self.n { row_sign } else { -row_sign };
                x = self.parent[node];
            }
        }
    }

    /// Cuts the subtree of `leaving` off and hangs it by its node `inside` from `outside`, the new
    /// arc carrying `flow`.
    fn rehang(&mut self, inside: u32, outside: u32, leaving: u32, join: u32, flow: i64) {
        self.cut(leaving, join);
        self.reverse_stem(inside, leaving, flow);
        self.hang(inside, outside, join);
    }

    fn cut(&mut self, leaving: u32, join: u32) {
        let (last, size) = (self.last[leaving as usize], self.size[leaving as usize]);
        let before = self.previous[leaving as usize];
        let parent = self.parent[leaving as usize];
        self.link(before, self.next[last as usize]);
        self.resize(parent, join, size.wrapping_neg());
        self.move_last(parent, last, before);
    }

    /// Makes `inside` the root of the cut subtree of `leaving`.
    ///
    /// In the new preorder every stem node follows the run of its stem child. What it brings of
    /// its own are the two parts of its old run before and behind that of the child.
    fn reverse_stem(&mut self, inside: u32, leaving: u32, flow: i64) {
        let whole = self.size[leaving as usize];
        let (mut node, mut old) = (inside, self.run(inside));
        self.flow[inside as usize] = flow;
        self.size[inside as usize] = whole;
        let mut end = old.last;
        while node != leaving {
            let stem = old.parent;
            let mut above = self.run(stem);
            if above.last == old.last {
                // What followed the child's run is no longer linked to it.
                above.behind = old.behind;
            }
            self.link(end, stem);
            end = old.before;
            if above.last != old.last {
                self.link(old.before, old.behind);
                end = above.last;
            }
            self.parent[stem as usize] = node;
            self.flow[stem as usize] = old.flow;
            self.size[stem as usize] = whole - old.size;
            (node, old) = (stem, above);
        }
        while node != inside {
            self.last[node as usize] = end;
            node = self.parent[node as usize];
        }
        self.last[inside as usize] = end;
    }

    fn run(&self, node: u32) -> Run {
        let x = node as usize;
        let last = self.last[x];
        Run {
            before: self.previous[x],
            last,
            behind: self.next[last as usize],
            size: self.size[x],
            flow: self.flow[x],
            parent: self.parent[x],
        }
    }

    fn hang(&mut self, inside: u32, outside: u32, join: u32) {
        let (end, size) = (self.last[inside as usize], self.size[inside as usize]);
        self.parent[inside as usize] = outside;
        self.link(end, self.next[outside as usize]);
        self.link(outside, inside);
        self.resize(outside, join, size);
        self.move_last(outside, outside, end);
    }

    /// Adds to the sizes from `x` up to below the join.
    fn resize(&mut self, mut x: u32, join: u32, by: u32) {
        while x != join {
            self.size[x as usize] = self.size[x as usize].wrapping_add(by);
            x = self.parent[x as usize];
        }
    }

    /// The runs from `x` upwards that ended at `from` end at `to`.
    fn move_last(&mut self, mut x: u32, from: u32, to: u32) {
        while x != NONE && self.last[x as usize] == from {
            self.last[x as usize] = to;
            x = self.parent[x as usize];
        }
    }

    fn link(&mut self, x: u32, y: u32) {
        self.next[x as usize] = y;
        self.previous[y as usize] = x;
    }

    /// Adds to the potentials of the subtree, or takes from all others where these are fewer: only
    /// differences count.
    fn shift(&mut self, top: u32, by: Twofold) {
        let last = self.last[top as usize];
        let small = 2 * self.size[top as usize] as usize <= self.parent.len();
        let (mut x, end, by) = match small {
            true => (top, self.next[last as usize], by),
            false => (self.next[last as usize], top, Twofold::default().minus(by)),
        };
        loop {
            self.set(x as usize, self.twofold(x as usize).plus(by));
            x = self.next[x as usize];
            if x == end {
                break;
            }
        }
    }
}

/// A node's run of the preorder, and what else of it changes when the stem is reversed.
struct Run {
    before: u32,
    last: u32,
    behind: u32,
    size: u32,
    flow: i64,
    parent: u32,
}

/// Both ends' lists of a forest's arcs.
struct Neighbours {
    starts: Vec<u32>,
    others: Vec<(u32, i64)>,
}

impl Neighbours {
    fn new(nodes: usize, n: usize, flows: &[Flow]) -> Self {
        let ends = |flow: &Flow| [flow.row, flow.column + n as u32];
        let mut starts = vec![0; nodes + 1];
        for node in flows.iter().flat_map(ends) {
            starts[node as usize + 1] += 1;
        }
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        let mut places = starts.clone();
        let mut others = vec![(NONE, 0); 2 * flows.len()];
        for flow in flows {
            let [row, column] = ends(flow);
            for (node, other) in [(row, column), (column, row)] {
                others[places[node as usize] as usize] = (other, flow.mass);
                places[node as usize] += 1;
            }
        }
        Self { starts, others }
    }

    fn of(&self, node: u32) -> &[(u32, i64)] {
        let node = node as usize;
        &self.others[self.starts[node] as usize..self.starts[node + 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Tree {
        /// Sizes, last nodes and the ring agree with the parents, whatever the tree.
        fn check(&self, supplies: &[i64], demands: &[i64]) {
            let nodes = self.parent.len();
            let mut order = vec![self.root];
            while self.next[order[order.len() - 1] as usize] != self.root {
                order.push(self.next[order[order.len() - 1] as usize]);
                assert!(order.len() <= nodes, "the ring is longer than the tree");
            }
            assert_eq!(order.len(), nodes);
            let mut sizes = vec![1; nodes];
            let mut balance: Vec<i64> =
                supplies.iter().copied().chain(demands.iter().map(|d| -d)).chain([0]).collect();
            for (place, &node) in order.iter().enumerate().skip(1).rev() {
                let x = node as usize;
                let parent = self.parent[x] as usize;
                sizes[parent] += sizes[x];
                assert_eq!(self.size[x], sizes[x], "size of {x}");
                assert_eq!(self.last[x], order[place + sizes[x] as usize - 1], "last of {x}");
                assert_eq!(self.previous[x], order[place - 1]);
                let flow = if x < self.n { self.flow[x] } else { -self.flow[x] };
                balance[x] -= flow;
                balance[parent] += flow;
                assert!(self.flow[x] >= 0);
                // Strongly feasible: arcs that point away from the root carry something.
                assert!(x < self.n || self.flow[x] > 0, "arc into {x} is empty");
            }
            assert!(balance.iter().all(|&b| b == 0), "{balance:?}");
        }
    }

    #[test]
    fn the_tree_stays_a_tree_through_random_pivots() {
        let (n, m) = (7, 6);
        let supplies = [3i64, 5, 2, 7, 1, 4, 2];
        let demands = [6i64, 2, 5, 3, 4, 4];
        let costs: Vec<f64> = (0..n * m).map(|i| ((i * 31 + 7) % 17) as f64).collect();
        let masses = super::super::greedy::WholeMasses {
            supplies: supplies.to_vec(),
            demands: demands.to_vec(),
            total: 24,
        };
        let start = super::super::greedy::start(&masses, &costs);
        let mut tree = Tree::new(n, m, &start.flows, start.rows, &costs);
        tree.check(&supplies, &demands);
        for step in 0..500usize {
            let (row, column) = (step * 5 % 7, n + step * 11 % 6);
            tree.pivot(row as u32, column as u32, costs[row * m + column - n]);
            tree.check(&supplies, &demands);
            let potentials = tree.potential.clone();
            tree.reset_potentials(&costs);
            let shift = potentials[0] - tree.potential[0];
            for (kept, reset) in potentials[..n + m].iter().zip(&tree.potential) {
                assert!((kept - reset - shift).abs() < 1e-9);
            }
        }
    }
}
