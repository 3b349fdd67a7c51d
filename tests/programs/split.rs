// SPDX-License-Identifier: Apache-2.0
//
// split [SECONDS] in Rust: 70 % in seventy(), 20 % in twenty(), 10 % in ten(), which is inlined into
// one_round(). All three run the same loop.
use std::time::{Duration, Instant};

const UNIT: u32 = 5000;

#[inline(never)]
fn seventy(mut x: u64) -> u64 {
    for _ in 0..7 * UNIT {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    x
}

#[inline(never)]
fn twenty(mut x: u64) -> u64 {
    for _ in 0..2 * UNIT {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    x
}

#[inline(always)]
fn ten(mut x: u64) -> u64 {
    for _ in 0..UNIT {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    x
}

#[inline(never)]
fn one_round(mut x: u64) -> u64 {
    x = seventy(x);
    x = twenty(x);
    x = ten(x);
    x.wrapping_add(1)
}

fn main() {
    let seconds = std::env::args()
        .nth(1)
        .and_then(|arg| arg.parse().ok())
        .unwrap_or(60.0);
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let mut x = 1;

    while Instant::now() < end {
        for _ in 0..256 {
            x = one_round(x);
        }
    }
    println!("{x}");
}
