//! Origins.

use edgesmith_ir::{Name, Origin, OriginId};

use super::Builder;
use crate::ast::OriginAst;
use crate::error::{Fallible, Fault};

impl Builder<'_> {
    pub(super) fn origin(&mut self, ast: &OriginAst<'_>) -> Fallible<OriginId> {
        let origin = match ast {
            OriginAst::Row(row) => {
                return self.rows.get(&row.value).copied().ok_or_else(|| {
                    Fault::expecting(
                        row.span,
                        format!("there is no origin @{}", row.value),
                        format!("'#: let @{} = ...' at the model, before other rows that need it", row.value),
                    )
                });
            }
            OriginAst::Source { node, operator, scope } => Origin::Source {
                node: Name::from(&**node),
                operator: Name::from(&**operator),
                scope: scope.as_ref().map(|scope| Name::from(&**scope)),
            },
            OriginAst::Derived { rule, from } => Origin::Derived {
                rule: Name::from(&**rule),
                from: from.iter().map(|origin| self.origin(origin)).collect::<Fallible<_>>()?,
            },
        };
        Ok(self.model.add_origin(origin))
    }
}
