package main

// Conversions to interfaces. What is made goes to a global, where everybody could see it, and where a
// row reads it back, so does the kernel.

import "unsafe"

var (
	sinkE any
	sinkI Ider
	sinkT *T
	sink  uint32
	zero  uint32
)

//go:noinline
func storeScalar(from, n uint) uint64 {
	shift()
	spread(from, n, 8)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*8
		v := *scalarAt(i)
		sink = v
		s.sum += uint64(v)
	}
	return gathered()
}

//go:noinline
func convertStatic(from, n uint) uint64 {
	shift()
	spread(from, n, 1)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		s.at += 4
		sinkE = uint64(42)
		s.sum += 42
	}
	return gathered()
}

//go:noinline
func convertScalar(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		v := *walkScalar[i%short]
		sinkE = v
		sum += uint64(v)
	}
	return sum
}

//go:noinline
func convertByte(from, n uint) uint64 {
	shift()
	spread(from, n, 8)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*8
		v := uint8(*scalarAt(i))
		sinkE = v
		s.sum += uint64(v)
	}
	return gathered()
}

//go:noinline
func convertLarge(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		v := *walkScalar[i%short]
		sinkE = v + 1000
		sum += uint64(v)
	}
	return sum
}

//go:noinline
func convertPointer(from, n uint) uint64 {
	shift()
	spread(from, n, 8)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*8
		p := objectAt(i)
		sinkE = p
		s.sum += uint64(p.id)
	}
	return gathered()
}

//go:noinline
func convertZero(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sinkE = zero
		sum++
	}
	return sum
}

//go:noinline
func ifaceToEface(from, n uint) uint64 {
	shift()
	spread(from, n, 16)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*16
		sinkE = iderAt(i)
		s.sum++
	}
	return gathered()
}

//go:noinline
func escapeDirect(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		x := Adder{6754}
		sum += uint64(uint32(x.AddVal(10, 32)))
	}
	return sum
}

//go:noinline
func escapeValue(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		x := ByValue{6754}
		sum += uint64(uint32(Mather(x).Add(10, 32)))
	}
	return sum
}

// Named is a receiver of three words.
type Named struct {
	id   int32
	name string
}

//go:noinline
func (x Named) Add(a, b int32) int32 { return a + b }

var named = "adder"

//go:noinline
func escapeStructDirect(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		x := Named{6754, named}
		sum += uint64(uint32(x.Add(10, 32)))
	}
	return sum
}

//go:noinline
func escapeStructValue(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		x := Named{6754, named}
		sum += uint64(uint32(Adding(x).Add(10, 32)))
	}
	return sum
}

//go:noinline
func escapePointer(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64(uint32(Mather(&byValue).Add(10, 32)))
	}
	return sum
}

var byValue = ByValue{6754}

//go:noinline
func convertHalf(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		v := *(*uint16)(unsafe.Pointer(walkScalar[i%short]))
		sinkE = v
		sum += uint64(v)
	}
	return sum
}

//go:noinline
func convertWide(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		v := uint64(*walkScalar[i%short])
		sinkE = v
		sum += v
	}
	return sum
}

//go:noinline
func ifaceCreate(from, n uint) uint64 {
	shift()
	spread(from, n, 8)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*8
		sinkI = objectAt(i)
		s.sum += uint64((*T)(held(unsafe.Pointer(&sinkI))).id)
	}
	return gathered()
}

// held is the data word of an interface.
func held(i unsafe.Pointer) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Add(i, 8)) }

//go:noinline
func storePointer(from, n uint) uint64 {
	shift()
	spread(from, n, 8)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*8
		sinkT = objectAt(i)
		s.sum += uint64(sinkT.id)
	}
	return gathered()
}

// A value of one word, of which a walk has the address, and what of three words is made from it.
type (
	// Word is the first of them.
	Word struct{ id uint64 }
	// Mixed is a number and a string.
	Mixed struct {
		id   uint64
		text string
	}
	// Plain is three numbers.
	Plain struct{ id, address, size uint64 }
)

var (
	walkString [short]string
	walkSlice  [short][]byte
	walkMixed  [short]*Mixed
	walkPlain  [short]*Plain
)

func fillValues() {
	var words [objects]Word
	var mixed [objects]Mixed
	var plain [objects]Plain
	for o := range words {
		words[o].id = uint64(o) + 1
	}
	visit(short, true, objects, func(e, o uint64) {
		bytes := (*[8]byte)(unsafe.Pointer(&words[o]))[:]
		walkSlice[e] = bytes
		walkString[e] = *(*string)(unsafe.Pointer(&bytes))
		mixed[o] = Mixed{o + 1, walkString[e]}
		plain[o] = Plain{o + 1, 0, 8}
		walkMixed[e], walkPlain[e] = &mixed[o], &plain[o]
	})
}

// All of these hold a pointer to what begins with a number, or with the address of one.
//
//go:noinline
func convertString(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sinkE = walkString[i%short]
		sum += uint64(**(**uint32)(held(unsafe.Pointer(&sinkE))))
	}
	return sum
}

//go:noinline
func convertSlice(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sinkE = walkSlice[i%short]
		sum += uint64(**(**uint32)(held(unsafe.Pointer(&sinkE))))
	}
	return sum
}

//go:noinline
func convertStruct(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sinkE = *walkMixed[i%short]
		sum += uint64(*(*uint32)(held(unsafe.Pointer(&sinkE))))
	}
	return sum
}

//go:noinline
func convertPlain(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sinkE = *walkPlain[i%short]
		sum += uint64(*(*uint32)(held(unsafe.Pointer(&sinkE))))
	}
	return sum
}
