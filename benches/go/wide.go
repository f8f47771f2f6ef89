package main

// An interface of many methods, whose last one is called: it stands in another line of the itab than the first.

// A Wide has 64 methods.
type Wide interface {
	M00() uint32
	M01() uint32
	M02() uint32
	M03() uint32
	M04() uint32
	M05() uint32
	M06() uint32
	M07() uint32
	M08() uint32
	M09() uint32
	M10() uint32
	M11() uint32
	M12() uint32
	M13() uint32
	M14() uint32
	M15() uint32
	M16() uint32
	M17() uint32
	M18() uint32
	M19() uint32
	M20() uint32
	M21() uint32
	M22() uint32
	M23() uint32
	M24() uint32
	M25() uint32
	M26() uint32
	M27() uint32
	M28() uint32
	M29() uint32
	M30() uint32
	M31() uint32
	M32() uint32
	M33() uint32
	M34() uint32
	M35() uint32
	M36() uint32
	M37() uint32
	M38() uint32
	M39() uint32
	M40() uint32
	M41() uint32
	M42() uint32
	M43() uint32
	M44() uint32
	M45() uint32
	M46() uint32
	M47() uint32
	M48() uint32
	M49() uint32
	M50() uint32
	M51() uint32
	M52() uint32
	M53() uint32
	M54() uint32
	M55() uint32
	M56() uint32
	M57() uint32
	M58() uint32
	M59() uint32
	M60() uint32
	M61() uint32
	M62() uint32
	M63() uint32
}

// An Of64 is a Wide.
type Of64 struct{ id uint32 }

func (o *Of64) M00() uint32 { return 0 }
func (o *Of64) M01() uint32 { return 0 }
func (o *Of64) M02() uint32 { return 0 }
func (o *Of64) M03() uint32 { return 0 }
func (o *Of64) M04() uint32 { return 0 }
func (o *Of64) M05() uint32 { return 0 }
func (o *Of64) M06() uint32 { return 0 }
func (o *Of64) M07() uint32 { return 0 }
func (o *Of64) M08() uint32 { return 0 }
func (o *Of64) M09() uint32 { return 0 }
func (o *Of64) M10() uint32 { return 0 }
func (o *Of64) M11() uint32 { return 0 }
func (o *Of64) M12() uint32 { return 0 }
func (o *Of64) M13() uint32 { return 0 }
func (o *Of64) M14() uint32 { return 0 }
func (o *Of64) M15() uint32 { return 0 }
func (o *Of64) M16() uint32 { return 0 }
func (o *Of64) M17() uint32 { return 0 }
func (o *Of64) M18() uint32 { return 0 }
func (o *Of64) M19() uint32 { return 0 }
func (o *Of64) M20() uint32 { return 0 }
func (o *Of64) M21() uint32 { return 0 }
func (o *Of64) M22() uint32 { return 0 }
func (o *Of64) M23() uint32 { return 0 }
func (o *Of64) M24() uint32 { return 0 }
func (o *Of64) M25() uint32 { return 0 }
func (o *Of64) M26() uint32 { return 0 }
func (o *Of64) M27() uint32 { return 0 }
func (o *Of64) M28() uint32 { return 0 }
func (o *Of64) M29() uint32 { return 0 }
func (o *Of64) M30() uint32 { return 0 }
func (o *Of64) M31() uint32 { return 0 }
func (o *Of64) M32() uint32 { return 0 }
func (o *Of64) M33() uint32 { return 0 }
func (o *Of64) M34() uint32 { return 0 }
func (o *Of64) M35() uint32 { return 0 }
func (o *Of64) M36() uint32 { return 0 }
func (o *Of64) M37() uint32 { return 0 }
func (o *Of64) M38() uint32 { return 0 }
func (o *Of64) M39() uint32 { return 0 }
func (o *Of64) M40() uint32 { return 0 }
func (o *Of64) M41() uint32 { return 0 }
func (o *Of64) M42() uint32 { return 0 }
func (o *Of64) M43() uint32 { return 0 }
func (o *Of64) M44() uint32 { return 0 }
func (o *Of64) M45() uint32 { return 0 }
func (o *Of64) M46() uint32 { return 0 }
func (o *Of64) M47() uint32 { return 0 }
func (o *Of64) M48() uint32 { return 0 }
func (o *Of64) M49() uint32 { return 0 }
func (o *Of64) M50() uint32 { return 0 }
func (o *Of64) M51() uint32 { return 0 }
func (o *Of64) M52() uint32 { return 0 }
func (o *Of64) M53() uint32 { return 0 }
func (o *Of64) M54() uint32 { return 0 }
func (o *Of64) M55() uint32 { return 0 }
func (o *Of64) M56() uint32 { return 0 }
func (o *Of64) M57() uint32 { return 0 }
func (o *Of64) M58() uint32 { return 0 }
func (o *Of64) M59() uint32 { return 0 }
func (o *Of64) M60() uint32 { return 0 }
func (o *Of64) M61() uint32 { return 0 }
func (o *Of64) M62() uint32 { return 0 }

//go:noinline
func (o *Of64) M63() uint32 { return o.id + 1 }

//go:noinline
func lastOf64(from, n uint) (sum uint64) {
	shift()
	for i := from; i < from+n; i++ {
		sum += uint64(walkWide[i%short].M63())
	}
	return sum
}
