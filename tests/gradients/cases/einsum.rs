//! Einsum: a case for each kind of letter.

use crate::case::{Case, op};

pub fn all() -> Vec<Case> {
    let two = |equation: &str, x: &[usize], w: &[usize]| op("Einsum").x(x).weight(w).str("equation", equation);
    let one = |equation: &str, x: &[usize]| op("Einsum").x(x).str("equation", equation);
    let swapped = |equation: &str, w: &[usize], x: &[usize]| two(equation, x, w).reads(&["w0", "x"]);
    vec![
        two("ij,jk->ik", &[2, 3], &[3, 4]),
        two("ij, jk", &[2, 3], &[3, 4]).note("no output said"),
        swapped("ij,jk->ik", &[2, 3], &[3, 4]),
        two("bhid,bhjd->bhij", &[1, 2, 3, 4], &[1, 2, 5, 4]).note("scores"),
        swapped("bhij,bhjd->bhid", &[1, 2, 3, 5], &[1, 2, 5, 4]).note("values"),
        op("Einsum").x(&[1, 2, 3, 4]).reads(&["x", "x"]).str("equation", "bhid,bhjd->bhij").note("with itself"),
        two("nchw,dc->ndhw", &[1, 3, 2, 4], &[5, 3]).note("pointwise convolution"),
        two("bxc,cy->byx", &[2, 3, 4], &[4, 5]).note("turned"),
        two("i,j->ij", &[3], &[4]).note("outer product"),
        two("i,i->", &[3], &[3]).note("inner product"),
        two("ij,ij->ij", &[2, 3], &[2, 3]).note("by elements"),
        two("ij,k->i", &[2, 3], &[4]).note("letters of one operand are summed"),
        two("ij,->ji", &[2, 3], &[]).note("a number"),
        two("...ij,...jk->...ik", &[2, 1, 3, 4], &[1, 5, 4, 2]).note("ellipsis, repeated"),
        swapped("...ij,...jk->...ik", &[1, 5, 3, 4], &[2, 1, 4, 2]).note("ellipsis, repeated"),
        two("...c,dc->...d", &[1, 3, 2, 4], &[5, 4]).note("ellipsis of one operand"),
        two("a...,...b->ab...", &[2, 3], &[3, 4]).note("ellipsis in the middle"),
        one("ij->ji", &[2, 3]).note("transpose"),
        one("bij->b", &[2, 3, 4]).note("sum"),
        one("ij->", &[2, 3]).note("all"),
        one("...ij->...ji", &[1, 2, 3, 4]).opset(12),
        one("ba", &[2, 3]).note("no output said"),
    ]
}
