//! The table of every public call.

use super::args::wanted;
use super::cross_entropy_calls::cross_entropy;
use super::{Args, Call, Matrix, Num, Takes};
use xent::{BinaryCrossEntropy, Divergence, ElementWeights, Error, PartialRow, Rows, RowsMut};

/// Every call that takes an `Exec` or a `Path`.
pub fn calls<T: Num>() -> Vec<Call<T>> {
    let mut all = row_functions();
    all.extend(cross_entropy());
    all.extend(binary());
    all.extend(divergences());
    all
}

fn row_functions<T: Num>() -> Vec<Call<T>> {
    use Takes::{Labels, RowUpstream, RowWeights, Statistics, Upstream, Vector};
    const OUT: Takes = Takes::Matrix("out");
    const GRADIENT: Takes = Takes::Matrix("gradient");
    let beta = Takes::Option("beta", "beta");
    vec![
        Call::apart("log_sum_exp", &[Vector("out")], |a: &mut Args<T>| {
            a.exec.log_sum_exp(a.input.view(), &mut a.vector)
        }),
        Call::apart("log_softmax", &[OUT], |a| {
            a.exec.log_softmax(a.input.view(), a.matrix.view_mut())
        }),
        Call::in_place("log_softmax_in_place", &[], |a| {
            a.exec.log_softmax_in_place(a.matrix.view_mut())
        }),
        Call::apart("softmax", &[OUT], |a| a.exec.softmax(a.input.view(), a.matrix.view_mut())),
        Call::in_place("softmax_in_place", &[], |a| a.exec.softmax_in_place(a.matrix.view_mut())),
        Call::apart("log_softmax_backward", &[Upstream, GRADIENT], |a| {
            let out = a.matrix.view_mut();
            a.exec.log_softmax_backward(a.input.view(), a.upstream.view(), out)
        }),
        Call::apart("log_softmax_backward_in_place", &[Takes::Matrix("upstream")], |a| {
            a.exec.log_softmax_backward_in_place(a.input.view(), a.matrix.view_mut())
        }),
        Call::apart("softmax_backward", &[Upstream, GRADIENT], |a| {
            let out = a.matrix.view_mut();
            a.exec.softmax_backward(a.input.view(), a.upstream.view(), out)
        }),
        Call::apart("softmax_backward_in_place", &[Takes::Matrix("upstream")], |a| {
            a.exec.softmax_backward_in_place(a.input.view(), a.matrix.view_mut())
        }),
        Call::apart("row_statistics", &[Statistics], |a| {
            let statistics = wanted(&mut a.statistics, &mut a.argmax, false);
            a.exec.row_statistics(a.input.view(), statistics)
        }),
        Call::apart("entropy", &[Vector("out")], |a| a.exec.entropy(a.input.view(), &mut a.vector)),
        Call::apart("entropy_backward", &[RowUpstream, GRADIENT], |a| {
            a.exec.entropy_backward(a.input.view(), &a.row_upstream, a.matrix.view_mut())
        }),
        Call::in_place("entropy_backward_in_place", &[RowUpstream], |a| {
            a.exec.entropy_backward_in_place(a.matrix.view_mut(), &a.row_upstream)
        }),
        Call::apart("calibration", &[Labels, beta], |a| calibrate(a, false)),
        Call::apart("calibration, weights", &[Labels, RowWeights("row_weights"), beta], |a| {
            calibrate(a, true)
        }),
        Call::apart("partial_rows", &[], |a| parts(a, false)),
        Call::apart("partial_rows with entropy", &[], |a| parts(a, true)),
        Call::in_place("math::exp", &[], |a| xent::math::exp(a.path, &mut a.matrix.data)),
        Call::in_place("math::ln", &[], |a| xent::math::ln(a.path, &mut a.matrix.data)),
        Call::in_place("math::ln_1p", &[], |a| xent::math::ln_1p(a.path, &mut a.matrix.data)),
    ]
}

fn calibrate<T: Num>(a: &mut Args<T>, weights: bool) -> Result<(), Error> {
    let mut call = xent::CrossEntropy::new().exec(a.exec).reduction(a.reduction);
    if weights {
        call = call.row_weights(&a.with.row_weights);
    }
    let at = call.calibration(a.input.view(), &a.labels, a.with.options.beta)?;
    a.numbers = [at.nll, at.first, at.second, 0.0, 0.0, 0.0];
    Ok(())
}

/// The classes from one on.
fn columns<T: Num>(m: &Matrix<T>, start: usize, end: usize) -> Result<Rows<'_, T>, Error> {
    let data = m.data.get(start..).unwrap_or(&[]);
    Rows::with_stride(data, m.rows, end - start, m.stride)
}

