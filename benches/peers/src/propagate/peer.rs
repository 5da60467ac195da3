//! The same shapes in salsa: pages are inputs, derived pages tracked functions of them.

use super::derived::PAGE;
use salsa::Setter;

type Content = [u8; PAGE];

#[salsa::input]
struct Node {
    #[returns(ref)]
    content: Box<Content>,
    #[returns(ref)]
    parents: Vec<Node>,
}

/// A page's content: of an input its own, of one parent the same, of two the higher and of more the
/// sum, number by number.
#[salsa::tracked(returns(ref))]
fn value(db: &dyn salsa::Database, node: Node) -> Box<Content> {
    match &node.parents(db)[..] {
        [] => node.content(db).clone(),
        [parent] => value(db, *parent).clone(),
        [_, _] => combined(db, node, u64::max),
        _ => combined(db, node, u64::wrapping_add),
    }
}

fn combined(
    db: &dyn salsa::Database,
    node: Node,
    combine: impl Fn(u64, u64) -> u64,
) -> Box<Content> {
    let mut numbers = [0u64; PAGE / 8];
    for parent in node.parents(db) {
        let content = value(db, *parent).as_chunks::<8>().0;
        for (number, other) in numbers.iter_mut().zip(content) {
            *number = combine(*number, u64::from_le_bytes(*other));
        }
    }
    let mut bytes = Box::new([0; PAGE]);
    for (place, number) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(numbers) {
        *place = number.to_le_bytes();
    }
    bytes
}

pub struct Peer {
    db: salsa::DatabaseImpl,
    nodes: Vec<Node>,
    /// Those that nothing derives from.
    leaves: Vec<Node>,
}

impl Peer {
    pub fn new(inputs: usize, parents: &[Vec<usize>]) -> Peer {
        let db = salsa::DatabaseImpl::new();
        let zero = || Box::new([0; PAGE]);
        let mut nodes: Vec<Node> =
            (0..inputs).map(|_| Node::new(&db, zero(), Vec::new())).collect();
        let mut is_parent = vec![false; inputs + parents.len()];
        for of in parents {
            of.iter().for_each(|&at| is_parent[at] = true);
            let parents = of.iter().map(|&at| nodes[at]).collect();
            nodes.push(Node::new(&db, zero(), parents));
        }
        let is_leaf = nodes.iter().zip(is_parent).filter(|(_, is_parent)| !is_parent);
        let leaves = is_leaf.map(|(&node, _)| node).collect();
        // As deep as the graph is: values are asked for from the top down once.
        nodes.iter().for_each(|&node| drop(value(&db, node)));
        Peer { db, nodes, leaves }
    }

    /// Sets the first input.
    pub fn set(&mut self, content: &Content) {
        self.nodes[0].set_content(&mut self.db).to(Box::new(*content));
    }

    /// Has everything computed that the last change concerns.
    pub fn read_leaves(&self) {
        for &leaf in &self.leaves {
            std::hint::black_box(value(&self.db, leaf));
        }
    }

    /// The content of the last node.
    pub fn last(&self) -> Vec<u8> {
        self.nodes.last().map(|&node| value(&self.db, node).to_vec()).unwrap_or_default()
    }
}
