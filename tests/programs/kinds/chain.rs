// SPDX-License-Identifier: Apache-2.0
//
// chain_rs [SECONDS]: work < inner < a closure < outer < main, without frame pointers.
use std::time::{Duration, Instant};

// What comes back cannot be known to be what went in. (std::hint::black_box came with Rust 1.66.)
fn black_box<T>(x: T) -> T {
    unsafe {
        let same = std::ptr::read_volatile(&x);
        std::mem::forget(x);
        same
    }
}

#[inline(never)]
fn work(mut x: u64) -> u64 {
    for _ in 0..20000 {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    x
}

#[inline(never)]
fn inner(x: u64) -> u64 {
    black_box(work(x)) + 1
}

#[inline(never)]
fn outer(f: &dyn Fn(u64) -> u64, x: u64) -> u64 {
    black_box(f(x)) ^ 1
}

fn main() {
    let seconds = std::env::args().nth(1).map_or(60.0, |s| s.parse().unwrap());
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let f = |x| black_box(inner(x)) ^ 2;
    let mut x = 1;
    while Instant::now() < end {
        x = outer(black_box(&f), x);
    }
    black_box(x);
}