/// The two halves of each row, cut at a tile; one part if there is but one tile.
fn parts<T: Num>(a: &mut Args<T>, entropy: bool) -> Result<(), Error> {
    let tile = PartialRow::<T>::tile();
    let classes = a.input.classes;
    let cut = match classes.div_ceil(tile) / 2 * tile {
        0 => classes,
        cut => cut,
    };
    let (exec, ignored, [left, right]) = (a.exec, Some(-100), &mut a.partials);
    exec.partial_rows(columns(&a.input, 0, cut)?, 0, &a.labels, ignored, entropy, left)?;
    if cut < classes {
        let rest = columns(&a.input, cut, classes)?;
        exec.partial_rows(rest, cut, &a.labels, ignored, entropy, right)?;
        for (left, right) in left.iter_mut().zip(right) {
            left.merge(right)?;
        }
    }
    Ok(())
}

/// The options of a binary call.
#[derive(Clone, Copy, Debug)]
enum Binary {
    Plain,
    PosWeight,
    PerClass,
    PerRow,
    PerElement,
    Focal,
    FocalAlpha,
}

const BINARY: [(Binary, &str, &[Takes]); 7] = [
    (Binary::Plain, "", &[]),
    (Binary::PosWeight, ", pos_weight", &[Takes::PosWeight]),
    (Binary::PerClass, ", weights of classes", &[Takes::ClassWeights("element_weights")]),
    (Binary::PerRow, ", weights of rows", &[Takes::RowWeights("element_weights")]),
    (Binary::PerElement, ", weights of elements", &[Takes::ElementWeights, Takes::PosWeight]),
    (Binary::Focal, ", root focal", &[Takes::Option("root_gamma", "gamma")]),
    (
        Binary::FocalAlpha,
        ", focal with alpha",
        &[Takes::Option("gamma", "gamma"), Takes::Option("alpha", "alpha"), Takes::ElementWeights],
    ),
];

impl Binary {
    fn of<T: Num>(self, a: &super::With<T>) -> BinaryCrossEntropy<'_, T> {
        let call = BinaryCrossEntropy::new().upstream(a.options.upstream);
        let elements = ElementWeights::PerElement(a.element_weights.view());
        match self {
            Binary::Plain => call,
            Binary::PosWeight => call.pos_weight(&a.pos_weight),
            Binary::PerClass => call.element_weights(ElementWeights::PerClass(&a.class_weights)),
            Binary::PerRow => call.element_weights(ElementWeights::PerRow(&a.row_weights)),
            Binary::PerElement => call.element_weights(elements).pos_weight(&a.pos_weight),
            Binary::Focal => call.focal(a.options.root_gamma, None),
            Binary::FocalAlpha => {
                call.focal(a.options.gamma, a.options.alpha).element_weights(elements)
            }
        }
    }
}

type BinaryRun<T> = fn(&mut Args<T>, Binary) -> Result<(), Error>;

