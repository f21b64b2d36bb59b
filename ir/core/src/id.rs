//! Typed four-byte ids and the append-only arena that they index.
//!
//! An id is a `NonZeroU32` inside, so `Option<Id>` costs nothing. Ids are dense and are never reused inside a pass;
//! [`Model::compact`](crate::Model::compact) renumbers them between passes.

use std::marker::PhantomData;

/// What an arena needs of its key.
pub trait EntityId: Copy + Eq + Ord + std::hash::Hash + std::fmt::Debug {
    /// The id at position `index`.
    fn from_index(index: usize) -> Self;
    /// The position of this id.
    fn index(self) -> usize;
}

macro_rules! entity {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::num::NonZeroU32);
        impl EntityId for $name {
            fn from_index(index: usize) -> Self {
                let raw = u32::try_from(index + 1).unwrap_or(u32::MAX);
                Self(std::num::NonZeroU32::new(raw).unwrap_or(std::num::NonZeroU32::MAX))
            }
            fn index(self) -> usize {
                self.0.get() as usize - 1
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($prefix, "{}"), self.index())
            }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    };
}

entity!(
    /// An operator of one graph.
    OpId, "op"
);
entity!(
    /// A value of one graph: an input, a constant or the result of an operator.
    ValueId, "%"
);
entity!(
    /// A graph of the model: an entry, a region of an operator, or a function body.
    GraphId, "g"
);
entity!(
    /// A tensor of the model's store.
    TensorId, "t"
);
entity!(
    /// Where an operator came from.
    OriginId, "@"
);

/// An append-only vector indexed by a typed id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arena<K, V> {
    rows: Vec<V>,
    key: PhantomData<K>,
}

impl<K, V> Default for Arena<K, V> {
    fn default() -> Self {
        Self { rows: Vec::new(), key: PhantomData }
    }
}

impl<K: EntityId, V> Arena<K, V> {
    /// An empty arena.
    pub fn new() -> Self {
        Self::default()
    }
    /// Appends a row and returns its id.
    pub fn push(&mut self, row: V) -> K {
        self.rows.push(row);
        K::from_index(self.rows.len() - 1)
    }
    /// The rows, in order.
    pub fn into_rows(self) -> Vec<V> {
        self.rows
    }
    /// The number of rows, tombstones included.
    pub fn len(&self) -> usize {
        self.rows.len()
    }
    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
    /// The row of `id`, or `None` when the id belongs to another arena.
    pub fn get(&self, id: K) -> Option<&V> {
        self.rows.get(id.index())
    }
    /// The row of `id`, writable.
    pub fn get_mut(&mut self, id: K) -> Option<&mut V> {
        self.rows.get_mut(id.index())
    }
    /// All ids in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = K> + use<K, V> {
        (0..self.rows.len()).map(K::from_index)
    }
    /// All rows with their ids, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (K, &V)> {
        self.rows.iter().enumerate().map(|(index, row)| (K::from_index(index), row))
    }
    /// All rows with their ids, in order, writable.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = (K, &mut V)> {
        self.rows.iter_mut().enumerate().map(|(index, row)| (K::from_index(index), row))
    }
}

impl<K: EntityId, V> std::ops::Index<K> for Arena<K, V> {
    type Output = V;
    fn index(&self, id: K) -> &V {
        &self.rows[id.index()]
    }
}

impl<K: EntityId, V> std::ops::IndexMut<K> for Arena<K, V> {
    fn index_mut(&mut self, id: K) -> &mut V {
        &mut self.rows[id.index()]
    }
}
