package main

// Type switches of 2, 4, 8 and 16 cases, and the book's own over scalar types.

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
