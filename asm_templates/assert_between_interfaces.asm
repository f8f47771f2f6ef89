;! title    = "a type assertion to an interface, of another interface with methods"
;! heap     = "iface"
;! types    = "main.T{t}"
;! methods  = ["Id"]
;! params   = { go = ["1.27", "1.21", "1.19", "1.10", "1.9"], targets = 1, form = ["hit", "hit-ok", "miss-ok", "nil"], panics = false, cached = true, order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Type assertions"

; As of an interface without methods, but the type is taken from the itab first. See
; assert_to_interface for both ways, `form`, `panics` and `cached`.

{% import "go/barrier.asm" as barriers %}
{% set miss = panics or form in ["miss-ok", "nil"] %}
{% set ok = form != "hit" and not panics %}
body:                                   ; rax = itab, rbx = data
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
        mov  r10, [rax + 8]              ; itab._type
        mov  rdx, ["main..typeAssert.0"]
        mov  rsi, [rdx]                 ; mask of the cache
        mov  edi, [rax + 16]            ; itab.hash
probe:  mov  r8, rdi
        and  rdi, rsi
        shl  rdi, 4
        mov  r9, [rdx + rdi + 8]        ; type of the entry
        cmp  r10, r9
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
        lea  rax, ["type.main.J"]
site:   call "runtime.assertI2I{{ 2 if ok else "" }}"
        mov  rdx, rax
{% else %}
        mov  [rsp + 8], rax
        mov  [rsp + 16], rbx
        lea  rcx, ["type.main.J"]
        mov  [rsp], rcx
site:   call "runtime.assertI2I{{ 2 if ok else "" }}"
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
        mov  rcx, [rcx + 8]             ; itab._type
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
        mov  rbx, r10
        lea  rax, ["main..typeAssert.0"]
        call "runtime.typeAssert"
        mov  rdx, rax
        mov  rbx, [rsp + 32]
        jmp  found
{% if ok %}
nil:    xor  edx, edx
        jmp  found
{% else %}
nil:    lea  rax, ["type.main.J"]
        call "runtime.panicnildottype"
        nop
{% endif %}

data "main..typeAssert.0": dq "main.cache", "type.main.J"
        db {{ 1 if ok else 0 }}
data "main.cache":
{% if cached and not panics %}
{% set entries = site_cache(types | map(attribute="hash") | list) %}
        dq {{ entries | length - 1 }}
{% for entry in entries %}
        dq {{ 0 if entry is none else '"type.main.T%d"' | format(entry) }}, {{ 0 if entry is none or miss else '"go.itab.main.T%d,main.J"' | format(entry) }}
{% endfor %}
{% else %}
        dq 0, 0, 0
{% endif %}
{% if not cached %}
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
data "go.itab.{{ type.name }},main.J": dq "type.main.J", "type.{{ type.name }}"
{% if go_minor <= 9 %}
        dq 0                            ; itab.link, which the runtime's table sets
        dd hash("{{ type.name }}")
        db {{ 1 if miss else 0 }}, 0, 0, 0  ; itab.bad
{% else %}
        dd hash("{{ type.name }}"), 0
{% endif %}
        dq {{ 0 if miss else '"main.method"' }}
func "main.(*T{{ type.index }}).Id":    ; nobody calls it
        ud2
{% endfor %}
data "type.main.J": dq 16, 16
        dd hash("main.J"), 0
        dq 0, 0, 0
        dq 0, 0, 1, 1                   ; package, methods
Name:   dq 0
func "main.method":                     ; nobody calls it
        ud2
data "main.Sink": dq 0, 0

{% if not cached and go_minor < 22 %}
;! note before Go 1.22 no call site has a cache
{% elif panics and form in ["hit-ok", "miss-ok"] %}
;! note panics only without a second result: `form` is of no effect
{% endif %}
