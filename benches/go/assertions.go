package main

// Assertions of what an interface holds, to types and to interfaces.

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

//go:noinline
func assertEfaceMiss(from, n uint) uint64 {
	shift()
	spread(from, n, 16)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*16
		v, _ := valueAt(i).(T1)
		s.sum += uint64(v.id)
	}
	return gathered()
}

//go:noinline
func assertIfaceMiss(from, n uint) uint64 {
	shift()
	spread(from, n, 16)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*16
		v, _ := iderAt(i).(W)
		s.sum += uint64(v.id)
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
