//! The forms that are held to the plain one here: every instruction set, on one, two and three threads.

use asap_kernels::Level;

use crate::case::{Case, Subject};
use crate::compare::Form;
use crate::fast;

/// All forms of a subject.
pub(crate) fn of(_subject: &Subject) -> Vec<Form> {
    let levels = Level::available();
    let both = levels.flat_map(|level| (1..=3).map(move |threads| (level, threads)));
    both.map(|(level, threads)| Form {
        how: format!("{level} on {threads} threads"),
        rounding: 0.0,
        computed: Box::new(move |case: &Case| fast::computed(case, level, threads)),
    })
    .collect()
}
