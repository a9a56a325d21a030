//! The clock: all contenders of an operation on a shape take turns.

use crate::contender::{Contender, ENTRIES, Entry};
use crate::data::{Answer, Data};
use crate::plan::{Op, Suite};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long it goes on.
pub struct Pace {
    /// Rounds at least, whatever they take.
    pub least: usize,
    /// Rounds at most.
    pub most: usize,
    /// No further round once an operation on a shape has taken this long.
    pub time: Duration,
    /// A turn makes as many calls as fit, and at least one.
    pub turn: Duration,
}

impl Pace {
    pub const FULL: Pace = Pace {
        least: 3,
        most: 15,
        time: Duration::from_millis(1_200),
        turn: Duration::from_millis(8),
    };
    pub const QUICK: Pace = Pace {
        least: 1,
        most: 3,
        time: Duration::from_millis(100),
        turn: Duration::from_millis(2),
    };
}

/// The times of one contender.
pub struct Measured {
    pub suite: &'static str,
    pub op: Op,
    pub rows: usize,
    pub classes: usize,
    pub entry: &'static Entry,
    /// ns per element, ascending.
    pub samples: Vec<f64>,
}

impl Measured {
    /// Interpolated: 0 the smallest sample, 0.5 the median, 1 the largest.
    pub fn quantile(&self, q: f64) -> f64 {
        let position = q * (self.samples.len() - 1) as f64;
        let (low, high) = (position.floor(), position.ceil());
        let (a, b) = (self.samples[low as usize], self.samples[high as usize]);
        a + (b - a) * (position - low)
    }
}

struct Turn<'a> {
    entry: &'static Entry,
    contender: Box<dyn Contender + 'a>,
    calls: u32,
    samples: Vec<f64>,
}

/// All operations of a suite on one of its shapes.
pub fn shape(suite: &Suite, data: &Data, pace: &Pace) -> Vec<Measured> {
    suite.ops.iter().flat_map(|&op| operation(suite.name, data, op, pace)).collect()
}

fn operation(suite: &'static str, data: &Data, op: Op, pace: &Pace) -> Vec<Measured> {
    let expected = data.expected(op).expect("good arguments");
    let mut turns: Vec<Turn<'_>> = ENTRIES
        .iter()
        .filter(|entry| (entry.can)(op))
        .map(|entry| {
            let mut contender = (entry.prepare)(data);
            let mut answer = Answer::default();
            contender.run(op, Some(&mut answer));
            if entry.computes {
                data.check(entry.name, op, &answer, &expected);
            }
            let once = time(contender.as_mut(), op, 1);
            let calls = (pace.turn.as_nanos() / once.as_nanos().max(1)).clamp(1, 100_000) as u32;
            Turn { entry, contender, calls, samples: vec![] }
        })
        .collect();
    drop(expected);
    let start = Instant::now();
    for round in 0..pace.most {
        if round >= pace.least && start.elapsed() > pace.time {
            break;
        }
        for turn in &mut turns {
            // What the others left in the caches is not to count.
            if turn.calls > 1 {
                time(turn.contender.as_mut(), op, 1);
            }
            let time = time(turn.contender.as_mut(), op, turn.calls);
            let elements = data.logits.len() as f64 * f64::from(turn.calls);
            turn.samples.push(time.as_secs_f64() * 1e9 / elements);
        }
    }
    turns
        .into_iter()
        .map(|Turn { entry, mut samples, .. }| {
            samples.sort_by(f64::total_cmp);
            Measured { suite, op, rows: data.rows, classes: data.classes, entry, samples }
        })
        .collect()
}

fn time(contender: &mut dyn Contender, op: Op, calls: u32) -> Duration {
    let start = Instant::now();
    for _ in 0..calls {
        black_box(&mut *contender).run(op, None);
    }
    start.elapsed()
}
