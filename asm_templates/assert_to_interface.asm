;! title    = "a type assertion to an interface, of an interface without methods"
;! heap     = "eface"
;! types    = "main.T{t}"
;! methods  = ["Id"]
;! params   = { go = ["1.27", "1.21", "1.19", "1.10", "1.9"], targets = 1, form = ["hit", "hit-ok", "miss-ok", "nil"], panics = false, cached = true, fills = false, order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Type assertions"

; The itab for type and interface has to be found. Up to Go 1.21 the runtime looks it up in a hash
; table of all itabs, in nested calls; up to 1.9 that is an array of chains. Since 1.22 each call site has a cache of its own, looked at
; inline. The runtime fills it with one in 1024 of the calls that miss it; here it is full from the start.
; `cached=false`: it stays empty. `fills=true`: the runtime has filled it before the first iteration, with
; up to 32 types, and by luck in the first call of each. A type without the methods is in table and cache too, with nothing
; for an itab; see assert_eface for `form` and `panics`. Each type descriptor has its number where Go
; has the offset of its name: with the id it makes the result, out of what the assertion gave.

{% import "go/barrier.asm" as barriers %}
{% set miss = panics or form in ["miss-ok", "nil"] %}
{% set ok = form != "hit" and not panics %}
{% if fills and go_minor >= 22 and not panics and targets <= 32 %}
setup:  cmp  byte ["main.filled"], 0
        jne  filled
        mov  qword [rsp + 64], 0
fill:   mov  rcx, [rsp + 64]
        lea  rdx, ["main.types"]
        mov  rbx, [rdx + rcx*8]
look:   mov  rdx, ["main..typeAssert.0"]
        mov  edi, [rbx + 16]            ; type.hash
seek:   and  rdi, [rdx]
        mov  r8, rdi
        shl  r8, 4
        mov  r9, [rdx + r8 + 8]
        cmp  rbx, r9
        je   known
        inc  rdi
        test r9, r9
        jne  seek
        mov  [rsp + 72], rbx
        lea  rax, ["main..typeAssert.0"]
        call "runtime.typeAssert"
        mov  rbx, [rsp + 72]
        jmp  look
known:  inc  qword [rsp + 64]
        cmp  qword [rsp + 64], {{ targets }}
        jb   fill
        mov  byte ["main.filled"], 1
filled:

data "main.filled": db 0
data "main.types":
{% for type in types %}
        dq "type.{{ type.name }}"
{% endfor %}
{% endif %}
body:                                   ; rax = type, rbx = data
{% if miss %}
        mov  [rsp + 64], rax
        mov  [rsp + 72], rbx
{% endif %}
{% if form == "nil" %}
        xor  eax, eax                   ; a nil interface
{% endif %}
{% if go_minor >= 22 %}
        test rax, rax
        je   nil
        mov  rdx, ["main..typeAssert.0"]
        mov  rsi, [rdx]                 ; mask of the cache
        mov  edi, [rax + 16]            ; type.hash
probe:  mov  r8, rdi
        and  rdi, rsi
        shl  rdi, 4
        mov  r9, [rdx + rdi + 8]        ; type of the entry
        cmp  rax, r9
site:   je   hit
        lea  rdi, [r8 + 1]
        test r9, r9
        jne  probe
        jmp  slow
hit:    mov  rdx, [rdx + rdi + 16]      ; its itab
{% elif abi == "register" %}
{% if ok %}
        mov  rcx, rbx
{% else %}
        mov  [rsp + 32], rbx
{% endif %}
        mov  rbx, rax
        lea  rax, ["type.main.I"]
site:   call "runtime.assertE2I{{ 2 if ok else "" }}"
        mov  rdx, rax
{% else %}
        mov  [rsp + 8], rax
        mov  [rsp + 16], rbx
        lea  rcx, ["type.main.I"]
        mov  [rsp], rcx
site:   call "runtime.assertE2I{{ 2 if ok else "" }}"
        mov  rdx, [rsp + 24]
{% if not miss %}
        mov  rbx, [rsp + 32]
{% endif %}
{% endif %}
found:
{% if miss %}
        test rdx, rdx
        jne  wrong
        mov  rcx, [rsp + 64]
        mov  rbx, [rsp + 72]
{% else %}
        mov  ["main.Sink"], rdx
{{ barriers.store("rbx", "rsi", '["main.Sink" + 8]', "wrong") }}
{% if abi == "register" and go_minor <= 21 and not ok %}
        mov  rbx, [rsp + 32]
{% endif %}
        mov  ["main.Sink" + 8], rbx
        mov  rcx, [rdx + 8]             ; itab._type
{% endif %}
        mov  eax, [rcx + 40]
        add  eax, [rbx]

func "main.elsewhere":
wrong:  ud2                             ; an itab where there is none, or a barrier that is never set
{% if go_minor >= 22 %}
slow:   mov  [rsp + 32], rbx
        mov  rbx, rax
        lea  rax, ["main..typeAssert.0"]
        call "runtime.typeAssert"
        mov  rdx, rax
        mov  rbx, [rsp + 32]
        jmp  found
{% if ok %}
nil:    xor  edx, edx
        jmp  found
{% else %}
nil:    lea  rax, ["type.main.I"]
        call "runtime.panicnildottype"
        nop
{% endif %}

data "main..typeAssert.0": dq "main.cache", "type.main.I"
        db {{ 1 if ok else 0 }}
data "main.cache":
{% if cached and not panics and not fills %}
{% set entries = site_cache(types | map(attribute="hash") | list) %}
        dq {{ entries | length - 1 }}
{% for entry in entries %}
        dq {{ 0 if entry is none else '"type.main.T%d"' | format(entry) }}, {{ 0 if entry is none or miss else '"go.itab.main.T%d,main.I"' | format(entry) }}
{% endfor %}
{% else %}
        dq 0, 0, 0
{% endif %}
{% if fills %}
func "runtime.cheaprand":               ; zero: each call fills the cache, not one in 1024
        xor  eax, eax
        ret
{% elif not cached %}
func "runtime.cheaprand":               ; as long as the runtime's, but never the one in 1024 that fills the cache
        mov  rax, 0xa0761d6478bd642f
        add  rax, ["runtime.cheaprandState"]
        mov  ["runtime.cheaprandState"], rax
        mov  rdx, 0xe7037ed1a0b428db
        xor  rdx, rax
        mul  rdx
        mov  eax, 1
        ret
{% endif %}
{% endif %}

{% for type in types %}
data "type.{{ type.name }}": dq 4, 0
        dd hash("{{ type.name }}"), 0
        dq 0, 0
        dd {{ type.index + 1 }}, 0
data "go.itab.{{ type.name }},main.I": dq "type.main.I", "type.{{ type.name }}"
{% if go_minor <= 9 %}
        dq 0                            ; itab.link, which the runtime's table sets
        dd hash("{{ type.name }}")
        db {{ 1 if miss else 0 }}, 0, 0, 0  ; itab.bad
{% else %}
        dd hash("{{ type.name }}"), 0
{% endif %}
        dq {{ 0 if miss else '"main.method"' }}
{% endfor %}
func "main.method":                     ; nobody calls it
        ud2
data "main.Sink": dq 0, 0

{% if (fills or not cached) and go_minor < 22 %}
;! note before Go 1.22 no call site has a cache
{% elif fills and targets > 32 %}
;! note the cache is filled while it is measured: of more than 32 types none is in it at first
{% elif panics and form in ["hit-ok", "miss-ok"] %}
;! note panics only without a second result: `form` is of no effect
{% endif %}
