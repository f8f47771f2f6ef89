;! title    = "a pointer stored to a global variable, with the write barrier off and on"
;! heap     = "pointer"
;! types    = "main.T"
;! params   = { go = ["1.27", "1.19", "1.10"], barrier = [false, true], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Interface holding a scalar type"

; While the collector marks, every store of a pointer to the heap tells it the old and the new one.
; The flag is tested at each such store, and since Go 1.21 the jump is taken where it is off; what it costs
; when it is set is the way to a buffer, which up
; to Go 1.20 also did the store, and since then only gives room. Here the buffer is never flushed. The
; last two instructions read the pointer back, for the result.

{% import "go/barrier.asm" as barriers %}
body:                                   ; rax = pointer
{{ barriers.store("rax", "rcx", '["main.Sink"]', "slow") }}
        mov  ["main.Sink"], rax
stored: mov  rax, ["main.Sink"]
        mov  eax, [rax]

{{ barriers.slow("rax", '["main.Sink"]', "slow") }}

data "runtime.writeBarrier": dd {{ 1 if barrier else 0 }}, 0, 0, 0
data "main.Sink": dq "main.first"
data "main.first": dd 0
