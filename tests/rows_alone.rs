//! A row of at most a tile is worked on beside its neighbours: what is known of the next one, or left to do for the one
//! before, must not end up in another row. Rows that lie far apart, some of them ignored, one by one and together.

mod common;

use common::{Num, Random, bits, paths};
use xent::{CrossEntropy, Exec, Reduction, Rows, RowsMut};

const IGNORED: i64 = -100;

/// Of more than two groups of rows that are worked on together.
const ROWS: usize = 40;

/// Elements between the rows.
const GAP: usize = 3;

/// Logits or what takes their place, classes of a row, labels, and a number for each row.
type Call<T> = fn(Exec, &[T], usize, &[i64], &mut [T], &mut [T]);

fn rows<T: Num>(x: &[T], classes: usize) -> Rows<'_, T> {
    Rows::with_stride(x, x.len().div_ceil(classes + GAP), classes, classes + GAP).expect("rows")
}

fn out<T: Num>(x: &mut [T], classes: usize) -> RowsMut<'_, T> {
    let count = x.len().div_ceil(classes + GAP);
    RowsMut::with_stride(x, count, classes, classes + GAP).expect("rows")
}

fn loss<'a, T: Num>(exec: Exec) -> CrossEntropy<'a, T> {
    CrossEntropy::new().ignore_index(IGNORED).exec(exec)
}

