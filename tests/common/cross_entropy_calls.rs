//! Every call of `CrossEntropy`: each with labels, dense targets and a strided class axis, each with
//! several sets of options.

use super::args::wanted;
use super::{Args, Call, Focal, Num, Preset, Takes};
use xent::{Error, LossSums, Strided, StridedMut};

const PLAIN: Preset = Preset {
    name: "",
    class_weights: false,
    row_weights: false,
    smoothing: false,
    others: false,
    focal: None,
    scale: false,
    map: false,
};
const MAP: Preset = Preset { name: ", temperature, softcap and z-loss", map: true, ..PLAIN };
const LABELS: [Preset; 8] = [
    PLAIN,
    Preset {
        name: ", weights and smoothing",
        class_weights: true,
        row_weights: true,
        smoothing: true,
        ..PLAIN
    },
    Preset { name: ", smoothing over others", others: true, scale: true, ..PLAIN },
    Preset { name: ", focal", focal: Some(Focal::Gamma), ..PLAIN },
    Preset { name: ", root focal", focal: Some(Focal::RootGamma), class_weights: true, ..PLAIN },
    MAP,
    Preset {
        name: ", all but focal",
        class_weights: true,
        row_weights: true,
        smoothing: true,
        ..MAP
    },
    Preset {
        name: ", all but smoothing",
        class_weights: true,
        row_weights: true,
        focal: Some(Focal::Gamma),
        ..MAP
    },
];
const DENSE: [Preset; 4] = [
    PLAIN,
    Preset { name: ", weights and smoothing", class_weights: true, smoothing: true, ..PLAIN },
    MAP,
    Preset { name: ", all", class_weights: true, smoothing: true, ..MAP },
];

fn takes(preset: Preset, more: &[Takes]) -> Vec<Takes> {
    let option = |set: bool, field, name| set.then_some(Takes::Option(field, name));
    let Preset { smoothing, others, focal, scale, map, .. } = preset;
    let options = [
        preset.class_weights.then_some(Takes::ClassWeights("class_weights")),
        preset.row_weights.then_some(Takes::RowWeights("row_weights")),
        option(smoothing || others, "smoothing", "label_smoothing"),
        option(focal == Some(Focal::Gamma), "gamma", "gamma"),
        option(focal == Some(Focal::RootGamma), "root_gamma", "gamma"),
        option(scale, "scale", "scale"),
        option(map, "temperature", "temperature"),
        option(map, "softcap", "softcap"),
        option(map, "z_loss", "z_loss"),
    ];
    more.iter().copied().chain(options.into_iter().flatten()).collect()
}

type Run<T> = fn(&mut Args<T>, Preset) -> Result<(), Error>;

fn numbers(sums: &LossSums) -> [f64; 6] {
    [sums.sum(), sums.mean(), sums.weight(), sums.rows() as f64, 0.0, 0.0]
}

/// Name, whether in place, what it takes, and the call.
type Entry<T> = (&'static str, bool, &'static [Takes], Run<T>);

const GRADIENT: Takes = Takes::Matrix("gradient");
const LOSSES: Takes = Takes::Vector("losses");

