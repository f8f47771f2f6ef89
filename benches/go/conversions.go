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
func storeScalar(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		v := *walkScalar[i%short]
		sink = v
		sum += uint64(v)
	}
	return sum
}

//go:noinline
func convertStatic(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sinkE = uint64(42)
		sum += 42
	}
	return sum
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
func convertByte(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		v := uint8(*walkScalar[i%short])
		sinkE = v
		sum += uint64(v)
	}
	return sum
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
func convertPointer(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		p := walkT[i%short]
		sinkE = p
		sum += uint64(p.id)
	}
	return sum
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
func ifaceToEface(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sinkE = walkI[i%long]
		sum++
	}
	return sum
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
func assertEface(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64(walkE[i%long].(T0).id)
	}
	return sum
}

//go:noinline
func assertEfaceOk(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		v, _ := walkE[i%long].(T0)
		sum += uint64(v.id)
	}
	return sum
}

//go:noinline
func assertIface(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64(walkI[i%long].(V).id)
	}
	return sum
}

//go:noinline
func assertToInterface(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sinkI = walkE[i%long].(Ider)
		sum++
	}
	return sum
}

//go:noinline
func assertBetween(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sinkI = walkMather[i%short].(Ider)
		sum++
	}
	return sum
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
