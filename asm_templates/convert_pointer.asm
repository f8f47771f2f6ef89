;! title    = "a pointer becomes an interface value"
;! heap     = "pointer"
;! types    = "main.T"
;! params   = { go = ["1.27", "1.19", "1.16", "1.15", "1.14", "1.13", "1.12", "1.11", "1.10"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Creating an interface"

; A pointer is the data word itself: two stores, and the write barrier's flag. The last load follows
; the pointer, for the result.

{% import "go/barrier.asm" as barriers %}
body:                                   ; rax = pointer
        lea  rcx, ["type.*main.T"]
        mov  ["main.Sink"], rcx
{{ barriers.store("rax", "rcx", '["main.Sink" + 8]', "barrier", "esi") }}
        mov  ["main.Sink" + 8], rax
stored:
        mov  eax, [rax]

{{ barriers.slow("rax", '["main.Sink" + 8]', "barrier") }}

data "type.*main.T": dq 8, 8
        dd hash("*main.T"), 0
        dq 0, 0, 0
data "main.Sink": dq 0, 0