fn with_labels<T: Num>() -> Vec<Entry<T>> {
    use Takes::{Labels, RowUpstream, Statistics};
    vec![
        ("loss", false, &[Labels], |a, p| {
            let call = a.with.cross_entropy(p, a.exec, a.reduction);
            a.reduced = call.loss(a.input.view(), &a.labels[..])?;
            Ok(())
        }),
        ("loss_and_gradient", false, &[Labels, GRADIENT], |a, p| {
            let call = a.with.cross_entropy(p, a.exec, a.reduction);
            let gradient = a.matrix.view_mut();
            a.reduced = call.loss_and_gradient(a.input.view(), &a.labels[..], gradient)?;
            Ok(())
        }),
        ("loss_and_gradient_in_place", true, &[Labels], |a, p| {
            let call = a.with.cross_entropy(p, a.exec, a.reduction);
            a.reduced = call.loss_and_gradient_in_place(a.matrix.view_mut(), &a.labels[..])?;
            Ok(())
        }),
        ("losses", false, &[Labels, LOSSES], |a, p| {
            let call = a.with.cross_entropy(p, a.exec, a.reduction);
            call.losses(a.input.view(), &a.labels[..], &mut a.vector)
        }),
        ("losses_and_gradient", false, &[Labels, LOSSES, GRADIENT], |a, p| {
            let call = a.with.cross_entropy(p, a.exec, a.reduction);
            let (losses, gradient) = (&mut a.vector, a.matrix.view_mut());
            call.losses_and_gradient(a.input.view(), &a.labels[..], None, losses, gradient)
        }),
        (
            "losses_and_gradient with upstream",
            false,
            &[Labels, LOSSES, RowUpstream, GRADIENT],
            |a, p| {
                let call = a.with.cross_entropy(p, a.exec, a.reduction);
                let (losses, gradient) = (&mut a.vector, a.matrix.view_mut());
                let upstream = Some(&a.row_upstream[..]);
                call.losses_and_gradient(a.input.view(), &a.labels[..], upstream, losses, gradient)
            },
        ),
        ("losses_and_gradient_in_place", true, &[Labels, LOSSES], |a, p| {
            let call = a.with.cross_entropy(p, a.exec, a.reduction);
            let logits = a.matrix.view_mut();
            call.losses_and_gradient_in_place(logits, &a.labels[..], None, &mut a.vector)
        }),
        (
            "losses_and_gradient_in_place with upstream",
            true,
            &[Labels, LOSSES, RowUpstream],
            |a, p| {
                let call = a.with.cross_entropy(p, a.exec, a.reduction);
                let (logits, upstream) = (a.matrix.view_mut(), Some(&a.row_upstream[..]));
                call.losses_and_gradient_in_place(logits, &a.labels[..], upstream, &mut a.vector)
            },
        ),
        ("loss_and_statistics", false, &[Labels, Statistics], |a, p| {
            let call = a.with.cross_entropy(p, a.exec, a.reduction);
            let statistics = wanted(&mut a.statistics, &mut a.argmax, true);
            a.reduced = call.loss_and_statistics(a.input.view(), &a.labels[..], statistics)?;
            Ok(())
        }),
        ("loss_statistics_and_gradient", false, &[Labels, Statistics, GRADIENT], |a, p| {
            let call = a.with.cross_entropy(p, a.exec, a.reduction);
            let statistics = wanted(&mut a.statistics, &mut a.argmax, true);
            let (logits, gradient) = (a.input.view(), a.matrix.view_mut());
            a.reduced =
                call.loss_statistics_and_gradient(logits, &a.labels[..], statistics, gradient)?;
            Ok(())
        }),
        ("loss_statistics_and_gradient_in_place", true, &[Labels, Statistics], |a, p| {
            let call = a.with.cross_entropy(p, a.exec, a.reduction);
            let statistics = wanted(&mut a.statistics, &mut a.argmax, true);
            let logits = a.matrix.view_mut();
            a.reduced =
                call.loss_statistics_and_gradient_in_place(logits, &a.labels[..], statistics)?;
            Ok(())
        }),
        ("loss_sums", false, &[Labels], |a, p| {
            let call = a.with.cross_entropy(p, a.exec, a.reduction);
            a.numbers = numbers(&call.loss_sums(a.input.view(), &a.labels[..])?);
            Ok(())
        }),
        ("loss_sums_and_gradient", false, &[Labels, GRADIENT], |a, p| {
            let call = a.with.cross_entropy(p, a.exec, a.reduction);
            let gradient = a.matrix.view_mut();
            let sums = call.loss_sums_and_gradient(a.input.view(), &a.labels[..], gradient)?;
            a.numbers = numbers(&sums);
            Ok(())
        }),
        ("loss_sums_and_gradient_in_place", true, &[Labels], |a, p| {
            let call = a.with.cross_entropy(p, a.exec, a.reduction);
            let logits = a.matrix.view_mut();
            a.numbers = numbers(&call.loss_sums_and_gradient_in_place(logits, &a.labels[..])?);
            Ok(())
        }),
    ]
}

fn with_dense_targets<T: Num>() -> Vec<Entry<T>> {
    use Takes::{RowUpstream, Targets};
    vec![
        ("loss", false, &[Targets], |a, p| {
            let call = a.with.cross_entropy(p, a.exec, a.reduction);
            a.reduced = call.loss(a.input.view(), a.with.targets.view())?;
            Ok(())
        }),
        ("loss_and_gradient", false, &[Targets, GRADIENT], |a, p| {
            let call = a.with.cross_entropy(p, a.exec, a.reduction);
            let (logits, gradient) = (a.input.view(), a.matrix.view_mut());
            a.reduced = call.loss_and_gradient(logits, a.with.targets.view(), gradient)?;
            Ok(())
        }),
        ("loss_and_gradient_in_place", true, &[Targets], |a, p| {
            let call = a.with.cross_entropy(p, a.exec, a.reduction);
            let targets = a.with.targets.view();
            a.reduced = call.loss_and_gradient_in_place(a.matrix.view_mut(), targets)?;
            Ok(())
        }),
        ("losses", false, &[Targets, LOSSES], |a, p| {
            let call = a.with.cross_entropy(p, a.exec, a.reduction);
            call.losses(a.input.view(), a.with.targets.view(), &mut a.vector)
        }),
        ("losses_and_gradient", false, &[Targets, LOSSES, RowUpstream, GRADIENT], |a, p| {
            let call = a.with.cross_entropy(p, a.exec, a.reduction);
            let (logits, targets) = (a.input.view(), a.with.targets.view());
            let (losses, gradient) = (&mut a.vector, a.matrix.view_mut());
            let upstream = Some(&a.row_upstream[..]);
            call.losses_and_gradient(logits, targets, upstream, losses, gradient)
        }),
        ("losses_and_gradient_in_place", true, &[Targets, LOSSES, RowUpstream], |a, p| {
            let call = a.with.cross_entropy(p, a.exec, a.reduction);
            let (logits, targets) = (a.matrix.view_mut(), a.with.targets.view());
            let upstream = Some(&a.row_upstream[..]);
            call.losses_and_gradient_in_place(logits, targets, upstream, &mut a.vector)
        }),
    ]
}

