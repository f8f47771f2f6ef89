package main

// Sixteen types: a pointer of each is an Ider, and each is a case of a type switch.
type (
	T0  struct{ id uint32 }
	T1  struct{ id uint32 }
	T2  struct{ id uint32 }
	T3  struct{ id uint32 }
	T4  struct{ id uint32 }
	T5  struct{ id uint32 }
	T6  struct{ id uint32 }
	T7  struct{ id uint32 }
	T8  struct{ id uint32 }
	T9  struct{ id uint32 }
	T10 struct{ id uint32 }
	T11 struct{ id uint32 }
	T12 struct{ id uint32 }
	T13 struct{ id uint32 }
	T14 struct{ id uint32 }
	T15 struct{ id uint32 }
)

//go:noinline
func (t *T0) Id() uint32 { return t.id + 1 }

//go:noinline
func (t *T1) Id() uint32 { return t.id + 2 }

//go:noinline
func (t *T2) Id() uint32 { return t.id + 3 }

//go:noinline
func (t *T3) Id() uint32 { return t.id + 4 }

//go:noinline
func (t *T4) Id() uint32 { return t.id + 5 }

//go:noinline
func (t *T5) Id() uint32 { return t.id + 6 }

//go:noinline
func (t *T6) Id() uint32 { return t.id + 7 }

//go:noinline
func (t *T7) Id() uint32 { return t.id + 8 }

//go:noinline
func (t *T8) Id() uint32 { return t.id + 9 }

//go:noinline
func (t *T9) Id() uint32 { return t.id + 10 }

//go:noinline
func (t *T10) Id() uint32 { return t.id + 11 }

//go:noinline
func (t *T11) Id() uint32 { return t.id + 12 }

//go:noinline
func (t *T12) Id() uint32 { return t.id + 13 }

//go:noinline
func (t *T13) Id() uint32 { return t.id + 14 }

//go:noinline
func (t *T14) Id() uint32 { return t.id + 15 }

//go:noinline
func (t *T15) Id() uint32 { return t.id + 16 }

// An Ider is what the calls through an interface call.
type Ider interface{ Id() uint32 }

func newPointer(kind uint64, id uint32) Ider {
	switch kind {
	case 0:
		return &T0{id}
	case 1:
		return &T1{id}
	case 2:
		return &T2{id}
	case 3:
		return &T3{id}
	case 4:
		return &T4{id}
	case 5:
		return &T5{id}
	case 6:
		return &T6{id}
	case 7:
		return &T7{id}
	case 8:
		return &T8{id}
	case 9:
		return &T9{id}
	case 10:
		return &T10{id}
	case 11:
		return &T11{id}
	case 12:
		return &T12{id}
	case 13:
		return &T13{id}
	case 14:
		return &T14{id}
	case 15:
		return &T15{id}
	}
	panic("no such type")
}

func newValue(kind uint64, id uint32) any {
	switch kind {
	case 0:
		return T0{id}
	case 1:
		return T1{id}
	case 2:
		return T2{id}
	case 3:
		return T3{id}
	case 4:
		return T4{id}
	case 5:
		return T5{id}
	case 6:
		return T6{id}
	case 7:
		return T7{id}
	case 8:
		return T8{id}
	case 9:
		return T9{id}
	case 10:
		return T10{id}
	case 11:
		return T11{id}
	case 12:
		return T12{id}
	case 13:
		return T13{id}
	case 14:
		return T14{id}
	case 15:
		return T15{id}
	}
	panic("no such type")
}
