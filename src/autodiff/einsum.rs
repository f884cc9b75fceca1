//! Einsum over one or two operands, written as transposes, one matrix product, and sums. Its gradient is another one.

use super::back::Back;
use crate::error::Result;
use crate::onnx::Val;

/// The letters of every axis; what an ellipsis stands for has capitals of its own.
#[derive(Debug, Clone)]
struct Equation {
    operands: Vec<Vec<char>>,
    output: Vec<char>,
}

impl Equation {
    /// Reads `ij,jk->ik`, for operands of these ranks. `None` where a letter stands twice in one operand, or nothing fits.
    fn read(text: &str, ranks: &[usize]) -> Option<Equation> {
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let (left, right) = text.split_once("->").map_or((text.as_str(), None), |(left, right)| (left, Some(right)));
        let terms: Vec<&str> = left.split(',').collect();
        let letters = |term: &str| term.chars().filter(|c| *c != '.').count();
        let hidden = terms.iter().zip(ranks).map(|(term, &rank)| match term.contains("...") {
            true => rank.checked_sub(letters(term)),
            false => (rank == letters(term)).then_some(0),
        });
        let hidden: Vec<usize> = hidden.collect::<Option<_>>().filter(|_| terms.len() == ranks.len())?;
        let most = hidden.iter().copied().max().unwrap_or(0);
        // letters that no equation has; the last axes of an ellipsis face each other
        let behind = |n: usize| (most - n..most).map(|i| char::from_u32(0xE000 + i as u32)).collect::<Option<String>>();
        let spell = |term: &str, n: usize| Some(term.replace("...", &behind(n)?).chars().collect::<Vec<char>>());
        let operands: Vec<Vec<char>> =
            terms.iter().zip(&hidden).map(|(term, &n)| spell(term, n)).collect::<Option<_>>()?;
        let output = match right {
            Some(term) => spell(term, most)?,
            None => {
                let all: Vec<char> = operands.concat();
                let mut once: Vec<char> = all
                    .iter()
                    .copied()
                    .filter(|c| c.is_alphabetic() && all.iter().filter(|d| *d == c).count() == 1)
                    .collect();
                once.sort_unstable();
                behind(most)?.chars().chain(once).collect()
            }
        };
        let all = operands.concat();
        let sound = |term: &Vec<char>| {
            term.iter().enumerate().all(|(i, c)| all.contains(c) && *c != '.' && !term[..i].contains(c))
        };
        let is_sound = operands.iter().chain([&output]).all(sound);
        is_sound.then_some(Equation { operands, output })
    }
}

/// A tensor whose axes have letters.
#[derive(Clone)]
struct Term<'g> {
    value: Val<'g>,
    letters: Vec<char>,
}

impl<'g> Term<'g> {
    fn length(&self, letter: char) -> Option<usize> {
        let axis = self.letters.iter().position(|l| *l == letter)?;
        Some(self.value.shape()[axis])
    }

    /// The sum over every letter that is not among these.
    fn keeping(self, wanted: &[char]) -> Term<'g> {
        let over: Vec<usize> = (0..self.letters.len()).filter(|&i| !wanted.contains(&self.letters[i])).collect();
        let left: Vec<usize> = (0..self.letters.len()).filter(|i| !over.contains(i)).collect();
        let sum = self.value.sum(&over);
        let shape: Vec<usize> = left.iter().map(|&i| sum.shape()[i]).collect();
        Term { value: sum.reshape(&shape), letters: left.iter().map(|&i| self.letters[i]).collect() }
    }

    /// Axes in this order; letters that it lacks as 1.
    fn laid(&self, order: &[char]) -> Val<'g> {
        let (have, lack): (Vec<char>, Vec<char>) = order.iter().partition(|l| self.letters.contains(l));
        let perm: Vec<usize> = have.iter().filter_map(|l| self.letters.iter().position(|m| m == l)).collect();
        let value = self.value.transpose(&perm);
        if lack.is_empty() {
            return value;
        }
        value.reshape(&order.iter().map(|&l| self.length(l).unwrap_or(1)).collect::<Vec<_>>())
    }
}

