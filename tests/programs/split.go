// SPDX-License-Identifier: Apache-2.0

// split [SECONDS] in Go: 70 % in seventy(), 20 % in twenty(), 10 % in ten(), which the compiler
// inlines into oneRound(). All three run the same loop.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

const unit = 5000

// A function that keeps nothing on the stack has no frame, and a walk by frame pointers misses its
// caller. An array that is indexed lives on the stack.
//
//go:noinline
func seventy(x uint64) uint64 {
	frame := [2]uint64{x, x}
	x = frame[x&1]
	for i := 0; i < 7*unit; i++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x
}

//go:noinline
func twenty(x uint64) uint64 {
	frame := [2]uint64{x, x}
	x = frame[x&1]
	for i := 0; i < 2*unit; i++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x
}

func ten(x uint64) uint64 {
	for i := 0; i < 1*unit; i++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x
}

//go:noinline
func oneRound(x uint64) uint64 {
	x = seventy(x)
	x = twenty(x)
	x = ten(x)
	return x + 1
}

func main() {
	seconds := 60.0
	if len(os.Args) > 1 {
		if s, err := strconv.ParseFloat(os.Args[1], 64); err == nil {
			seconds = s
		}
	}
	end := time.Now().Add(time.Duration(seconds * float64(time.Second)))
	x := uint64(1)
	for time.Now().Before(end) {
		for i := 0; i < 256; i++ {
			x = oneRound(x)
		}
	}
	fmt.Println(x)
}
