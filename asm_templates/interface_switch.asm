;! title    = "type switch over interfaces: a call of the runtime for each, or since Go 1.22 a cache at each such switch"
;! heap     = "eface"
;! types    = "main.T{t}"
;! params   = { go = ["1.27", "1.26", "1.25", "1.22", "1.21", "1.19"], targets = 1, cache = ["full", "filled", "empty"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "beyond go-internals: switches over interfaces"

; Whether a type has an interface's methods cannot be read off its hash, so that before Go 1.22 each case
; was a call of the runtime. Since then a run of such cases shares a cache: a table of a power of two of
; slots, each with a type, the case that it belongs to and the itab to call through, found by the type's hash and
; from there one after the other. The runtime fills it with one in 1024 of the calls that miss it;
; here it is full from the start (cache=full), the runtime has filled it before the first iteration, with
; up to 32 types, and by luck in the first call of each (cache=filled), or it stays empty (cache=empty).
;
; The switch has three cases, and type t belongs to the third, second or first in turn: the first type
; has the longest way. Each case calls the one method of its interface.

{% set entries = site_cache(types | map(attribute="hash") | list) %}
{% set has_cache = go_minor >= 22 %}
{% if has_cache and cache == "filled" and targets <= 32 %}
setup:  cmp  byte ["main.filled"], 0
        jne  filled
        mov  qword [rsp + 64], 0
fill:   mov  rcx, [rsp + 64]
        lea  rdx, ["main.types"]
        mov  rbx, [rdx + rcx*8]
look:   mov  rdx, ["main..interfaceSwitch.0"]
        mov  edi, [rbx + 16]            ; type.hash
seek:   and  rdi, [rdx]
        lea  r8, [rdi + rdi*2]
        mov  r9, [rdx + r8*8 + 8]
        cmp  rbx, r9
        je   known
        inc  rdi
        test r9, r9
        jne  seek
        mov  [rsp + 72], rbx
        lea  rax, ["main..interfaceSwitch.0"]
        call "runtime.interfaceSwitch"
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
        dq   "type.{{ type.name }}"
{% endfor %}
{% endif %}
body:                                   ; rax = type, rbx = data
        test rax, rax
        je   default
{% if has_cache %}
        mov  esi, [rax + 16]            ; _type.hash
        mov  rdi, ["main..interfaceSwitch.0"]
        mov  r8, [rdi]                  ; the mask
        jmp  probe
next:   lea  rsi, [r9 + 1]
probe:  mov  r9, rsi
        and  rsi, r8
        lea  rsi, [rsi + rsi*2]         ; a slot has three words
        mov  r10, [rdi + rsi*8 + 8]     ; its type
        cmp  rax, r10
        je   found
        test r10, r10
        jne  next
        mov  [rsp + 32], rbx
        mov  rbx, rax
        lea  rax, ["main..interfaceSwitch.0"]
        call "runtime.interfaceSwitch"
        mov  r8, rax                    ; case
        mov  rdx, rbx                   ; and itab
        mov  rbx, [rsp + 32]
        jmp  decide
found:  mov  r8, [rdi + rsi*8 + 16]     ; its case
        mov  rdx, [rdi + rsi*8 + 24]    ; its itab
decide: test r8, r8
        je   case0
        cmp  r8, 1
        je   case1
        cmp  r8, 2
        jne  default
{% else %}
        mov  [rsp + 56], rbx            ; data
        mov  [rsp + 40], rax            ; type
        mov  rcx, rbx
        mov  rbx, rax
        lea  rax, ["type.main.I0"]
        call "runtime.assertE2I2"       ; itab and data, or zero
        mov  rdx, rax
        test rax, rax
        jne  case0
        lea  rax, ["type.main.I1"]
        mov  rbx, [rsp + 40]
        mov  rcx, [rsp + 56]
        call "runtime.assertE2I2"
        mov  rdx, rax
        test rax, rax
        jne  case1
        lea  rax, ["type.main.I2"]
        mov  rbx, [rsp + 40]
        mov  rcx, [rsp + 56]
        call "runtime.assertE2I2"
        mov  rdx, rax
        test rax, rax
        je   default
{% endif %}
        mov  rcx, [rdx + 24]            ; case I2
        mov  rax, rbx
site:   call rcx
        jmp  done
case1:  mov  rcx, [rdx + 24]
        mov  rax, rbx
        call rcx
        jmp  done
case0:  mov  rcx, [rdx + 24]
        mov  rax, rbx
        call rcx
        jmp  done
default:
        mov  eax, -1
done:

{% for type in types %}
func "main.(*T{{ type.index }}).Id":
        mov  eax, [rax]
        add  eax, {{ type.index + 1 }}
        ret
{% endfor %}

{% if has_cache %}
data "main..interfaceSwitch.0":
        dq   "main.cache", 3, "type.main.I0", "type.main.I1", "type.main.I2"
data "main.cache":
{% if cache == "full" %}
        dq   {{ entries | length - 1 }}
{% for entry in entries %}
{% if entry is none %}
        dq   0, 0, 0
{% else %}
        dq   "type.main.T{{ entry }}", {{ 2 - entry % 3 }}, "go.itab.main.T{{ entry }},main.I{{ 2 - entry % 3 }}"
{% endif %}
{% endfor %}
{% else %}
        dq   0, 0, 0, 0
{% endif %}
{% if cache == "filled" %}
func "runtime.cheaprand":               ; zero: each call fills the cache, not one in 1024
        xor  eax, eax
        ret
{% elif cache == "empty" %}
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
{% for case in range(3) %}
data "type.main.I{{ case }}":
        dq   16, 16
        dd   hash("main.I{{ case }}"), 0
        dq   0, 0, 0
        dq   0, 0, 1, 1                 ; package, methods
        dq   0
{% endfor %}
{% for type in types %}
{% for case in range(3) %}
data "go.itab.main.T{{ type.index }},main.I{{ case }}":
        dq   "type.main.I{{ case }}", "type.main.T{{ type.index }}", {{ type.hash }}, {{ '"main.(*T%d).Id"' | format(type.index) if case == 2 - type.index % 3 else 0 }}
{% endfor %}
{% endfor %}

{% if cache != "full" and go_minor < 22 %}
;! note before Go 1.22 no switch has a cache
{% elif cache == "filled" and targets > 32 %}
;! note the cache is filled while it is measured: of more than 32 types none is in it at first
{% endif %}
