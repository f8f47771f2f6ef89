package main

// Add(10, 32), called in all ways that the compiler knows, and through interfaces.

// An Adder has a method of either kind.
type Adder struct{ id uint32 }

var adder = Adder{6754}

//go:noinline
func Add(a, b int32) int32 { return a + b }

//go:noinline
func add(a, b int32) (int32, bool) { return a + b, true }

// Nobody calls it; that it is called keeps the compiler from choosing without a branch.
//
//go:noinline
func refuse() int32 { return -1 }

//go:noinline
func (x *Adder) AddPtr(a, b int32) int32 { return a + b }

//go:noinline
func (x Adder) AddVal(a, b int32) int32 { return a + b }

//go:noinline
func addFunction(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64(uint32(Add(10, 32)))
	}
	return sum
}

//go:noinline
func addTwoResults(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		r, ok := add(10, 32)
		if !ok {
			r = refuse()
		}
		sum += uint64(uint32(r))
	}
	return sum
}

//go:noinline
func addPointer(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64(uint32(adder.AddPtr(10, 32)))
	}
	return sum
}

//go:noinline
func addInferred(from, n uint) (sum uint64) {
	shift()
	x := Adder{6754}
	for i := from; i < from+n; i++ {
		sum += uint64(uint32(x.AddVal(10, 32)))
	}
	return sum
}

//go:noinline
func addDeref(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64(uint32((&adder).AddVal(10, 32)))
	}
	return sum
}

// A Mather is the book's interface.
type Mather interface {
	Add(a, b int32) int32
	Sub(a, b int64) int64
}

// ByValue is a Mather with value methods, ByPointer one with pointer methods.
type (
	ByValue   struct{ id uint32 }
	ByPointer struct{ id uint32 }
)

// Small has value methods that are inlined into their wrappers.
type Small struct{ id uint32 }

func (x Small) Add(a, b int32) int32 { return a + b }
func (x Small) Sub(a, b int64) int64 { return a - b }

//go:noinline
func (x ByValue) Add(a, b int32) int32 { return a + b }

//go:noinline
func (x ByValue) Sub(a, b int64) int64 { return a - b }

//go:noinline
func (x *ByPointer) Add(a, b int32) int32 { return a + b }

//go:noinline
func (x *ByPointer) Sub(a, b int64) int64 { return a - b }

// Texted and SmallTexted have three words, which the wrapper copies for the one and not for the other.
type (
	Texted struct {
		id  uint32
		str string
	}
	SmallTexted Texted
)

//go:noinline
func (x Texted) Add(a, b int32) int32 { return a + b }

//go:noinline
func (x Texted) Sub(a, b int64) int64 { return a - b }

func (x SmallTexted) Add(a, b int32) int32 { return a + b }

func (x SmallTexted) Sub(a, b int64) int64 { return a - b }

//go:noinline
func ifaceAdd(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64(uint32(walkMather[i%short].Add(10, 32)))
	}
	return sum
}

//go:noinline
func ifaceSub(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64(walkMather[i%short].Sub(52, 10))
	}
	return sum
}

// Composed has the methods of two interfaces.
type (
	Adding      interface{ Add(a, b int32) int32 }
	Subtracting interface{ Sub(a, b int32) int32 }
	Composed    interface {
		Adding
		Subtracting
	}
	Calculator struct{ id uint32 }
)

//go:noinline
func (c *Calculator) Add(a, b int32) int32 { return a + b }

//go:noinline
func (c *Calculator) Sub(a, b int32) int32 { return a - b }

//go:noinline
func composition(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64(uint32(walkCombo[i%short].Sub(52, 10)))
	}
	return sum
}

// What a struct embeds lends it its methods.
type (
	EmbedsPointer struct {
		id uint64
		*Calculator
	}
	EmbedsValue struct {
		id uint64
		Calculator
	}
	EmbedsInterface struct {
		id uint64
		Adding
	}
	EmbedsDirect struct{ *Calculator }
)

//go:noinline
func promoted(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64(uint32(walkAdd[i%short].Add(10, 32)))
	}
	return sum
}