fn strided<T: Num>() -> Vec<Entry<T>> {
    use Takes::{Labels, RowUpstream};
    vec![
        ("loss", false, &[Labels], |a, p| {
            let call = a.with.cross_entropy(p, a.exec, a.reduction);
            a.reduced = call.loss(Strided::new(&a.planes, a.classes, a.inner)?, &a.labels[..])?;
            Ok(())
        }),
        ("loss_and_gradient", false, &[Labels], |a, p| {
            let call = a.with.cross_entropy(p, a.exec, a.reduction);
            let logits = Strided::new(&a.planes, a.classes, a.inner)?;
            let gradient = StridedMut::new(&mut a.planes_out, a.classes, a.inner)?;
            a.reduced = call.loss_and_gradient(logits, &a.labels[..], gradient)?;
            Ok(())
        }),
        ("loss_and_gradient_in_place", true, &[Labels], |a, p| {
            let call = a.with.cross_entropy(p, a.exec, a.reduction);
            let logits = StridedMut::new(&mut a.planes_out, a.classes, a.inner)?;
            a.reduced = call.loss_and_gradient_in_place(logits, &a.labels[..])?;
            Ok(())
        }),
        ("losses", false, &[Labels, LOSSES], |a, p| {
            let call = a.with.cross_entropy(p, a.exec, a.reduction);
            let logits = Strided::new(&a.planes, a.classes, a.inner)?;
            call.losses(logits, &a.labels[..], &mut a.vector)
        }),
        ("losses_and_gradient", false, &[Labels, LOSSES, RowUpstream], |a, p| {
            let call = a.with.cross_entropy(p, a.exec, a.reduction);
            let logits = Strided::new(&a.planes, a.classes, a.inner)?;
            let gradient = StridedMut::new(&mut a.planes_out, a.classes, a.inner)?;
            let upstream = Some(&a.row_upstream[..]);
            call.losses_and_gradient(logits, &a.labels[..], upstream, &mut a.vector, gradient)
        }),
        ("losses_and_gradient_in_place", true, &[Labels, LOSSES, RowUpstream], |a, p| {
            let call = a.with.cross_entropy(p, a.exec, a.reduction);
            let logits = StridedMut::new(&mut a.planes_out, a.classes, a.inner)?;
            let upstream = Some(&a.row_upstream[..]);
            call.losses_and_gradient_in_place(logits, &a.labels[..], upstream, &mut a.vector)
        }),
        ("loss_sums_and_gradient", false, &[Labels], |a, p| {
            let call = a.with.cross_entropy(p, a.exec, a.reduction);
            let logits = Strided::new(&a.planes, a.classes, a.inner)?;
            let gradient = StridedMut::new(&mut a.planes_out, a.classes, a.inner)?;
            a.numbers = numbers(&call.loss_sums_and_gradient(logits, &a.labels[..], gradient)?);
            Ok(())
        }),
        ("loss_sums_and_gradient_in_place", true, &[Labels], |a, p| {
            let call = a.with.cross_entropy(p, a.exec, a.reduction);
            let logits = StridedMut::new(&mut a.planes_out, a.classes, a.inner)?;
            a.numbers = numbers(&call.loss_sums_and_gradient_in_place(logits, &a.labels[..])?);
            Ok(())
        }),
    ]
}

pub fn cross_entropy<T: Num>() -> Vec<Call<T>> {
    let groups = [
        ("", with_labels(), &LABELS[..]),
        ("dense ", with_dense_targets(), &DENSE[..]),
        ("strided ", strided(), &LABELS[..]),
    ];
    let mut all = Vec::new();
    for (group, entries, presets) in groups {
        for (name, in_place, needs, run) in entries {
            for &preset in presets {
                let name = format!("{group}{name}{}", preset.name);
                let takes = takes(preset, needs);
                let call = Call::apart(name, &takes, move |a: &mut Args<T>| run(a, preset));
                all.push(Call { in_place, ..call });
            }
        }
    }
    all
}
