package main

import "unsafe"

// Elements of a walk whose order repeats, and of one that draws at random: a shorter random sequence
// is memorised by predictors. Both as dispatchlab's own walks.
const (
	short = 1 << 14
	long  = 1 << 18
)

// Objects that a walk visits.
const objects = 64

var (
	walkT        [short]*T
	walkV        [short]*V
	walkI        [long]Ider
	walkE        [long]any
	walkMather   [short]Mather
	walkAdd      [short]Adding
	walkCombo    [short]Composed
	walkF        [short]func() uint32
	walkPair     [short]Pair
	walkReceiver [short]Receiver
	walkScalar   [short]*uint32
	walkNumber   [long]*Number
	walkWide     [short]Wide
	walkCases    [short]any
	kinds, ids   [long]uint32
	isRandom     bool
	firstOfAll   []any
	lastCases    int
	afterTheHit  = uint32(1)
)

// random is splitmix64.
type random uint64

func (r *random) below(n uint64) uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return (z ^ z>>31) % n
}

// visit calls put with the number of each element and the object that it visits.
func visit(elements uint64, inOrder bool, count uint64, put func(element, object uint64)) {
	isRandom = !inOrder
	r := random(1)
	for e := uint64(0); e < elements; e++ {
		object := e % count
		if isRandom {
			object = r.below(count)
		}
		put(e, object)
	}
}

func id(i uint) uint64        { return uint64(i%objects) + 1 }
func idAndOne(i uint) uint64  { return uint64(i%objects) + 2 }
func idAndKind(i uint) uint64 { return uint64(ids[i]) + uint64(kinds[i]) + 1 }
func fortyTwo(uint) uint64    { return 42 }
func nothing(uint) uint64     { return 0 }

func fillT() {
	var all [objects]T
	visit(short, true, objects, func(e, o uint64) {
		all[o].id = uint32(o) + 1
		walkT[e] = &all[o]
	})
}

func fillV() {
	var all [objects]V
	visit(short, true, objects, func(e, o uint64) {
		all[o].id = uint32(o) + 1
		walkV[e] = &all[o]
	})
}

// fillI has the walk visit objects of so many types, which all are pointers.
func fillI(types uint64, inOrder bool) func() {
	return func() {
		count := uint64(objects)
		var all [objects]Ider
		for o := range all {
			all[o] = newPointer(uint64(o)%types, uint32(o)+1)
		}
		elements := uint64(short)
		if !inOrder {
			elements = long
		}
		visit(elements, inOrder, count, func(e, o uint64) {
			walkI[e] = all[o]
			ids[e], kinds[e] = uint32(o)+1, uint32(o%types)
		})
	}
}

func fillWith(make func(id uint32) Ider) func() {
	return func() {
		var all [objects]Ider
		for o := range all {
			all[o] = make(uint32(o) + 1)
		}
		visit(short, true, objects, func(e, o uint64) { walkI[e] = all[o] })
	}
}

// fillE has the walk visit values of so many types.
func fillE(types uint64, inOrder bool) func() {
	return func() {
		var all [objects]any
		for o := range all {
			all[o] = newValue(uint64(o)%types, uint32(o)+1)
		}
		elements := uint64(short)
		if !inOrder {
			elements = long
		}
		visit(elements, inOrder, objects, func(e, o uint64) {
			walkE[e] = all[o]
			ids[e], kinds[e] = uint32(o)+1, uint32(o%types)
		})
	}
}

// fillCase has it visit values of the one type among so many whose hash is the least, or the largest.
func fillCase(types uint64, largest bool) func() {
	return func() {
		chosen := uint64(0)
		for t := uint64(1); t < types; t++ {
			if (hashOf(newValue(t, 0)) > hashOf(newValue(chosen, 0))) == largest {
				chosen = t
			}
		}
		var all [objects]any
		for o := range all {
			all[o] = newValue(chosen, uint32(o)+1)
		}
		visit(short, true, objects, func(e, o uint64) {
			walkE[e] = all[o]
			ids[e], kinds[e] = uint32(o)+1, uint32(chosen)
		})
	}
}

// hashOf is the hash in a type's descriptor, which a type switch compares.
func hashOf(v any) uint32 {
	return *(*uint32)(unsafe.Add(*(*unsafe.Pointer)(unsafe.Pointer(&v)), 16))
}

func fillMather(of func(id uint32) Mather) func() {
	return func() {
		var all [objects]Mather
		for o := range all {
			all[o] = of(uint32(o) + 1)
		}
		visit(short, true, objects, func(e, o uint64) { walkMather[e] = all[o] })
	}
}

