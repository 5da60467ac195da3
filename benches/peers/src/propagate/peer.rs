//! The same shapes in salsa: written pages are inputs, derived pages tracked functions of them.

use super::derived::PAGE;
use salsa::Setter;

type Content = [u8; PAGE];

#[salsa::input]
struct Input {
    #[returns(ref)]
    content: Box<Content>,
}

#[salsa::input]
struct Derived {
    #[returns(ref)]
    parents: Vec<Node>,
}

#[derive(Clone, Copy)]
enum Node {
    Input(Input),
    Derived(Derived),
}

impl Node {
    fn content(self, db: &dyn salsa::Database) -> &Content {
        match self {
            Node::Input(input) => input.content(db),
            Node::Derived(derived) => value(db, derived),
        }
    }
}

/// A derived page's content: of one parent the same, of two the higher and of more the sum, number by
/// number.
#[salsa::tracked(returns(ref))]
fn value(db: &dyn salsa::Database, page: Derived) -> Box<Content> {
    match &page.parents(db)[..] {
        [parent] => Box::new(*parent.content(db)),
        parents @ [_, _] => combined(db, parents, u64::max),
        parents => combined(db, parents, u64::wrapping_add),
    }
}

fn combined(
    db: &dyn salsa::Database,
    parents: &[Node],
    combine: impl Fn(u64, u64) -> u64,
) -> Box<Content> {
    let mut numbers = [0u64; PAGE / 8];
    for parent in parents {
        let content = parent.content(db).as_chunks::<8>().0;
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
    first: Input,
    /// Those that nothing derives from, the last one last.
    leaves: Vec<Node>,
}

impl Peer {
    pub fn new(inputs: usize, parents: &[Vec<usize>]) -> Peer {
        let db = salsa::DatabaseImpl::new();
        let input = || Input::new(&db, Box::new([0; PAGE]));
        let first = input();
        let others = (1..inputs).map(|_| Node::Input(input()));
        let mut nodes: Vec<Node> = std::iter::once(Node::Input(first)).chain(others).collect();
        let mut is_parent = vec![false; inputs + parents.len()];
        for of in parents {
            of.iter().for_each(|&at| is_parent[at] = true);
            let parents = of.iter().map(|&at| nodes[at]).collect();
            nodes.push(Node::Derived(Derived::new(&db, parents)));
        }
        // As deep as the graph is: values are asked for from the top down once.
        nodes.iter().for_each(|node| {
            node.content(&db);
        });
        let is_leaf = nodes.iter().zip(is_parent).filter(|(_, is_parent)| !is_parent);
        let leaves = is_leaf.map(|(&node, _)| node).collect();
        Peer { db, first, leaves }
    }

    /// Sets the first input.
    pub fn set(&mut self, content: &Content) {
        self.first.set_content(&mut self.db).to(Box::new(*content));
    }

    /// Has everything computed that the last change concerns.
    pub fn read_leaves(&self) {
        for leaf in &self.leaves {
            std::hint::black_box(leaf.content(&self.db));
        }
    }

    /// The content of the last node.
    pub fn last(&self) -> Vec<u8> {
        self.leaves.last().map(|leaf| leaf.content(&self.db).to_vec()).unwrap_or_default()
    }
}
