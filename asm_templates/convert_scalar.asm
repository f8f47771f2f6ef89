;! title    = "a scalar becomes an interface value"
;! heap     = "pointer"
;! types    = "main.T"
;! params   = { go = ["1.27", "1.19", "1.16", "1.15", "1.14", "1.13", "1.12", "1.11", "1.10"], bits = [32, 8, 16, 64], value = ["small", "large"], to = ["eface", "iface"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Interface holding a scalar type"

; An interface holds a pointer, so a scalar needs a place in memory. A byte has one already, in a
; table of the runtime. Since Go 1.15 so has every value under 256 (`value=small`), which
; runtime.convT32 and its like look at; up to Go 1.14 they allocate for all that is not zero. The value is
; the object's id, or 1000 more; the interface goes to a global variable, and the pointer in it is
; followed for the result, which is one load more than the conversion has.
;
; To an interface with methods (`to=iface`) the first word is an itab; the rest is the same, but that
; Go 1.10 and 1.11 have functions of their own for it. Go 1.10 passes the value's address, 1.11 the value, and both
; get the whole interface value back; since 1.12 only the pointer comes.

{% import "go/barrier.asm" as barriers %}
{% set word = "type.uint" ~ bits if to == "eface" else "go.itab.main.Num,main.Numberer" %}
{% macro load(into, from) %}
{%- if bits == 8 %}        movzx e{{ into }}x, byte [{{ from }}]
{%- elif bits == 16 %}        movzx e{{ into }}x, word [{{ from }}]
{%- else %}        mov  {{ "r" if bits == 64 else "e" }}{{ into }}x, [{{ from }}]
{%- endif %}
{%- endmacro %}
body:                                   ; rax = pointer to the value
{% if bits == 8 %}
        mov  eax, [rax]                 ; `uint8(x)`, whose other bytes go where it is used
{% else %}
{{ load("a", "rax") }}
{% endif %}
{% if value == "large" and bits > 8 %}
        add  eax, 1000
{% endif %}
{% if bits == 8 %}
        lea  rcx, ["{{ word }}"]
        mov  ["main.Sink"], rcx
{% if go_minor >= 15 %}
        movzx ecx, al
        lea  rdx, ["runtime.staticuint64s"]
        lea  rax, [rdx + rcx * 8]
{% else %}
        movzx eax, al
        lea  rdx, ["runtime.staticbytes"]
        add  rax, rdx
{% endif %}
{% elif abi == "register" %}
        call "runtime.convT{{ bits }}"
        lea  rcx, ["{{ word }}"]        ; type or itab
        mov  ["main.Sink"], rcx
{% else %}
{% set value_register = "ax" if bits == 16 else "eax" if bits == 32 else "rax" %}
{% if go_minor >= 12 %}
        mov  [rsp], {{ value_register }}
        call "runtime.convT{{ bits }}"
        mov  rax, [rsp + 8]
        lea  rcx, ["{{ word }}"]        ; type or itab
        mov  ["main.Sink"], rcx
{% elif go_minor == 11 %}
        mov  [rsp + 8], {{ value_register }}
        lea  rax, ["{{ word }}"]        ; type or itab
        mov  [rsp], rax
        call "runtime.convT2{{ "E" if to == "eface" else "I" }}{{ bits }}"
        mov  rcx, [rsp + 16]
        mov  rax, [rsp + 24]
        mov  ["main.Sink"], rcx
{% else %}
        mov  [rsp + 48], {{ value_register }}
        lea  rax, ["{{ word }}"]        ; type or itab
        mov  [rsp], rax
        lea  rax, [rsp + 48]
        mov  [rsp + 8], rax
        call "runtime.convT2{{ "E" if to == "eface" else "I" }}{{ bits }}"
        mov  rcx, [rsp + 16]
        mov  rax, [rsp + 24]
        mov  ["main.Sink"], rcx
{% endif %}
{% endif %}
{{ barriers.store(none if bits == 8 else "rax", "rdx", '["main.Sink" + 8]', "barrier") }}
        mov  ["main.Sink" + 8], rax
stored:
{{ load("a", "rax") }}
{% if value == "large" and bits > 8 %}
        sub  eax, 1000
{% endif %}

{{ barriers.slow("rax", '["main.Sink" + 8]', "barrier") }}

data "main.Sink": dq 0, 0
{% if to == "iface" %}
data "type.main.Num": dq {{ bits // 8 }}, 0
        dd hash("main.Num"), 0
        dq 0, 0, 0
data "go.itab.main.Num,main.Numberer": dq 0, "type.main.Num"
        dd hash("main.Num"), 0
        dq "main.(*Num).Id"
func "main.(*Num).Id":                  ; nobody calls it
        ud2
{% endif %}
