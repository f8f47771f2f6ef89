package main

// Where code stands matters to the cycle, so the bench builds everything several times: each value
// of layout moves all loops by 11 bytes more, the size of a store of a constant to a global.
var pad [15]uint64

func shift() {
	if layout > 0 {
		pad[0] = 1
	}
	if layout > 1 {
		pad[1] = 1
	}
	if layout > 2 {
		pad[2] = 1
	}
	if layout > 3 {
		pad[3] = 1
	}
	if layout > 4 {
		pad[4] = 1
	}
	if layout > 5 {
		pad[5] = 1
	}
	if layout > 6 {
		pad[6] = 1
	}
	if layout > 7 {
		pad[7] = 1
	}
	if layout > 8 {
		pad[8] = 1
	}
	if layout > 9 {
		pad[9] = 1
	}
	if layout > 10 {
		pad[10] = 1
	}
	if layout > 11 {
		pad[11] = 1
	}
	if layout > 12 {
		pad[12] = 1
	}
	if layout > 13 {
		pad[13] = 1
	}
	if layout > 14 {
		pad[14] = 1
	}
}
