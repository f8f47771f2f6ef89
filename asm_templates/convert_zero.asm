;! title    = "a zero value becomes an interface value"
;! params   = { go = ["1.27", "1.19", "1.16", "1.15", "1.14", "1.13", "1.12", "1.11", "1.10"], kind = ["scalar", "string", "struct"] }
;! result   = "al"
;! expect   = 1
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Interface holding a scalar type"

; A zero value needs no memory of its own. A scalar's is the first entry of runtime.staticuint64s, up to
; Go 1.14 runtime.zeroVal, which an empty string still has; a struct without fields is runtime.zerobase,
; as the compiler knows. The result is whether the pointer is that address: three instructions more.

{% import "go/barrier.asm" as barriers %}
body:
{% if kind == "struct" %}
        lea  rcx, ["type.struct {}"]
        mov  ["main.Sink"], rcx
{% elif abi == "register" %}
{% if kind == "scalar" %}
        mov  eax, ["main.Zero"]
        call "runtime.convT32"
        lea  rcx, ["type.uint32"]
{% else %}
        mov  rax, ["main.Zero"]
        mov  rbx, ["main.Zero" + 8]
        call "runtime.convTstring"
        lea  rcx, ["type.string"]
{% endif %}
        mov  ["main.Sink"], rcx
{% else %}
{% if kind == "scalar" %}
        mov  eax, ["main.Zero"]
{% if go_minor >= 12 %}
        mov  [rsp], eax
        call "runtime.convT32"
        mov  rax, [rsp + 8]
        lea  rcx, ["type.uint32"]
{% elif go_minor == 11 %}
        mov  [rsp + 8], eax             ; the value itself; of a string still the address
        lea  rax, ["type.uint32"]
{% else %}
        mov  [rsp + 48], eax
        lea  rax, ["type.uint32"]
{% endif %}
{% else %}
        mov  rax, ["main.Zero"]
        mov  rcx, ["main.Zero" + 8]
{% if go_minor >= 12 %}
        mov  [rsp], rax
        mov  [rsp + 8], rcx
        call "runtime.convTstring"
        mov  rax, [rsp + 16]
        lea  rcx, ["type.string"]
{% else %}
        mov  [rsp + 48], rax
        mov  [rsp + 56], rcx
        lea  rax, ["type.string"]
{% endif %}
{% endif %}
{% if go_minor <= 11 %}
        mov  [rsp], rax
{% if go_minor == 10 or kind == "string" %}
        lea  rcx, [rsp + 48]
        mov  [rsp + 8], rcx
{% endif %}
        call "runtime.convT2E{{ "32" if kind == "scalar" else "string" }}"
        mov  rcx, [rsp + 16]
        mov  rax, [rsp + 24]
{% endif %}
        mov  ["main.Sink"], rcx
{% endif %}
{{ barriers.store(none if kind == "struct" else "rax", "rcx", '["main.Sink" + 8]', "barrier", "esi") }}
{% if kind == "struct" %}
        lea  rax, ["runtime.zerobase"]
{% endif %}
        mov  ["main.Sink" + 8], rax
stored:
{% if kind == "struct" %}
        lea  rcx, ["runtime.zerobase"]
{% elif kind == "scalar" and go_minor >= 15 %}
        lea  rcx, ["runtime.staticuint64s"]
{% else %}
        lea  rcx, ["runtime.zeroVal"]
{% endif %}
        cmp  rax, rcx
        sete al

{{ barriers.slow("rax", '["main.Sink" + 8]', "barrier", 'lea  rax, ["runtime.zerobase"]' if kind == "struct" else "") }}

data "main.Zero": dq 0, 0
data "main.Sink": dq 0, 0
