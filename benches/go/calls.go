package main

import "unsafe"

// Calls: of functions, of methods whose receiver's type is known, through interfaces, and of function
// values. Nothing that is called is inlined, but what the row says.

// T has an identity and pointer methods.
type T struct{ id uint32 }

//go:noinline
func (t *T) Id() uint32 { return t.id + 1 }

//go:noinline
func (t *T) Plain() uint32 { return t.id }

// V has value methods.
type V struct{ id uint32 }

//go:noinline
func (v V) Id() uint32 { return v.id + 1 }

//go:noinline
func (v V) Plain() uint32 { return v.id }

// U has a value method that is inlined into its wrapper and its method value.
type U struct{ id uint32 }

func (u U) Id() uint32 { return u.id + 1 }

//go:noinline
func idOf(t *T) uint32 { return t.id + 1 }

//go:noinline
func plainOf(t *T) uint32 { return t.id }

// W has the value of its method in the register that it comes in.
type W struct{ id uint32 }

//go:noinline
func (w W) Id() uint32 { return w.id }

// A Pair has two methods, of which one could be inlined if it were known.
type Pair interface {
	IdInline() uint32
	IdNoInline() uint32
}

// P is a Pair.
type P struct{ id uint32 }

// IdInline is inlined where the receiver's type is known.
func (p *P) IdInline() uint32 { return p.id }

//go:noinline
func (p *P) IdNoInline() uint32 { return p.id }

var (
	heldFunction = plainOf
	heldPointer  = (*T).Plain
	heldValue    = V.Plain
)

//go:noinline
func inline(from, n uint) uint64 {
	shift()
	spread(from, n, 8)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*8
		s.sum += uint64(objectAt(i).id + 1)
	}
	return gathered()
}

//go:noinline
func directCall(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64(idOf(walkT[i%short]))
	}
	return sum
}

//go:noinline
func ptrMethod(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64(walkT[i%short].Id())
	}
	return sum
}

//go:noinline
func valueMethod(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64(walkV[i%short].Id())
	}
	return sum
}

//go:noinline
func methodDirect(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64(walkT[i%short].Plain())
	}
	return sum
}

//go:noinline
func methodInline(from, n uint) uint64 {
	shift()
	spread(from, n, 8)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*8
		s.sum += uint64(objectAt(i).id)
	}
	return gathered()
}

//go:noinline
func methodIface(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64(walkPair[i%short].IdNoInline())
	}
	return sum
}

//go:noinline
func methodIfaceInline(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64(walkPair[i%short].IdInline())
	}
	return sum
}

//go:noinline
func receive(m Receiver) uint32 { return m.Add(1, 2) }

//go:noinline
func passIface(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64(receive(walkReceiver[i%short]))
	}
	return sum
}

// A Receiver is what an interface value is passed on for.
type Receiver interface {
	Add(a, b uint32) uint32
	Sub(a, b uint32) uint32
}

type (
	// R0 is one of two.
	R0 struct{ id uint32 }
	// R1 is the other.
	R1 struct{ id uint32 }
)

//go:noinline
func (r *R0) Add(a, b uint32) uint32 { return r.id + 1 }

//go:noinline
func (r *R1) Add(a, b uint32) uint32 { return r.id + 2 }

//go:noinline
func (r *R0) Sub(a, b uint32) uint32 { return 0 }

//go:noinline
func (r *R1) Sub(a, b uint32) uint32 { return 0 }

//go:noinline
func caller(t *T) uint32 { return leaf(t) }

//go:nosplit
//go:noinline
func unchecked(t *T) uint32 { return leaf(t) }

//go:nosplit
//go:noinline
func leaf(t *T) uint32 { return t.id }

//go:noinline
func prologue(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64(caller(walkT[i%short]))
	}
	return sum
}

//go:noinline
func prologueUnchecked(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64(unchecked(walkT[i%short]))
	}
	return sum
}

// All calls through an Ider: what the interface holds makes the difference.
//
//go:noinline
func itabCall(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64(walkI[i%long].Id())
	}
	return sum
}

// X and Y have a pointer method, in front of whose value stand two words: there a function value of ours has its code and
// its receiver. The one's is inlined into its method value, where the compiler does that.
type (
	X struct {
		_  [2]uint64
		id uint32
	}
	Y struct {
		_  [2]uint64
		id uint32
	}
)

func (x *X) Id() uint32 { return x.id + 1 }

//go:noinline
func (y *Y) Id() uint32 { return y.id + 1 }

//go:noinline
func smallPointerValue(id uint32) func() uint32 { return (&X{id: id}).Id }

//go:noinline
func pointerValue(id uint32) func() uint32 { return (&Y{id: id}).Id }

// A function that can be inlined, where a profile names the call.
func plainInline(t *T) uint32 { return t.id }

// The compiler does not know which function it holds.
var heldGuarded = plainInline

// The bench's profile names the call: seven lines below `func`.
//
//go:noinline
func funcGuard(from, n uint) uint64 {
	shift()
	spread(from, n, 8)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*8
		s.sum += uint64(heldGuarded(objectAt(i)))
	}
	return gathered()
}

// G has a method that can be inlined, where a profile names it.
type G struct{ id uint32 }

func (g *G) Id() uint32 { return g.id + 1 }

// The bench's profile names the call: seven lines below `func`.
//
//go:noinline
func guard(from, n uint) uint64 {
	shift()
	spread(from, n, 16)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*16
		s.sum += uint64(iderAt(i).Id())
	}
	return gathered()
}

//go:noinline
func funcValue(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64(heldFunction(walkT[i%short]))
	}
	return sum
}

//go:noinline
func funcValuePointer(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64(heldPointer(walkT[i%short]))
	}
	return sum
}

//go:noinline
func funcValueValue(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64(heldValue(*walkV[i%short]))
	}
	return sum
}

//go:noinline
func closure(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64(walkF[i%short]())
	}
	return sum
}

//go:noinline
func literal(id uint32) func() uint32 { return func() uint32 { return id + 1 } }

//go:noinline
func methodValue(id uint32) func() uint32 { return V{id}.Id }

//go:noinline
func smallMethodValue(id uint32) func() uint32 { return U{id}.Id }

// The generic function is compiled once for all pointers, and finds the method in its dictionary.
//
//go:noinline
func generic[P interface{ Plain() uint32 }](p P) uint32 { return p.Plain() }

//go:noinline
func dictionaryCall(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64(generic(walkT[i%short]))
	}
	return sum
}

//go:noinline
func dictionaryCallOfValue(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64(generic(*walkV[i%short]))
	}
	return sum
}

// The call in a loop of the generic function itself. It is no kernel, because it takes a dictionary, so that it says
// where it is.
//
//go:noinline
func genericLoop[P interface{ Plain() uint32 }](walk unsafe.Pointer, from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64((*(*P)(unsafe.Add(walk, i%short*8))).Plain())
	}
	if n == 0 {
		sayLoop()
	}
	return sum
}

//go:noinline
func genericLoopOfValues[P interface{ Plain() uint32 }](walk unsafe.Pointer, from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64((**(**P)(unsafe.Add(walk, i%short*8))).Plain())
	}
	if n == 0 {
		sayLoop()
	}
	return sum
}

//go:noinline
func dictionaryLoop(from, n uint) uint64 { return genericLoop[*T](unsafe.Pointer(&walkT), from, n) }

//go:noinline
func dictionaryLoopOfValues(from, n uint) uint64 {
	return genericLoopOfValues[V](unsafe.Pointer(&walkV), from, n)
}
