use std::cell::Cell;
use std::hint::black_box;
use std::time::Instant;

use tokio::runtime::Runtime;

thread_local! {
    static HANDLED: Cell<u64> = const { Cell::new(0) };
}

/// What every handler in a [`Table`] does, so that it shows whether all of them ran.
pub fn handled() {
    HANDLED.set(HANDLED.get() + 1);
}

type Repeat = Box<dyn FnMut(&Runtime, u64)>;

/// What a contender answers; each answer is checked, with the rest of the work.
pub trait Answer {
    /// Panics if this is not the answer to the number.
    fn check(&self, number: u64);
}

impl Answer for u64 {
    fn check(&self, number: u64) {
        assert_eq!(*self, number + 1);
    }
}

impl Answer for () {
    fn check(&self, _: u64) {}
}

/// Contenders at the same work, measured turn by turn: what else the machine does meets them all.
///
/// Each turn gives every contender about a fifth of a millisecond, in an order of its own. The first contender is what the
/// others are compared with.
pub struct Table {
    title: &'static str,
    handlers: u64,
    rows: Vec<(&'static str, Repeat)>,
}

impl Table {
    /// A table of work in which so many handlers run each time.
    #[must_use]
    pub fn new(title: &'static str, handlers: u64) -> Self {
        Self { title, handlers, rows: Vec::new() }
    }

    /// Adds a contender.
    #[must_use]
    pub fn row<T: Answer>(mut self, name: &'static str, mut work: impl AsyncFnMut(u64) -> T + 'static) -> Self {
        let repeat = move |runtime: &Runtime, times: u64| {
            runtime.block_on(async {
                for number in 0..times {
                    black_box(work(black_box(number)).await).check(number);
                }
            });
        };
        self.rows.push((name, Box::new(repeat)));
        self
    }

    /// Measures so many turns, and prints the medians.
    pub fn print_times(mut self, runtime: &Runtime, turns: usize) {
        let times: Vec<_> =
            self.rows.iter_mut().map(|(name, repeat)| calibrate(runtime, repeat, name, self.handlers)).collect();
        let mut nanoseconds = vec![Vec::with_capacity(turns); self.rows.len()];
        let mut order: Vec<_> = (0..self.rows.len()).collect();
        let mut random = 1;
        for _ in 0..turns {
            shuffle(&mut order, &mut random);
            for row in &order {
                nanoseconds[*row].push(time(runtime, &mut self.rows[*row].1, times[*row]));
            }
        }
        println!("\n| {} | ns | ratio | middle half |\n|---|---:|---:|---:|", self.title);
        for ((name, _), own) in self.rows.iter().zip(&nanoseconds) {
            let ratios: Vec<_> = own.iter().zip(&nanoseconds[0]).map(|(own, base)| own / base).collect();
            let [first, middle, third] = quartiles(ratios);
            println!("| {name} | {:.1} | {middle:.2} | {first:.2}–{third:.2} |", median(own.clone()));
        }
    }

    /// Prints how often each contender allocates, as `count` counts it.
    pub fn print_allocations(mut self, runtime: &Runtime, count: impl Fn(&mut dyn FnMut()) -> u64) {
        println!("\n| {} | allocations |\n|---|---:|", self.title);
        for (name, repeat) in &mut self.rows {
            calibrate(runtime, repeat, name, self.handlers);
            const TIMES: u64 = 1000;
            let counted = count(&mut || repeat(runtime, TIMES));
            println!("| {name} | {:.2} |", counted as f64 / TIMES as f64);
        }
    }
}

/// How often the work fits into a turn.
///
/// # Panics
///
/// If another number of handlers runs than is expected.
fn calibrate(runtime: &Runtime, repeat: &mut Repeat, name: &str, handlers: u64) -> u64 {
    const TURN: f64 = 200_000.0;
    let before = HANDLED.get();
    repeat(runtime, 100);
    assert_eq!(HANDLED.get() - before, 100 * handlers, "{name} did other work than the rest");
    let once = (0..5).map(|_| time(runtime, repeat, 100)).fold(f64::INFINITY, f64::min);
    (TURN / once).clamp(1.0, 1_000_000.0) as u64
}

/// How many nanoseconds the work takes once, when it is done so many times.
fn time(runtime: &Runtime, repeat: &mut Repeat, times: u64) -> f64 {
    let begun = Instant::now();
    repeat(runtime, times);
    begun.elapsed().as_nanos() as f64 / times as f64
}

/// Another order, so that nobody always follows the same one; the same in each run.
fn shuffle(order: &mut [usize], random: &mut u64) {
    for last in (1..order.len()).rev() {
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        order.swap(last, (*random >> 33) as usize % (last + 1));
    }
}

/// The value in the middle.
#[must_use]
pub fn median(values: Vec<f64>) -> f64 {
    quartiles(values)[1]
}

/// The values between which the middle half lies, and the one in its middle.
fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values[(values.len() - 1) * quarter / 4])
}
