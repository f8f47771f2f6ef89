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

#define FOUR ADDQ R8, R8; ADDQ R9, R9; ADDQ R10, R10; ADDQ R11, R11
#define TWENTY FOUR; FOUR; FOUR; FOUR; FOUR

// func width(turns uint64)
// A hundred additions a turn, four of which can be carried out at a time: where it takes longer than
// before, something else is at work on the core.
TEXT ·width(SB), NOSPLIT, $0-8
	MOVQ turns+0(FP), CX
wide:
	TWENTY
	TWENTY
	TWENTY
	TWENTY
	TWENTY
	DECQ CX
	JNE  wide
	RET
