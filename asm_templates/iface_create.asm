;! title    = "creating an interface that holds a pointer: two words, without a call"
;! heap     = "iface"
;! types    = "main.id32"
;! methods  = ["Id"]
;! params   = { go = ["1.27", "1.26", "1.25", "1.19", "1.10"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Creating an interface"

; The itab was made when the program was built, so its address is a constant; the pointer is the data
; word as it is. Both are stored to a variable, `sink`, where the stores of pointers are guarded: while the
; collector marks, they go through the write barrier, which is off here. The id is read back through the
; variable: two loads that creating alone does not need.
;
; A value in place of the pointer has to be moved to the heap first.

{% import "go/barrier.asm" as barriers %}
body:                                   ; rbx = *id32; the itab that the harness loads is not used
        lea  rdx, ["go.itab.main.id32,main.I"]
        mov  ["main.sink"], rdx
{{ barriers.store("rbx", "rsi", '["main.sink" + 8]', "barrier", "esi") }}
        mov  ["main.sink" + 8], rbx
stored:
        mov  rax, ["main.sink" + 8]
        mov  eax, [rax]

func "main.(*id32).Id":
        mov  eax, [rax]
        ret

{{ barriers.slow("rbx", '["main.sink" + 8]', "barrier") }}

data "main.sink":
        dq   0, 0
