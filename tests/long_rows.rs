//! Rows of several tiles: whatever the pass over the logits leaves for that over the gradient, exponentials or nothing,
//! the bits are the same.

mod common;

use common::{Num, Random, bits, paths};
use xent::{CrossEntropy, Exec, PartialRow, Reduction, RowStatistics, Rows, RowsMut};

/// Rows that differ in how far the largest logits of their tiles lie apart.
fn rows<T: Num>(tile: usize, classes: usize) -> Vec<T> {
    let mut random = Random(classes as u64);
    let mut x: Vec<T> = (0..8 * classes).map(|_| random.normal()).collect();
    let mut add = |row: usize, first: usize, below: f64| {
        for x in &mut x[row * classes + first..][..tile] {
            *x = T::of(x.wide() - below);
        }
    };
    // Tiles whose factor is small, no normal number of f32 or f64, or 0.
    for (row, below) in [(1, 40.0), (2, 95.0), (3, 720.0), (4, 1e5)] {
        add(row, tile, below);
    }
    // Masked: a tile, all but the label.
    add(5, 0, f64::INFINITY);
    for first in [0, tile, classes - tile] {
        add(6, first, f64::INFINITY);
    }
    let label = 6 * classes + label(6, classes);
    (x[label], x[7 * classes + 2 * tile]) = (T::of(1.0), T::of(f64::NAN));
    x
}

fn label(row: usize, classes: usize) -> usize {
    row * 631 % classes
}

fn kept_or_not<T: Num>() {
    let tile = PartialRow::<T>::tile();
    let classes = 2 * tile + tile / 2 + 3;
    let x = rows::<T>(tile, classes);
    let count = x.len() / classes;
    let labels: Vec<u32> = (0..count).map(|row| label(row, classes) as u32).collect();
    let weights: Vec<T> = (0..classes).map(|j| T::of(0.5 + (j % 7) as f64 / 8.0)).collect();
    let view = || Rows::new(&x, classes).expect("rows");
    let plain = || CrossEntropy::new().reduction(Reduction::Sum);
    let calls = [
        ("plain", plain()),
        ("scaled", plain().scale(0.75)),
        ("smoothed", plain().label_smoothing(0.125)),
        ("smoothed, weighted", plain().label_smoothing(0.125).class_weights(&weights)),
        ("focal", plain().focal(2.0)),
        ("capped", plain().softcap(30.0)),
    ];
    for path in paths() {
        for (name, call) in &calls {
            let mut expected: Option<Vec<u64>> = None;
            for threads in [1, 2] {
                let call = call.exec(Exec::new().path(path).threads(threads));
                let what = format!("{name}, {} on {path}, {threads} threads", T::NAME);
                let mut apart = vec![T::of(0.0); x.len()];
                let out = RowsMut::new(&mut apart, classes).expect("rows");
                call.loss_and_gradient(view(), &labels[..], out).expect("apart");
                let expected = expected.get_or_insert_with(|| bits(&apart));
                assert!(bits(&apart) == *expected, "apart: {what}");

                let mut in_place = x.clone();
                let out = RowsMut::new(&mut in_place, classes).expect("rows");
                call.loss_and_gradient_in_place(out, &labels[..]).expect("in place");
                assert!(bits(&in_place) == *expected, "in place: {what}");

                // The logits are looked at between the passes.
                let mut argmax = vec![0; count];
                let wanted = RowStatistics { argmax: Some(&mut argmax), ..Default::default() };
                let mut beside = vec![T::of(0.0); x.len()];
                let out = RowsMut::new(&mut beside, classes).expect("rows");
                call.loss_statistics_and_gradient(view(), &labels[..], wanted, out)
                    .expect("beside");
                assert!(bits(&beside) == *expected, "beside statistics: {what}");
            }
        }
    }
}

#[test]
fn what_is_left_between_the_passes_does_not_matter() {
    kept_or_not::<f32>();
    kept_or_not::<f64>();
}

/// Logits, targets, labels, and where a call writes what it makes of them.
type Call<T> = fn(Exec, usize, [&[T]; 2], &[u32], &mut [T]);

