// Fidelity runs loops that a Go compiler made, for `cargo bench --bench fidelity`.
//
//	fidelity time KERNEL CHUNKS   prints a line for each chunk: its cycles per iteration, its part of
//	                              the walk, and the cycles of four additions at a time beside it
//	fidelity step KERNEL          stops itself before it enters the kernel, to be single-stepped
//	fidelity list                 prints the names of the kernels
//
// Correct means: the kernel's sum is checked after every chunk, cycles are time stamps over those of
// a chain of known length beside the chunk, and nothing but the kernel stands between two stamps.
package main

import (
	"os"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"
)

// A kernel is a loop that visits elements from, from+1, ... of its walk and adds up the results.
type kernel struct {
	name string
	// fill lays out the walk; nil where there is none.
	fill func()
	// run is the loop itself.
	run func(from, n uint) uint64
	// want is what element i adds to the sum.
	want func(i uint) uint64
}

func ticks() uint64
func chain(turns uint64)
func width(turns uint64)

// The kernel runs on the thread that the process began with, whose number is the process's.
func init() { runtime.LockOSThread() }

func main() {
	if len(os.Args) == 2 && os.Args[1] == "list" {
		for _, k := range kernels {
			println(k.name)
		}
		return
	}
	if len(os.Args) < 3 {
		fail("usage: fidelity time KERNEL CHUNKS, or step KERNEL, or list")
	}
	for _, k := range kernels {
		if k.name != os.Args[2] {
			continue
		}
		if k.fill != nil {
			k.fill()
		}
		if os.Args[1] == "step" {
			step(k)
		} else {
			chunks, _ := strconv.Atoi(os.Args[3])
			measure(k, chunks)
		}
		return
	}
	fail("no kernel " + os.Args[2])
}

func fail(why string) {
	println(why)
	os.Exit(1)
}

// Iterations of a chunk: 20 to 120 microseconds.
const chunkLength = short

// segments is how many chunks a walk has: a walk that draws at random is gone through from end to
// end, chunk by chunk, all others fit one.
func segments(k kernel) uint {
	if isRandom {
		return long / chunkLength
	}
	return 1
}

func expected(k kernel, from, n uint) (sum uint64) {
	for i := from; i < from+n; i++ {
		sum += k.want(i)
	}
	return sum
}

const (
	chainTurns = 200
	widthTurns = 100
)

// calibrate gives the ticks of the chain, those of reading the clock taken off, and of the width.
func calibrate() (least, wide uint64) {
	least = ^uint64(0)
	a := ticks()
	width(widthTurns)
	wide = ticks() - a
	for i := 0; i < 2; i++ {
		a := ticks()
		chain(0)
		b := ticks()
		chain(chainTurns)
		c := ticks()
		if took := (c - b) - (b - a); took < least {
			least = took
		}
	}
	return least, wide
}

func measure(k kernel, chunks int) {
	count := segments(k)
	wants := make([]uint64, count)
	for s := range wants {
		wants[s] = expected(k, uint(s)*chunkLength, chunkLength)
	}
	took := make([]uint64, chunks)
	chains := make([]uint64, chunks+1)
	widths := make([]uint64, chunks+1)
	// Call-site caches are filled with one in 1024 of the calls that miss them; and predictors learn.
	for i := uint(0); i < 12; i++ {
		k.run(i%count*chunkLength, chunkLength)
	}
	chains[0], widths[0] = calibrate()
	for c := range took {
		from := uint(c) % count * chunkLength
		a := ticks()
		sum := k.run(from, chunkLength)
		b := ticks()
		if sum != wants[uint(c)%count] {
			fail("wrong sum")
		}
		took[c] = b - a
		chains[c+1], widths[c+1] = calibrate()
	}
	for c, t := range took {
		beside, wide := chains[c], widths[c]
		if chains[c+1] < beside {
			beside = chains[c+1]
		}
		if widths[c+1] > wide {
			wide = widths[c+1]
		}
		cycle := float64(beside) / (50 * chainTurns)
		os.Stdout.WriteString(decimal(float64(t)/cycle/chunkLength) + " " +
			strconv.Itoa(c%int(count)) + " " +
			decimal(float64(wide)/cycle/(25*widthTurns)) + "\n")
	}
}

func decimal(x float64) string { return strconv.FormatFloat(x, 'f', 4, 64) }

// Iterations to be single-stepped: all types of a walk come up equally often, and some more.
const stepped = 70

// loopAt is where the function begins that has a kernel's loop, where that is not the kernel itself.
var loopAt uintptr

// sayLoop is called by such a function where it is to loop no times.
//
//go:noinline
func sayLoop() {
	at, _, _, _ := runtime.Caller(1)
	loopAt = runtime.FuncForPC(at).Entry()
}

func step(k kernel) {
	for i := uint(0); i < 12; i++ {
		k.run(0, chunkLength)
	}
	if k.run(0, stepped) != expected(k, 0, stepped) {
		fail("wrong sum")
	}
	entry := **(**uint64)(unsafe.Pointer(&k.run))
	if k.run(0, 0); loopAt != 0 {
		entry = uint64(loopAt)
	}
	os.Stdout.WriteString(strconv.FormatUint(entry, 10) + "\n")
	pid := uintptr(os.Getpid())
	// A goroutine that has run for long is asked to make room at its next function; not in the kernel.
	runtime.Gosched()
	syscall.RawSyscall(syscall.SYS_KILL, pid, uintptr(syscall.SIGSTOP), 0)
	k.run(0, stepped)
}