func fillAdd(of func(id uint32) Adding) func() {
	return func() {
		var all [objects]Adding
		for o := range all {
			all[o] = of(uint32(o) + 1)
		}
		visit(short, true, objects, func(e, o uint64) { walkAdd[e] = all[o] })
	}
}

func fillCombo() {
	var all [objects]Composed
	for o := range all {
		all[o] = &Calculator{uint32(o) + 1}
	}
	visit(short, true, objects, func(e, o uint64) { walkCombo[e] = all[o] })
}

func fillPair() {
	var all [objects]Pair
	for o := range all {
		all[o] = &P{uint32(o) + 1}
	}
	visit(short, true, objects, func(e, o uint64) { walkPair[e] = all[o] })
}

func fillReceiver() {
	var all [objects]Receiver
	for o := range all {
		if o%2 == 0 {
			all[o] = &R0{uint32(o) + 1}
		} else {
			all[o] = &R1{uint32(o) + 1}
		}
	}
	visit(short, true, objects, func(e, o uint64) {
		walkReceiver[e] = all[o]
		ids[e], kinds[e] = uint32(o)+1, uint32(o%2)
	})
}

// fillThird has the walk visit values of a type that is the third case of a switch over interfaces.
func fillThird() {
	var all [objects]any
	for o := range all {
		all[o] = &Third{uint32(o) + 1}
	}
	visit(short, true, objects, func(e, o uint64) { walkE[e] = all[o] })
}

func fillF(of func(id uint32) func() uint32) func() {
	return func() {
		var all [objects]func() uint32
		for o := range all {
			all[o] = of(uint32(o) + 1)
		}
		visit(short, true, objects, func(e, o uint64) { walkF[e] = all[o] })
	}
}

func fillScalar() {
	var all [objects]uint32
	visit(short, true, objects, func(e, o uint64) {
		all[o] = uint32(o) + 1
		walkScalar[e] = &all[o]
	})
}

// fillNumber has the walk visit objects of so many numbers.
func fillNumber(numbers uint64, inOrder bool) func() {
	return func() {
		var all [objects]Number
		for o := range all {
			number := uint32(uint64(o) % numbers)
			all[o] = Number{id: uint32(o) + 1, dense: number, sparse: 100 * number}
		}
		elements := uint64(short)
		if !inOrder {
			elements = long
		}
		visit(elements, inOrder, objects, func(e, o uint64) {
			walkNumber[e] = &all[o]
			ids[e], kinds[e] = uint32(o)+1, uint32(o%numbers)
		})
	}
}

func fillWide() {
	var all [objects]Of64
	visit(short, true, objects, func(e, o uint64) {
		all[o].id = uint32(o) + 1
		walkWide[e] = &all[o]
	})
}

func fillUint32() {
	var all [objects]any
	for o := range all {
		all[o] = uint32(o) + 1
	}
	visit(short, true, objects, func(e, o uint64) { walkE[e] = all[o] })
}

// A frame is the state of a loop that calls nothing. The compiler would keep it in registers, which a
// loop that calls cannot and dispatchlab's own does not: so it is in memory, four times, as there, and the
// loop takes one after the other. Elements are numbered by bytes, as addresses are.
type frame struct {
	at, end uintptr
	sum     uint64
	_       uint64
}

var frames [4]frame

func frameAt(f uintptr) *frame { return (*frame)(unsafe.Add(unsafe.Pointer(&frames), f)) }

// after is the frame behind one.
func after(f uintptr) uintptr { return (f + 32) & 96 }

func objectAt(at uintptr) *T      { return *(**T)(unsafe.Add(unsafe.Pointer(&walkT), at)) }
func valueAt(at uintptr) any      { return *(*any)(unsafe.Add(unsafe.Pointer(&walkE), at)) }
func iderAt(at uintptr) Ider      { return *(*Ider)(unsafe.Add(unsafe.Pointer(&walkI), at)) }
func matherAt(at uintptr) Mather  { return *(*Mather)(unsafe.Add(unsafe.Pointer(&walkMather), at)) }
func numberAt(at uintptr) *Number { return *(**Number)(unsafe.Add(unsafe.Pointer(&walkNumber), at)) }
func scalarAt(at uintptr) *uint32 { return *(**uint32)(unsafe.Add(unsafe.Pointer(&walkScalar), at)) }

// spread has frame k visit every fourth element from from+k on; elements have so many bytes.
//
//go:noinline
func spread(from, n, bytes uint) {
	for k := uint(0); k < 4; k++ {
		visits := (n + 3 - k) / 4
		frames[k] = frame{at: uintptr((from + k) * bytes), end: uintptr((from + k + 4*visits) * bytes)}
	}
}

// gathered is the sum over all frames.
//
//go:noinline
func gathered() uint64 {
	return frames[0].sum + frames[1].sum + frames[2].sum + frames[3].sum
}
