package main

// Switches over whole numbers: side by side, which become a table from eight on, and far apart, which are searched by halves.

// A Number has two values that a switch may look at: the one is small, the other a hundred times that.
type Number struct{ id, dense, sparse, _ uint32 }

//go:noinline
func numbers4(from, n uint) uint64 {
	shift()
	spread(from, n, 8)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*8
		o := numberAt(i)
		r := o.id
		switch o.dense {
		case 0:
			r += 1
		case 1:
			r += 2
		case 2:
			r += 3
		case 3:
			r += 4
		default:
			r = 0
		}
		s.sum += uint64(r)
	}
	return gathered()
}

//go:noinline
func numbers8(from, n uint) uint64 {
	shift()
	spread(from, n, 8)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*8
		o := numberAt(i)
		r := o.id
		switch o.dense {
		case 0:
			r += 1
		case 1:
			r += 2
		case 2:
			r += 3
		case 3:
			r += 4
		case 4:
			r += 5
		case 5:
			r += 6
		case 6:
			r += 7
		case 7:
			r += 8
		default:
			r = 0
		}
		s.sum += uint64(r)
	}
	return gathered()
}

//go:noinline
func numbers8Apart(from, n uint) uint64 {
	shift()
	spread(from, n, 8)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*8
		o := numberAt(i)
		r := o.id
		switch o.sparse {
		case 0:
			r += 1
		case 100:
			r += 2
		case 200:
			r += 3
		case 300:
			r += 4
		case 400:
			r += 5
		case 500:
			r += 6
		case 600:
			r += 7
		case 700:
			r += 8
		default:
			r = 0
		}
		s.sum += uint64(r)
	}
	return gathered()
}

//go:noinline
func numbers64(from, n uint) uint64 {
	shift()
	spread(from, n, 8)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*8
		o := numberAt(i)
		r := o.id
		switch o.dense {
		case 0:
			r += 1
		case 1:
			r += 2
		case 2:
			r += 3
		case 3:
			r += 4
		case 4:
			r += 5
		case 5:
			r += 6
		case 6:
			r += 7
		case 7:
			r += 8
		case 8:
			r += 9
		case 9:
			r += 10
		case 10:
			r += 11
		case 11:
			r += 12
		case 12:
			r += 13
		case 13:
			r += 14
		case 14:
			r += 15
		case 15:
			r += 16
		case 16:
			r += 17
		case 17:
			r += 18
		case 18:
			r += 19
		case 19:
			r += 20
		case 20:
			r += 21
		case 21:
			r += 22
		case 22:
			r += 23
		case 23:
			r += 24
		case 24:
			r += 25
		case 25:
			r += 26
		case 26:
			r += 27
		case 27:
			r += 28
		case 28:
			r += 29
		case 29:
			r += 30
		case 30:
			r += 31
		case 31:
			r += 32
		case 32:
			r += 33
		case 33:
			r += 34
		case 34:
			r += 35
		case 35:
			r += 36
		case 36:
			r += 37
		case 37:
			r += 38
		case 38:
			r += 39
		case 39:
			r += 40
		case 40:
			r += 41
		case 41:
			r += 42
		case 42:
			r += 43
		case 43:
			r += 44
		case 44:
			r += 45
		case 45:
			r += 46
		case 46:
			r += 47
		case 47:
			r += 48
		case 48:
			r += 49
		case 49:
			r += 50
		case 50:
			r += 51
		case 51:
			r += 52
		case 52:
			r += 53
		case 53:
			r += 54
		case 54:
			r += 55
		case 55:
			r += 56
		case 56:
			r += 57
		case 57:
			r += 58
		case 58:
			r += 59
		case 59:
			r += 60
		case 60:
			r += 61
		case 61:
			r += 62
		case 62:
			r += 63
		case 63:
			r += 64
		default:
			r = 0
		}
		s.sum += uint64(r)
	}
	return gathered()
}

//go:noinline
func numbers64Apart(from, n uint) uint64 {
	shift()
	spread(from, n, 8)
	for f := uintptr(0); frameAt(f).at != frameAt(f).end; f = after(f) {
		s := frameAt(f)
		i := s.at
		s.at = i + 4*8
		o := numberAt(i)
		r := o.id
		switch o.sparse {
		case 0:
			r += 1
		case 100:
			r += 2
		case 200:
			r += 3
		case 300:
			r += 4
		case 400:
			r += 5
		case 500:
			r += 6
		case 600:
			r += 7
		case 700:
			r += 8
		case 800:
			r += 9
		case 900:
			r += 10
		case 1000:
			r += 11
		case 1100:
			r += 12
		case 1200:
			r += 13
		case 1300:
			r += 14
		case 1400:
			r += 15
		case 1500:
			r += 16
		case 1600:
			r += 17
		case 1700:
			r += 18
		case 1800:
			r += 19
		case 1900:
			r += 20
		case 2000:
			r += 21
		case 2100:
			r += 22
		case 2200:
			r += 23
		case 2300:
			r += 24
		case 2400:
			r += 25
		case 2500:
			r += 26
		case 2600:
			r += 27
		case 2700:
			r += 28
		case 2800:
			r += 29
		case 2900:
			r += 30
		case 3000:
			r += 31
		case 3100:
			r += 32
		case 3200:
			r += 33
		case 3300:
			r += 34
		case 3400:
			r += 35
		case 3500:
			r += 36
		case 3600:
			r += 37
		case 3700:
			r += 38
		case 3800:
			r += 39
		case 3900:
			r += 40
		case 4000:
			r += 41
		case 4100:
			r += 42
		case 4200:
			r += 43
		case 4300:
			r += 44
		case 4400:
			r += 45
		case 4500:
			r += 46
		case 4600:
			r += 47
		case 4700:
			r += 48
		case 4800:
			r += 49
		case 4900:
			r += 50
		case 5000:
			r += 51
		case 5100:
			r += 52
		case 5200:
			r += 53
		case 5300:
			r += 54
		case 5400:
			r += 55
		case 5500:
			r += 56
		case 5600:
			r += 57
		case 5700:
			r += 58
		case 5800:
			r += 59
		case 5900:
			r += 60
		case 6000:
			r += 61
		case 6100:
			r += 62
		case 6200:
			r += 63
		case 6300:
			r += 64
		default:
			r = 0
		}
		s.sum += uint64(r)
	}
	return gathered()
}
