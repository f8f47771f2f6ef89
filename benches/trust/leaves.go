// Leaf functions that `import` takes out of this program, and loops around them that it times itself: `leaves NAME CHUNKS`
// prints nanoseconds a call, one line for each chunk.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

type Curve interface{ At(x int) int }

type Poly struct{ a, b, c, d int }

// At is called through its itab.
func (p *Poly) At(x int) int {
	sum := p.a
	for i := 0; i < 24; i++ {
		sum = sum*x + p.b
	}
	return sum
}

//go:noinline
func mixed(n int) int {
	for i := 0; i < 48; i++ {
		n = n*31 + i
	}
	return n
}

//go:noinline
func ones(n int) int {
	count := 0
	for rest := uint64(n) | 0xf0f0f0f0f0f0f0f0; rest != 0; rest &= rest - 1 {
		count++
	}
	return count
}

//go:noinline
func root(n int) int {
	x := n
	for i := 0; i < 8; i++ {
		x = (x + n/x) / 2
	}
	return x + 1000000
}

var curves = []Curve{&Poly{1, 0, 0, 0}}

var kept int

// Calls of a chunk: some 50 µs, of which most are not interrupted.
const calls = 1000

// Each call gets what the one before it gave, so that the loop around is hidden behind the function.
func chunk(name string, n int) int {
	curve := curves[0]
	switch name {
	case "mixed":
		for i := 0; i < calls; i++ {
			n = mixed(n)
		}
	case "ones":
		for i := 0; i < calls; i++ {
			n = ones(n)
		}
	case "root":
		for i := 0; i < calls; i++ {
			n = root(n)
		}
	case "At":
		for i := 0; i < calls; i++ {
			n = curve.At(n)
		}
	}
	return n
}

func main() {
	chunks, _ := strconv.Atoi(os.Args[2])
	kept = 1000003
	took := make([]time.Duration, chunks)
	for i := range took {
		started := time.Now()
		kept = chunk(os.Args[1], kept)
		took[i] = time.Since(started)
	}
	for _, one := range took {
		fmt.Println(float64(one.Nanoseconds()) / calls)
	}
}
