package main

// Where code stands matters to the cycle, so the bench builds everything several times: each value
// of layout moves all loops by 11 bytes more, the size of a store of a constant to a global.
var pad [4]uint64

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
}
