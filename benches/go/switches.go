package main

// Type switches of 2, 4, 8 and 16 cases, the book's own over scalar types, and one over interfaces.

//go:noinline
func switch1(from, n uint) uint64 {
	shift()
	spread(from, n, 16)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*16
		var r uint32
		switch v := valueAt(i).(type) {
		case T0:
			r = v.id + 1
		default:
			r = afterTheHit
		}
		s.sum += uint64(r)
	}
	return gathered()
}

//go:noinline
func switch2(from, n uint) uint64 {
	shift()
	spread(from, n, 16)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*16
		var r uint32
		switch v := valueAt(i).(type) {
		case T0:
			r = v.id + 1
		case T1:
			r = v.id + 2
		default:
			r = afterTheHit
		}
		s.sum += uint64(r)
	}
	return gathered()
}

//go:noinline
func switch4(from, n uint) uint64 {
	shift()
	spread(from, n, 16)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*16
		var r uint32
		switch v := valueAt(i).(type) {
		case T0:
			r = v.id + 1
		case T1:
			r = v.id + 2
		case T2:
			r = v.id + 3
		case T3:
			r = v.id + 4
		default:
			r = afterTheHit
		}
		s.sum += uint64(r)
	}
	return gathered()
}

//go:noinline
func switch8(from, n uint) uint64 {
	shift()
	spread(from, n, 16)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*16
		var r uint32
		switch v := valueAt(i).(type) {
		case T0:
			r = v.id + 1
		case T1:
			r = v.id + 2
		case T2:
			r = v.id + 3
		case T3:
			r = v.id + 4
		case T4:
			r = v.id + 5
		case T5:
			r = v.id + 6
		case T6:
			r = v.id + 7
		case T7:
			r = v.id + 8
		default:
			r = afterTheHit
		}
		s.sum += uint64(r)
	}
	return gathered()
}

//go:noinline
func switch16(from, n uint) uint64 {
	shift()
	spread(from, n, 16)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*16
		var r uint32
		switch v := valueAt(i).(type) {
		case T0:
			r = v.id + 1
		case T1:
			r = v.id + 2
		case T2:
			r = v.id + 3
		case T3:
			r = v.id + 4
		case T4:
			r = v.id + 5
		case T5:
			r = v.id + 6
		case T6:
			r = v.id + 7
		case T7:
			r = v.id + 8
		case T8:
			r = v.id + 9
		case T9:
			r = v.id + 10
		case T10:
			r = v.id + 11
		case T11:
			r = v.id + 12
		case T12:
			r = v.id + 13
		case T13:
			r = v.id + 14
		case T14:
			r = v.id + 15
		case T15:
			r = v.id + 16
		default:
			r = afterTheHit
		}
		s.sum += uint64(r)
	}
	return gathered()
}

//go:noinline
func scalarSmall(from, n uint) uint64 {
	shift()
	spread(from, n, 16)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*16
		var r uint32
		switch v := valueAt(i).(type) {
		case int8:
			r = uint32(v)
		case int16:
			r = uint32(v)
		default:
			r = v.(uint32)
		}
		s.sum += uint64(r)
	}
	return gathered()
}

//go:noinline
func scalarBig(from, n uint) uint64 {
	shift()
	spread(from, n, 16)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*16
		var r uint32
		switch v := valueAt(i).(type) {
		case int8:
			r = uint32(v)
		case int16:
			r = uint32(v)
		case int32:
			r = uint32(v)
		case int64:
			r = uint32(v)
		case uint8:
			r = uint32(v)
		case uint16:
			r = uint32(v)
		case uint64:
			r = uint32(v)
		default:
			r = v.(uint32)
		}
		s.sum += uint64(r)
	}
	return gathered()
}

//go:noinline
func scalarSmallCase(from, n uint) uint64 {
	shift()
	spread(from, n, 16)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*16
		var r uint32
		switch v := valueAt(i).(type) {
		case int8:
			r = uint32(v)
		case int16:
			r = uint32(v)
		case uint32:
			r = uint32(v)
		default:
			r = v.(uint32)
		}
		s.sum += uint64(r)
	}
	return gathered()
}

//go:noinline
func scalarBigCase(from, n uint) uint64 {
	shift()
	spread(from, n, 16)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*16
		var r uint32
		switch v := valueAt(i).(type) {
		case int8:
			r = uint32(v)
		case int16:
			r = uint32(v)
		case int32:
			r = uint32(v)
		case int64:
			r = uint32(v)
		case uint8:
			r = uint32(v)
		case uint16:
			r = uint32(v)
		case uint64:
			r = uint32(v)
		case uint32:
			r = uint32(v)
		default:
			r = v.(uint32)
		}
		s.sum += uint64(r)
	}
	return gathered()
}

// Three interfaces of one method each, and a type that has the third's.
type (
	// I0 is the first case.
	I0 interface{ Id0() uint32 }
	// I1 is the second.
	I1 interface{ Id1() uint32 }
	// I2 is the third.
	I2 interface{ Id2() uint32 }
	// Third is an I2.
	Third struct{ id uint32 }
)

//go:noinline
func (t *Third) Id2() uint32 { return t.id + 1 }

//go:noinline
func interfaceSwitch(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		var r uint32
		switch v := walkE[i%long].(type) {
		case I0:
			r = v.Id0()
		case I1:
			r = v.Id1()
		case I2:
			r = v.Id2()
		default:
			r = ^uint32(0)
		}
		sum += uint64(r)
	}
	return sum
}