fn calls<T: Num>() -> [(&'static str, Call<T>); 5] {
    fn rows<T: Num>(x: &[T], classes: usize) -> Rows<'_, T> {
        Rows::new(x, classes).expect("rows")
    }
    fn out<T: Num>(out: &mut [T], classes: usize) -> RowsMut<'_, T> {
        RowsMut::new(out, classes).expect("rows")
    }
    fn loss<'a, T: Num>(exec: Exec) -> CrossEntropy<'a, T> {
        CrossEntropy::new().reduction(Reduction::Sum).exec(exec)
    }
    [
        ("gradient", |exec, c, [x, _], y, to| {
            loss(exec).loss_and_gradient(rows(x, c), y, out(to, c)).expect("gradient");
        }),
        ("gradient in place", |exec, c, [x, _], y, to| {
            to.copy_from_slice(x);
            loss(exec).loss_and_gradient_in_place(out(to, c), y).expect("in place");
        }),
        ("dense gradient", |exec, c, [x, t], _, to| {
            loss(exec).loss_and_gradient(rows(x, c), rows(t, c), out(to, c)).expect("dense");
        }),
        ("softmax", |exec, c, [x, _], _, to| {
            exec.softmax(rows(x, c), out(to, c)).expect("softmax");
        }),
        ("log-softmax", |exec, c, [x, _], _, to| {
            exec.log_softmax(rows(x, c), out(to, c)).expect("log-softmax");
        }),
    ]
}

/// Rows of not much more than a tile, of which several would be small enough to be worked on at once.
fn beside_others<T: Num>() {
    const ROWS: usize = 5;
    let tile = PartialRow::<T>::tile();
    for classes in [tile - 1, tile, tile + 1, tile + tile / 2, 2 * tile] {
        let mut random = Random(classes as u64);
        let x: Vec<T> = (0..ROWS * classes).map(|_| random.normal()).collect();
        let t: Vec<T> = x.iter().rev().map(|x| T::of(x.wide().exp())).collect();
        let y: Vec<u32> = (0..ROWS).map(|row| label(row, classes) as u32).collect();
        for path in paths() {
            let exec = Exec::new().path(path).threads(1);
            for (name, call) in calls() {
                let (mut all, mut alone) = (x.clone(), x.clone());
                call(exec, classes, [&x, &t], &y, &mut all);
                for row in 0..ROWS {
                    let part = row * classes..(row + 1) * classes;
                    let (x, t, y) = (&x[part.clone()], &t[part.clone()], &y[row..=row]);
                    call(exec, classes, [x, t], y, &mut alone[part]);
                }
                let same = bits(&alone) == bits(&all);
                assert!(same, "{name} of {} on {path}: {classes} classes", T::NAME);
            }
        }
    }
}

#[test]
fn rows_of_some_tiles_are_the_rows_alone() {
    beside_others::<f32>();
    beside_others::<f64>();
}

/// More tiles than those whose largest logits are remembered: the last is masked, so that it changes no other.
fn many_tiles<T: Num>() {
    let tile = PartialRow::<T>::tile();
    let (fewer, classes) = (256 * tile, 257 * tile);
    let mut random = Random(3);
    let mut x: Vec<T> = (0..fewer).map(|_| random.normal()).collect();
    x.resize(classes, T::NEG_INF);
    let labels = [tile as u32 + 5];
    for path in paths() {
        let exec = Exec::new().path(path);
        let call = CrossEntropy::new().exec(exec);
        let gradient = |classes: usize| {
            let mut out = [vec![T::of(0.0); classes], vec![T::of(0.0); classes]];
            let [gradient, softmax] = &mut out;
            let view = || Rows::new(&x[..classes], classes).expect("a row");
            let out_of = |out| RowsMut::new(out, classes).expect("a row");
            call.loss_and_gradient(view(), &labels[..], out_of(gradient)).expect("a good call");
            exec.softmax(view(), out_of(softmax)).expect("a good call");
            out.map(|mut row| {
                assert!(row.drain(fewer..).all(|p| p.bits() == 0), "{path}: a masked class");
                bits(&row)
            })
        };
        assert!(gradient(classes) == gradient(fewer), "{} on {path}", T::NAME);
    }
}

#[test]
fn a_row_may_have_any_number_of_tiles() {
    many_tiles::<f32>();
    many_tiles::<f64>();
}
