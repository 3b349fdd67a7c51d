// SPDX-License-Identifier: Apache-2.0
//
// panics [SECONDS]: what Rust does to a stack. Threads, closures and trait objects, collections, sorting with
// a callback, panics that are caught 30 calls further out. Built as releases are, without frame pointers.
use std::collections::{BTreeMap, HashMap};
use std::panic;
use std::thread;
use std::time::{Duration, Instant};

struct Noted<'a>(&'a mut Vec<u64>, u64);

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        self.0.push(self.1.rotate_left(7) ^ 0x9e37);
    }
}

#[inline(never)]
fn fall(depth: u64) -> u64 {
    let mut log = Vec::new();
    let noted = Noted(&mut log, depth);
    if depth == 0 {
        panic!("at the bottom");
    }
    let x = fall(depth - 1) + noted.1;
    drop(noted);
    x + log.len() as u64
}

trait Step {
    fn step(&self, x: u64) -> u64;
}

struct Shift(u32);
struct Twice(Box<dyn Step>);

impl Step for Shift {
    #[inline(never)]
    fn step(&self, mut x: u64) -> u64 {
        for _ in 0..200 {
            x ^= x << 13;
            x ^= x >> self.0;
            x ^= x << 17;
        }
        x
    }
}

impl Step for Twice {
    #[inline(never)]
    fn step(&self, x: u64) -> u64 {
        self.0.step(x).wrapping_add(1)
    }
}

fn one_round(seed: u64) -> u64 {
    let mut count: HashMap<String, u64> = HashMap::new();
    let mut tree = BTreeMap::new();
    let mut chain: Box<dyn Step> = Box::new(Shift(7));
    for _ in 0..15 {
        chain = Box::new(Twice(chain));
    }
    let mut x = seed | 1;
    for i in 0..2000 {
        x = chain.step(x);
        *count.entry(format!("word{}", x % 701)).or_default() += 1;
        tree.insert(x, i);
    }
    let mut words: Vec<_> = count.into_iter().collect();
    words.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    for _ in 0..20 {
        if panic::catch_unwind(|| fall(30)).is_err() {
            x = x.wrapping_add(1);
        }
    }
    x.wrapping_add(words.len() as u64 + tree.len() as u64)
}

fn main() {
    let seconds = std::env::args()
        .nth(1)
        .and_then(|arg| arg.parse().ok())
        .unwrap_or(60.0);
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let mut x = 1;

    panic::set_hook(Box::new(|_| {}));
    while Instant::now() < end {
        let other = thread::spawn(move || one_round(x));
        x = one_round(x.wrapping_add(1)).wrapping_add(other.join().unwrap());
    }
    println!("{x}");
}
