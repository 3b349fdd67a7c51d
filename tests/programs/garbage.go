// SPDX-License-Identifier: Apache-2.0

// garbage [SECONDS]: what Go does to a stack. Garbage collection, goroutines that are started and end
// all the time, stacks that grow, defer and recover, maps and channels, and C called from Go that calls
// Go again.
package main

/*
#include <stdint.h>
#include <stdlib.h>

extern uint64_t fromC(uint64_t);

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t inC(uint64_t x, int back)
{
	uint64_t values[512];

	for (int i = 0; i < 512; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		values[i] = x;
	}
	qsort(values, 512, sizeof(values[0]), compare);
	return back ? fromC(values[7]) : values[7];
}
*/
import "C"

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"
)

//export fromC
func fromC(x C.uint64_t) C.uint64_t {
	n := 0
	for i := 0; i < 100; i++ {
		n += len(strings.Repeat(strconv.FormatUint(uint64(x)+uint64(i), 10), 20))
	}
	return C.uint64_t(n)
}

type node struct {
	left, right *node
	name        string
}

func tree(depth int) *node {
	if depth == 0 {
		return &node{name: strconv.Itoa(depth)}
	}
	return &node{tree(depth - 1), tree(depth - 1), fmt.Sprint("n", depth)}
}

//go:noinline
func grow(depth int, fill [64]uint64) uint64 {
	if depth == 0 {
		return fill[3]
	}
	fill[depth&63]++
	return grow(depth-1, fill) + 1
}

func recovered(depth int) (n int) {
	defer func() {
		if recover() != nil {
			n = depth
		}
	}()
	if depth == 0 {
		panic("at the bottom")
	}
	n = recovered(depth-1) + 1
	panic(n)
}

func oneRound(seed int) int {
	words := map[string]int{}
	for i := 0; i < 2000; i++ {
		words[strconv.Itoa(i*seed%701)]++
	}
	keys := make([]string, 0, len(words))
	for key := range words {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	n := len(keys) + recovered(10) + int(grow(200, [64]uint64{}))
	for i := 0; i < 20; i++ {
		n += int(C.inC(C.uint64_t(n|1), C.int(i&1))) & 1
	}
	if tree(10).left == nil {
		return 0
	}
	return n
}

func main() {
	seconds := 60.0
	if len(os.Args) > 1 {
		if s, err := strconv.ParseFloat(os.Args[1], 64); err == nil {
			seconds = s
		}
	}
	end := time.Now().Add(time.Duration(seconds * float64(time.Second)))
	total := 0
	for seed := 1; time.Now().Before(end); seed++ {
		results := make(chan int)
		for i := 0; i < 8; i++ {
			go func(i int) { results <- oneRound(seed + i) }(i)
		}
		for i := 0; i < 8; i++ {
			total += <-results
		}
	}
	fmt.Println(total)
}