fn binary<T: Num>() -> Vec<Call<T>> {
    use Takes::{Targets, Upstream};
    const GRADIENT: Takes = Takes::Matrix("gradient");
    const LOSSES: Takes = Takes::Values("losses");
    let entries: [(&str, bool, &[Takes], BinaryRun<T>); 7] = [
        ("loss", false, &[Targets], |a, b| {
            let call = b.of(&a.with).exec(a.exec).reduction(a.reduction);
            a.reduced = call.loss(a.input.view(), a.with.targets.view())?;
            Ok(())
        }),
        ("loss_and_gradient", false, &[Targets, GRADIENT], |a, b| {
            let call = b.of(&a.with).exec(a.exec).reduction(a.reduction);
            let (targets, gradient) = (a.with.targets.view(), a.matrix.view_mut());
            a.reduced = call.loss_and_gradient(a.input.view(), targets, gradient)?;
            Ok(())
        }),
        ("loss_and_gradient_in_place", true, &[Targets], |a, b| {
            let call = b.of(&a.with).exec(a.exec).reduction(a.reduction);
            let targets = a.with.targets.view();
            a.reduced = call.loss_and_gradient_in_place(a.matrix.view_mut(), targets)?;
            Ok(())
        }),
        ("losses", false, &[Targets, LOSSES], |a, b| {
            let call = b.of(&a.with).exec(a.exec);
            call.losses(a.input.view(), a.with.targets.view(), a.values.view_mut())
        }),
        ("losses_and_gradient", false, &[Targets, LOSSES, GRADIENT], |a, b| {
            let call = b.of(&a.with).exec(a.exec);
            let (targets, out) = (a.with.targets.view(), a.values.view_mut());
            call.losses_and_gradient(a.input.view(), targets, None, out, a.matrix.view_mut())
        }),
        (
            "losses_and_gradient with upstream",
            false,
            &[Targets, LOSSES, GRADIENT, Upstream],
            |a, b| {
                let call = b.of(&a.with).exec(a.exec);
                let (targets, upstream) = (a.with.targets.view(), Some(a.upstream.view()));
                let (out, gradient) = (a.values.view_mut(), a.matrix.view_mut());
                call.losses_and_gradient(a.input.view(), targets, upstream, out, gradient)
            },
        ),
        ("losses_and_gradient_in_place", true, &[Targets, LOSSES, Upstream], |a, b| {
            let call = b.of(&a.with).exec(a.exec);
            let (targets, upstream) = (a.with.targets.view(), Some(a.upstream.view()));
            let (out, logits) = (a.values.view_mut(), a.matrix.view_mut());
            call.losses_and_gradient_in_place(logits, targets, upstream, out)
        }),
    ];
    let mut all = Vec::new();
    for (name, in_place, needs, run) in entries {
        for (options, suffix, more) in BINARY {
            let takes = [needs, more].concat();
            let name = format!("binary {name}{suffix}");
            let call = Call::apart(name, &takes, move |a: &mut Args<T>| run(a, options));
            all.push(Call { in_place, ..call });
        }
    }
    all
}

type DivergenceRun<T> = fn(Divergence, &Matrix<T>, &mut Parts<'_, T>) -> Result<(), Error>;

/// What a divergence reads and writes beside the targets.
struct Parts<'a, T> {
    input: Rows<'a, T>,
    matrix: Option<RowsMut<'a, T>>,
    values: Option<RowsMut<'a, T>>,
    vector: &'a mut [T],
    reduced: &'a mut f64,
}

fn divergences<T: Num>() -> Vec<Call<T>> {
    let entries: [(&str, bool, &[Takes], DivergenceRun<T>); 5] = [
        ("loss", false, &[], |d, t, p| {
            *p.reduced = d.loss(t.view(), p.input)?;
            Ok(())
        }),
        ("losses", false, &[Takes::Vector("losses")], |d, t, p| {
            d.losses(t.view(), p.input, p.vector)
        }),
        ("elements", false, &[Takes::Values("values")], |d, t, p| {
            d.elements(t.view(), p.input, p.values.take().expect("once"))
        }),
        ("loss_and_gradient", false, &[Takes::Matrix("gradient")], |d, t, p| {
            let gradient = p.matrix.take().expect("once");
            *p.reduced = d.loss_and_gradient(t.view(), p.input, gradient)?;
            Ok(())
        }),
        ("loss_and_gradient_in_place", true, &[], |d, t, p| {
            let input = p.matrix.take().expect("once");
            *p.reduced = d.loss_and_gradient_in_place(t.view(), input)?;
            Ok(())
        }),
    ];
    let kinds = [
        ("kl", Divergence::kl()),
        ("divergence cross_entropy", Divergence::cross_entropy()),
        ("divergence entropy", Divergence::entropy()),
    ];
    let mut all = Vec::new();
    for (kind, divergence) in kinds {
        for (log_target, from_logits) in
            [(false, false), (false, true), (true, false), (true, true)]
        {
            for (name, in_place, needs, run) in entries {
                let refused = name == "elements" && from_logits
                    || name.contains("gradient") && kind.ends_with(" entropy");
                if refused {
                    continue;
                }
                let logs = if log_target { " of logs" } else { "" };
                let logits = if from_logits { " from logits" } else { "" };
                let call = move |a: &mut Args<T>| {
                    let d = divergence.exec(a.exec).reduction(a.reduction);
                    let d = d.upstream(a.with.options.upstream);
                    let d = d.log_target(log_target).from_logits(from_logits);
                    let with = &a.with;
                    let targets = if log_target { &with.log_targets } else { &with.targets };
                    let mut parts = Parts {
                        input: a.input.view(),
                        matrix: Some(a.matrix.view_mut()),
                        values: Some(a.values.view_mut()),
                        vector: &mut a.vector,
                        reduced: &mut a.reduced,
                    };
                    run(d, targets, &mut parts)
                };
                let call = Call::apart(format!("{kind} {name}{logs}{logits}"), needs, call);
                all.push(Call { in_place, ..call });
            }
        }
    }
    all
}
