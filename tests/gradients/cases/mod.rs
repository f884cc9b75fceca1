//! The table: at least one case for each rule, several where an operator has several forms. A family a file.

mod activations;
mod arithmetic;
mod attention;
mod convolutions;
mod einsum;
mod moved;
mod moves;
mod norms;
mod picking;
mod pools;
mod products;
mod quantisers;
mod reductions;
mod resize;

use crate::case::Case;

/// Every case.
pub fn all() -> Vec<Case> {
    [
        activations::all(),
        arithmetic::all(),
        convolutions::all(),
        products::all(),
        einsum::all(),
        attention::all(),
        pools::all(),
        reductions::all(),
        norms::all(),
        moves::all(),
        picking::all(),
        resize::all(),
        moved::all(),
        quantisers::all(),
    ]
    .concat()
}
