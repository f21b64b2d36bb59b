//! Origins: beside their operator where that is short, else as rows of a table at the end of the text.

use edgesmith_ir::{EntityId, Model, Origin, OriginId};

use super::writer::Writer;

/// Rules nest so deep before a row is made.
const INLINE_DEPTH: u8 = 3;

/// How origins are printed.
#[derive(Default)]
pub(super) struct Origins {
    uses: Vec<u32>,
    depth: Vec<u8>,
    numbers: Vec<Option<u32>>,
    /// In an order in which each stands after those that it needs.
    rows: Vec<OriginId>,
}

impl Origins {
    /// Counts the uses of every origin, given those of the operators that are printed.
    pub(super) fn new(model: &Model, of_operators: impl Iterator<Item = OriginId>) -> Self {
        let count = model.origins().count();
        let mut origins =
            Self { uses: vec![0; count], depth: vec![0; count], numbers: vec![None; count], rows: vec![] };
        let mut reached = vec![false; count];
        for id in of_operators {
            origins.uses[id.index()] += 1;
            // The number of an origin's own uses counts once, however often it is reached.
            let mut stack = vec![id];
            while let Some(top) = stack.pop() {
                if std::mem::replace(&mut reached[top.index()], true) {
                    continue;
                }
                for from in sources(model, top) {
                    origins.uses[from.index()] += 1;
                    stack.push(*from);
                }
            }
        }
        origins
    }

    pub(super) fn is_shared(&self, id: OriginId) -> bool {
        self.uses[id.index()] > 1
    }

    /// Measures an origin and numbers the rows that it needs, those first that others need.
    pub(super) fn prepare(&mut self, model: &Model, id: OriginId) {
        let mut stack = vec![(id, false)];
        while let Some((top, seen)) = stack.pop() {
            if self.depth[top.index()] > 0 {
                continue;
            }
            if !seen {
                stack.push((top, true));
                stack.extend(sources(model, top).iter().rev().map(|from| (*from, false)));
                continue;
            }
            let below = sources(model, top).iter().filter(|from| self.numbers[from.index()].is_none());
            let depth = 1 + below.map(|from| self.depth[from.index()]).max().unwrap_or(0);
            self.depth[top.index()] = depth;
            if self.is_shared(top) || depth > INLINE_DEPTH {
                self.numbers[top.index()] = Some(self.rows.len() as u32);
                self.rows.push(top);
            }
        }
    }

    /// An origin: its row, or all of it.
    pub(super) fn write(&self, w: &mut Writer, model: &Model, id: OriginId) {
        match self.numbers[id.index()] {
            Some(number) => w.push(&format!("@{number}")),
            None => self.write_whole(w, model, id),
        }
    }

    fn write_whole(&self, w: &mut Writer, model: &Model, id: OriginId) {
        match model.origin(id) {
            Origin::Source { node, operator, scope } => {
                w.push("source(");
                w.string(node.as_bytes());
                w.push(", ");
                w.string(operator.as_bytes());
                if let Some(scope) = scope {
                    w.push(", ");
                    w.string(scope.as_bytes());
                }
                w.push(")");
            }
            Origin::Derived { rule, from } => {
                w.push("derived(");
                w.string(rule.as_bytes());
                for from in from {
                    w.push(", ");
                    self.write(w, model, *from);
                }
                w.push(")");
            }
            _ => w.push("source(\"\", \"\")"),
        }
    }

    /// The table.
    pub(super) fn write_rows(&self, w: &mut Writer, model: &Model) {
        for (number, id) in self.rows.iter().enumerate() {
            w.open_pragma();
            w.push(&format!("let @{number} = "));
            self.write_whole(w, model, *id);
            w.close_pragma();
        }
    }
}

fn sources(model: &Model, id: OriginId) -> &[OriginId] {
    match model.origin(id) {
        Origin::Derived { from, .. } => from,
        _ => &[],
    }
}
