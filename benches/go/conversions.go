package main

// Conversions to interfaces, and assertions of what they hold. What is made goes to a global, where
// everybody could see it.

var (
	sinkE any
	sinkI Ider
	sink  uint32
	zero  uint32
	// Strings and wide values that are not zero.
	aString = "sixteen letters."
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
func convertString(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sinkE = aString
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
func assertEface(from, n uint) uint64 {
	shift()
	spread(from, n, 16)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*16
		s.sum += uint64(valueAt(i).(T0).id)
	}
	return gathered()
}

//go:noinline
func assertEfaceOk(from, n uint) uint64 {
	shift()
	spread(from, n, 16)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*16
		v, _ := valueAt(i).(T0)
		s.sum += uint64(v.id)
	}
	return gathered()
}

//go:noinline
func assertIface(from, n uint) uint64 {
	shift()
	spread(from, n, 16)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*16
		s.sum += uint64(iderAt(i).(V).id)
	}
	return gathered()
}

//go:noinline
func assertToInterface(from, n uint) uint64 {
	shift()
	spread(from, n, 16)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*16
		sinkI = valueAt(i).(Ider)
		s.sum++
	}
	return gathered()
}

//go:noinline
func assertBetween(from, n uint) uint64 {
	shift()
	spread(from, n, 16)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*16
		sinkI = matherAt(i).(Ider)
		s.sum++
	}
	return gathered()
}

// Both is a Mather that is an Ider, too.
type Both struct{ ByValue }

//go:noinline
func (b Both) Id() uint32 { return b.id }

func fillBoxedV() {
	var all [objects]any
	for o := range all {
		all[o] = V{uint32(o) + 1}
	}
	visit(short, true, objects, func(e, o uint64) { walkE[e] = all[o] })
}
