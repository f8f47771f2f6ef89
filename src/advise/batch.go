// The bits tell apart types of the hashes that were measured, main.T0 and so on. Yours have others: choose bits that
// tell those apart (dispatchlab itab PROGRAM lists them). With wrong ones all is called, and less of it in order.
const shift, slots, types = SHIFT, SLOTS, TYPES

// numbers has the number of each type at its bits; learn sets it, from one value of each.
var numbers [slots]uint8

func learn(examples ...I) {
	for i, x := range examples {
		numbers[bits(x)] = uint8(i)
	}
}

func bits(x I) uint32 {
	tab := *(**struct {
		_, _ uintptr
		hash uint32
	})(unsafe.Pointer(&x))
	return tab.hash >> shift % slots
}

func kind(x I) uint8 { return numbers[bits(x)] }

func callInOrder(batch *[BATCH]I) {
	var starts [types + 1]uint32
	var ordered [BATCH]I
	for _, x := range batch {
		starts[kind(x)+1]++
	}
	for i := 1; i < len(starts); i++ {
		starts[i] += starts[i-1]
	}
	for _, x := range batch {
		k := kind(x)
		ordered[starts[k]] = x
		starts[k]++
	}
	for _, x := range ordered {
		x.METHOD()
	}
}