fn calls<T: Num>() -> [(&'static str, Call<T>); 9] {
    [
        ("losses", |exec, x, c, y, _, each| {
            loss(exec).losses(rows(x, c), y, each).expect("losses");
        }),
        ("gradient", |exec, x, c, y, to, each| {
            let to = out(to, c);
            loss(exec).losses_and_gradient(rows(x, c), y, None, each, to).expect("gradient");
        }),
        ("gradient in place", |exec, x, c, y, to, each| {
            to.copy_from_slice(x);
            let to = out(to, c);
            loss(exec).losses_and_gradient_in_place(to, y, None, each).expect("in place");
        }),
        ("smoothed gradient", |exec, x, c, y, to, each| {
            let (to, loss) = (out(to, c), loss(exec).label_smoothing(0.125).scale(0.75));
            loss.losses_and_gradient(rows(x, c), y, None, each, to).expect("smoothed");
        }),
        ("log-sum-exp", |exec, x, c, _, _, each| {
            exec.log_sum_exp(rows(x, c), each).expect("log-sum-exp");
        }),
        ("log-softmax", |exec, x, c, _, to, _| {
            exec.log_softmax(rows(x, c), out(to, c)).expect("log-softmax");
        }),
        ("log-softmax in place", |exec, x, c, _, to, _| {
            to.copy_from_slice(x);
            exec.log_softmax_in_place(out(to, c)).expect("in place");
        }),
        ("softmax", |exec, x, c, _, to, _| {
            exec.softmax(rows(x, c), out(to, c)).expect("softmax");
        }),
        ("softmax in place", |exec, x, c, _, to, _| {
            to.copy_from_slice(x);
            exec.softmax_in_place(out(to, c)).expect("in place");
        }),
    ]
}

fn beside_neighbours<T: Num>() {
    // The next row is looked at before this one, beside it, or in its own turn.
    for classes in [140, 300, 700, 1030, 1700, 2100, 4200] {
        let mut random = Random(classes as u64);
        let stride = classes + GAP;
        let mut x = vec![T::of(0.0); ROWS * stride - GAP];
        for row in x.chunks_mut(stride) {
            let middle = random.below(200) as f64 - 100.0;
            for x in row {
                *x = T::of(middle + random.normal::<T>().wide());
            }
        }
        // Rows without a sum.
        x[17 * stride + 5] = T::of(f64::NAN);
        x[18 * stride..][..classes].fill(T::NEG_INF);
        x[33 * stride + 7] = T::POS_INF;
        // Rows whose sum is 1, the largest logit 0 of either sign.
        for (row, top) in [(21, 0.0), (22, -0.0)] {
            x[row * stride..][..classes].fill(T::of(-200.0));
            x[row * stride + 9] = T::of(top);
        }
        let label = |random: &mut Random| match random.below(3) {
            0 => IGNORED,
            _ => random.below(classes as u64) as i64,
        };
        let mut y: Vec<i64> = (0..ROWS).map(|_| label(&mut random)).collect();
        // The last of a group and the first.
        for row in [15, 16, 31] {
            y[row] = IGNORED;
        }
        for path in paths() {
            let exec = Exec::new().path(path).threads(1);
            for (name, call) in calls() {
                call(exec, &[], classes, &[], &mut [], &mut []);
                let fresh = || (vec![T::of(7.0); x.len()], vec![T::of(7.0); ROWS]);
                let ((mut all, mut each), (mut alone, mut each_alone)) = (fresh(), fresh());
                call(exec, &x, classes, &y, &mut all, &mut each);
                for row in 0..ROWS {
                    let part = row * stride..row * stride + classes;
                    let (x, y) = (&x[part.clone()], &y[row..=row]);
                    let each = &mut each_alone[row..=row];
                    call(exec, x, classes, y, &mut alone[part], each);
                }
                for row in 0..ROWS {
                    let part = row * stride..row * stride + classes;
                    let what = format!("row {row} of {classes}, {name}, {} on {path}", T::NAME);
                    let same = bits(&all[part.clone()]) == bits(&alone[part])
                        && bits(&each[row..=row]) == bits(&each_alone[row..=row]);
                    assert!(same, "{what}");
                }
            }
        }
    }
}

#[test]
fn a_row_is_the_same_whatever_is_beside_it() {
    beside_neighbours::<f32>();
    beside_neighbours::<f64>();
}

/// A few rows at a time are done in another way than many: their total is that of the same among rows that are 0.
fn few_beside_nothing<T: Num>() {
    const MANY: usize = 9;
    let sum = |exec| loss::<T>(exec).reduction(Reduction::Sum);
    for classes in [9, 16, 32, 33, 65, 128] {
        let mut random = Random(classes as u64);
        let mut numbers = |n: usize| -> Vec<T> { (0..n).map(|_| random.normal()).collect() };
        let (x, weights) = (numbers(MANY * classes), numbers(classes));
        let weights: Vec<T> = weights.iter().map(|w| T::of(w.wide().abs())).collect();
        let targets: Vec<T> = numbers(MANY * classes);
        for (path, count) in paths().into_iter().flat_map(|p| (1..=6).map(move |n| (p, n))) {
            let exec = Exec::new().path(path).threads(1);
            let labels: Vec<i64> = (0..MANY)
                .map(|row| if row < count { (row * 7 % classes) as i64 } else { IGNORED })
                .collect();
            let len = count * classes;
            let shares = (0..MANY * classes)
                .map(|i| T::of(if i < len { targets[i].wide().abs() } else { 0.0 }));
            let shares: Vec<T> = shares.collect();
            let totals = |rows: usize| {
                let view = |m| Rows::new(m, classes).expect("rows");
                let (x, t) = (view(&x[..rows * classes]), view(&shares[..rows * classes]));
                let labels = &labels[..rows];
                let smoothed = sum(exec).label_smoothing(0.125);
                let at = sum(exec).calibration(x, labels, 0.75).expect("a calibration");
                let losses = [
                    sum(exec).loss(x, labels),
                    sum(exec).focal(2.0).loss(x, labels),
                    smoothed.loss(x, labels),
                    smoothed.class_weights(&weights).loss(x, labels),
                    sum(exec).loss(x, t),
                    sum(exec).class_weights(&weights).loss(x, t),
                    sum(exec).z_loss(0.25).loss(x, labels),
                ];
                let losses = losses.map(|total| total.expect("a total"));
                bits(&[&losses[..], &[at.nll, at.first, at.second]].concat())
            };
            assert_eq!(totals(count), totals(MANY), "{count} x {classes} on {path}");
        }
    }
}

#[test]
fn the_total_of_a_few_rows_is_theirs_among_many() {
    few_beside_nothing::<f32>();
    few_beside_nothing::<f64>();
}
