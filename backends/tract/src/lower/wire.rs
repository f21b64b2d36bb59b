//! What a value of the IR has become while a graph is lowered.

use std::cell::OnceCell;
use std::rc::Rc;

use edgesmith_ir::Tensor as IrTensor;
use tract_core::internal::*;

use crate::tensor::to_tract;

/// A value during lowering.
#[derive(Clone)]
pub(crate) enum Wire {
    /// Computed by the tract model.
    Outlet(OutletId),
    /// Known; becomes a constant of the tract model when something reads it.
    Constant(Rc<Known>),
    /// A sequence, taken apart while lowering.
    Sequence(Vec<Wire>),
    /// An optional, taken apart while lowering.
    Optional(Option<Box<Wire>>),
}

/// A constant with its copy in tract's form, made when first wanted.
pub(crate) struct Known {
    pub(crate) tensor: IrTensor,
    copy: OnceCell<Arc<Tensor>>,
    /// Where it lies in the model that is being built, once something read it.
    pub(crate) outlet: OnceCell<OutletId>,
}

impl Known {
    /// A constant that nothing has read yet.
    pub(crate) fn new(tensor: IrTensor) -> Rc<Self> {
        Rc::new(Self { tensor, copy: OnceCell::new(), outlet: OnceCell::new() })
    }
    /// The copy for tract.
    pub(crate) fn copy(&self) -> TractResult<Arc<Tensor>> {
        if let Some(copy) = self.copy.get() {
            return Ok(Arc::clone(copy));
        }
        let copy = to_tract(&self.tensor)?;
        Ok(Arc::clone(self.copy.get_or_init(|| copy)))
    }
}

impl Wire {
    /// A constant.
    pub(crate) fn constant(tensor: IrTensor) -> Self {
        Wire::Constant(Known::new(tensor))
    }
    /// A vector of int64.
    pub(crate) fn ints(ints: &[i64]) -> Self {
        Self::constant(IrTensor::from_ints(ints))
    }
    /// The constant, if it is one.
    pub(crate) fn known(&self) -> Option<&Rc<Known>> {
        match self {
            Wire::Constant(known) => Some(known),
            _ => None,
        }
    }
    /// The elements of an integer constant.
    pub(crate) fn known_ints(&self) -> Option<Vec<i64>> {
        self.known()?.tensor.to_ints()
    }
    /// The same value for the body of another tract model, if it can be carried there by value.
    pub(crate) fn for_another_model(&self) -> Option<Self> {
        match self {
            Wire::Constant(known) => {
                let copy = known.copy.clone();
                Some(Wire::Constant(Rc::new(Known { tensor: known.tensor.clone(), copy, outlet: OnceCell::new() })))
            }
            _ => None,
        }
    }
}
