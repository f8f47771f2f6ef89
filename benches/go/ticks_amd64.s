#include "textflag.h"

// func ticks() uint64
// The time stamp counter, not reordered with what stands around it.
TEXT ·ticks(SB), NOSPLIT, $0-8
	LFENCE
	RDTSC
	LFENCE
	SHLQ $32, DX
	ORQ  DX, AX
	MOVQ AX, ret+0(FP)
	RET

#define TEN ADDQ R8, R8; ADDQ R8, R8; ADDQ R8, R8; ADDQ R8, R8; ADDQ R8, R8; ADDQ R8, R8; ADDQ R8, R8; ADDQ R8, R8; ADDQ R8, R8; ADDQ R8, R8

// func chain(turns uint64)
// Fifty dependent additions a turn: one core cycle each, as in src/link/kernel.rs.
TEXT ·chain(SB), NOSPLIT, $0-8
	MOVQ  turns+0(FP), CX
	TESTQ CX, CX
	JEQ   done
turn:
	TEN
	TEN
	TEN
	TEN
	TEN
	DECQ CX
	JNE  turn
done:
	RET
