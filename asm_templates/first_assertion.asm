;! title    = "the first assertion of a type to an interface: the runtime builds the itab"
;! heap     = "eface"
;! types    = "main.T{t}"
;! params   = { go = ["1.27", "1.21", "1.19", "1.10", "1.9"], targets = 1, width = { default = 1, min = 1, max = 64 }, others = { default = 0, min = 0, max = 8 }, first = true, order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Reconstructing an itab from an executable"

; Of a type and an interface that no code converts by name the compiler makes no itab. The first assertion looks for
; it in vain, takes the lock, looks again, and builds it: it walks through the methods of the interface and of the type,
; both sorted by name, stores where the code of each begins, and puts the itab into the table. Every later
; one finds it there (first=false), or since Go 1.22 in the cache of the call site, which here stays empty.
;
; The interface has `width` methods; the type has these, and behind each of them `others` more, which the walk passes over. The last
; method is called through the new itab, so that a wrong one gives a wrong result. So that each iteration is a
; first one, it ends with taking the itab out of the table, and giving its memory back: {{ 7 if go_minor <= 9 else 9 }} instructions, which
; no program has.

{% set letters = "abcdefgh" %}
{% set fun = 32 if go_minor <= 9 else 24 %}
setup:
        lea  rsi, ["main.offsets"]      ; of names, types and code: the linker's work
        lea  r8, ["runtime.types"]
        lea  r9, ["runtime.text"]
offset: mov  rax, [rsi]
        test rax, rax
        je   linked
        mov  rcx, [rsi + 8]
        mov  rdx, rcx
        sub  rdx, r8
        cmp  qword [rsi + 16], 0
        je   put
        mov  rdx, rcx
        sub  rdx, r9
put:    mov  [rax], edx
        add  rsi, 24
        jmp  offset
linked:
{% if not first %}
{% for type in types %}
{% if abi == "register" %}
        lea  rax, ["type.main.I"]
        lea  rbx, ["type.{{ type.name }}"]
        xor  ecx, ecx
        call "runtime.getitab"
{% else %}
        lea  rax, ["type.main.I"]
        mov  [rsp], rax
        lea  rax, ["type.{{ type.name }}"]
        mov  [rsp + 8], rax
        mov  byte [rsp + 16], 0
        call "runtime.getitab"
{% endif %}
{% endfor %}
{% endif %}

body:                                   ; rax = type, rbx = data
{% if first %}
        mov  [rsp + 72], rax
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
        je   hit
        lea  rdi, [r8 + 1]
        test r9, r9
        jne  probe
        mov  [rsp + 32], rbx
        mov  rbx, rax
        lea  rax, ["main..typeAssert.0"]
        call "runtime.typeAssert"
        mov  rdx, rax
        mov  rbx, [rsp + 32]
        jmp  found
hit:    mov  rdx, [rdx + rdi + 16]      ; its itab
found:  mov  rcx, [rdx + {{ fun + 8 * (width - 1) }}]            ; the last of itab.fun
        mov  rax, rbx
site:   call rcx
{% elif abi == "register" %}
        mov  [rsp + 32], rbx
        mov  rbx, rax
        lea  rax, ["type.main.I"]
        call "runtime.assertE2I"
        mov  rcx, [rax + {{ fun + 8 * (width - 1) }}]            ; the last of itab.fun
        mov  rax, [rsp + 32]
site:   call rcx
{% else %}
        mov  [rsp + 8], rax
        mov  [rsp + 16], rbx
        lea  rcx, ["type.main.I"]
        mov  [rsp], rcx
        call "runtime.assertE2I"
        mov  rax, [rsp + 24]
        mov  rcx, [rsp + 32]
        mov  rax, [rax + {{ fun + 8 * (width - 1) }}]            ; the last of itab.fun
        mov  [rsp], rcx
site:   call rax
        mov  eax, [rsp + 8]
{% endif %}
{% if first %}
        mov  rdx, [rsp + 72]            ; and as if it had never been
{% if go_minor <= 9 %}
        mov  rdx, [rdx + 32]            ; where the chain of this pair begins: see the type
        mov  rcx, [rdx]
        mov  rcx, [rcx + 16]            ; itab.link
        mov  [rdx], rcx
{% else %}
        mov  edx, [rdx + 16]
        xor  edx, ["type.main.I" + 16]
        and  edx, 511
        mov  rcx, ["runtime.itabTable"]
        mov  qword [rcx + rdx*8 + 16], 0
        dec  qword [rcx + 8]
{% endif %}
        mov  qword ["runtime.persistent"], 0
{% endif %}

{% if go_minor >= 22 %}
func "main.elsewhere":
nil:    lea  rax, ["type.main.I"]
        call "runtime.panicnildottype"
        nop

data "main..typeAssert.0": dq "main.cache", "type.main.I"
        db 0
data "main.cache": dq 0, 0, 0
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

{% for type in types %}
func "main.(*T{{ type.index }}).Last":
{% if abi == "register" %}
        mov  eax, [rax]
        add  eax, {{ type.index + 1 }}
{% else %}
        mov  rax, [rsp + 8]
        mov  eax, [rax]
        add  eax, {{ type.index + 1 }}
        mov  [rsp + 16], eax
{% endif %}
        ret
{% endfor %}
func "main.nobody":
        ud2

; A struct, and behind it what Go puts behind a type with methods: package, how many, how many of them other packages
; see, where they are; then name, type and code of each, the code for a pointer twice.
{% set count = width * (1 + others) %}
{% for type in types %}
data "type.{{ type.name }}": dq 4, 0
        dd {{ type.hash }}
        db {{ 1 + 4 }}, 4, 4, 25        ; type.tflag: named, and methods follow
{% if go_minor <= 9 %}
        dq 0, "runtime.hash" + {{ 8 * ((hash("main.I") + 17 * type.hash) % 4294967296 % 1009) }}
{% else %}
        dq 0, 0
{% endif %}
        dq 0
        dq "type..importpath.main.", 0, 0, 0
        dd 0
        dw {{ count }}, {{ count }}
        dd 16, 0
Methods: times {{ count }} dd 0, 0, 0, 0
{% endfor %}
data "type.main.I": dq 16, 16
        dd {{ hash("main.I") }}
        db 4, 8, 8, 20
        dq 0, 0, 0
        dq "type..importpath.main.", "type.main.I" + 80, {{ width }}, {{ width }}
M00:    times {{ width }} dd 0, 0
data "type..importpath.main.": db 0, {{ "4" if go_minor >= 17 else "0, 4" }}, "main"
data "type.func() uint32": dq 8, 8
        dd hash("func() uint32")
        db 0, 8, 8, 51
        dq 0, 0, 0
{% for k in range(width) %}
{% for extra in range(others + 1) %}
{% set own = "M%02d%s" | format(k, "" if extra == 0 else letters[extra - 1]) %}
data "type..namedata.{{ own }}.": db 1, {{ "" if go_minor >= 17 else "0, " }}{{ own | length }}, "{{ own }}"
{% endfor %}
{% endfor %}
data "runtime.firstmoduledata":
        dq   "runtime.types", "runtime.types" + 0x7fffffff   ; all data are behind its beginning
data "main.offsets":
{% for k in range(width) %}
        dq "type.main.I" + {{ 80 + 8 * k }}, "type..namedata.{{ "M%02d" | format(k) }}.", 0
        dq "type.main.I" + {{ 84 + 8 * k }}, "type.func() uint32", 0
{% endfor %}
{% for type in types %}
        dq "type.{{ type.name }}" + 80, "type..importpath.main.", 0
{% for k in range(width) %}
{% for extra in range(others + 1) %}
{% set at = 96 + 16 * (k * (others + 1) + extra) %}
        dq "type.{{ type.name }}" + {{ at }}, "type..namedata.{{ "M%02d%s" | format(k, "" if extra == 0 else letters[extra - 1]) }}.", 0
        dq "type.{{ type.name }}" + {{ at + 4 }}, "type.func() uint32", 0
        dq "type.{{ type.name }}" + {{ at + 8 }}, "{{ "main.(*T%d).Last" | format(type.index) if k == width - 1 and extra == 0 else "main.nobody" }}", 1
        dq "type.{{ type.name }}" + {{ at + 12 }}, "main.nobody", 1
{% endfor %}
{% endfor %}
{% endfor %}
        dq 0