/// The product of two terms, summed over what is not in `output`.
fn product<'g>(a: Term<'g>, b: Term<'g>, output: &[char]) -> Val<'g> {
    let wanted_of = |other: &Term| [output, &other.letters].concat();
    let (wanted_a, wanted_b) = (wanted_of(&b), wanted_of(&a));
    let (a, b) = (a.keeping(&wanted_a), b.keeping(&wanted_b));
    let both = |l: &char| a.letters.contains(l) && b.letters.contains(l);
    let summed: Vec<char> = a.letters.iter().copied().filter(|l| both(l) && !output.contains(l)).collect();
    let batch: Vec<char> = output.iter().copied().filter(|l| both(l)).collect();
    let rows: Vec<char> = output.iter().copied().filter(|l| a.letters.contains(l) && !both(l)).collect();
    let columns: Vec<char> = output.iter().copied().filter(|l| b.letters.contains(l) && !both(l)).collect();
    // an axis of one element stands for many of the other operand
    let length = |l: &char| a.length(*l).unwrap_or(1).max(b.length(*l).unwrap_or(1));
    let lengths = |of: &[char]| of.iter().map(length).collect::<Vec<usize>>();
    let matrix = |term: &Term<'g>, outer: &[char], inner: &[char]| {
        let whole = term.laid(&[&batch, outer, inner].concat());
        let own = &whole.shape()[..batch.len()];
        let whole = whole.expand(&[own, &lengths(outer), &lengths(inner)].concat());
        let own = &whole.shape()[..batch.len()];
        whole.reshape(&[own, &[lengths(outer).iter().product(), lengths(inner).iter().product()]].concat())
    };
    let made = matrix(&a, &rows, &summed).matmul(matrix(&b, &summed, &columns));
    let letters = [batch.as_slice(), &rows, &columns].concat();
    Term { value: made.reshape(&lengths(&letters)), letters }.laid(output)
}

/// Einsum: the gradient of an operand is the product of what arrives with the other operand, in the operand's letters.
pub(super) fn einsum<'g>(b: &Back<'g>) -> Result<Vec<Option<Val<'g>>>> {
    let text = b.node.str("equation", "");
    let inputs = b.node.inputs().len();
    let ranks: Vec<usize> = (0..inputs).map(|i| b.shape(i).len()).collect();
    if !(1..=2).contains(&inputs) {
        return Err(b.refuse(&format!("it multiplies {inputs} operands, and one or two are supported")));
    }
    let Some(equation) = Equation::read(&text, &ranks).filter(|e| e.output.len() == b.y_shape(0).len()) else {
        return Err(b.refuse(&format!(
            "its equation {text:?} names one axis of an operand twice, or does not fit its operands"
        )));
    };
    let g = Term { value: b.g_full(), letters: equation.output.clone() };
    let grad = |i: usize| {
        let (letters, shape) = (&equation.operands[i], b.shape(i));
        let found = match equation.operands.get(1 - i) {
            Some(other) => {
                let other = Term { value: b.x(1 - i), letters: other.clone() };
                let shared: Vec<char> =
                    letters.iter().copied().filter(|l| g.letters.contains(l) || other.letters.contains(l)).collect();
                Term { value: product(g.clone(), other, &shared), letters: shared }
            }
            None => g.clone().keeping(letters),
        };
        // a letter that nothing else has was summed over: the same for all; one that stood for many gets their sum
        let grad = found.laid(letters);
        let repeated: Vec<usize> = (0..shape.len()).filter(|&a| shape[a] == 1 && grad.shape()[a] > 1).collect();
        grad.sum(&repeated)
    };
    Ok((0..inputs).map(|i| b.needs(i).then(|| grad(i))).collect())
}
