;! title    = "a constant becomes an interface value"
;! params   = { go = ["1.27", "1.19", "1.16", "1.15", "1.14", "1.13", "1.12", "1.11", "1.10"] }
;! result   = "eax"
;! expect   = 42
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Interface holding a scalar type"

; The compiler sees the value, and puts it into read-only data: the pointer is an address in the
; code. The write barrier's flag is tested all the same. The last load follows the pointer, for the result.

{% import "go/barrier.asm" as barriers %}
body:
        lea  rcx, ["type.uint64"]
        mov  ["main.Sink"], rcx
{{ barriers.store(none, "rsi", '["main.Sink" + 8]', "barrier", "esi") }}
        lea  rdx, ["main.statictmp_0"]
        mov  ["main.Sink" + 8], rdx
stored:
        mov  eax, [rdx]

{{ barriers.slow("rdx", '["main.Sink" + 8]', "barrier", 'lea  rdx, ["main.statictmp_0"]') }}

data "main.statictmp_0": dq 42
data "main.Sink": dq 0, 0
