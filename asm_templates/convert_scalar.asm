;! title    = "a scalar becomes an interface value"
;! heap     = "pointer"
;! types    = "main.T"
;! params   = { go = ["1.27", "1.19", "1.15", "1.12", "1.10"], bits = [32, 8, 16, 64], value = ["small", "large"], to = ["eface", "iface"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Interface holding a scalar type"
;! book     = [
;!   { row = "go=1.10", section = "II Escape and conversion", count = [52, 8], published = [
;!     { source = "go-internals II, Interface holding a scalar type", metric = "ns", value = 12.3 },
;!     { source = "go-internals II, Interface holding a scalar type", metric = "allocs", value = 1 },
;!     { source = "go-internals II, Interface holding a scalar type", metric = "alloc_bytes", value = 4 },
;!   ],
;!     today = "The modelled allocation is a cursor that moves on; Go's executes some eighty instructions more, and its collector runs beside it." },
;!   { row = "bits=8,go=1.10", section = "II Escape and conversion", count = [11, 1], published = [
;!     { source = "go-internals II, Interface holding a scalar type", metric = "ns", value = 0.88 },
;!     { source = "go-internals II, Interface holding a scalar type", metric = "allocs", value = 0 },
;!   ] },
;!   { row = "bits=16,go=1.10", section = "II Escape and conversion", count = [52, 8] },
;!   { row = "bits=64,go=1.10", section = "II Escape and conversion", count = [52, 8] },
;!   { row = "go=1.10,to=iface", section = "II Escape and conversion", count = [53, 8] },
;!   { row = "bits=16,go=1.10,to=iface", section = "II Escape and conversion", count = [53, 8] },
;!   { row = "bits=64,go=1.10,to=iface", section = "II Escape and conversion", count = [53, 8] },
;!   { row = "go=1.12", section = "II Escape and conversion", count = [44, 8], today = "Go 1.12 passes the value itself and gets the pointer; for all but zero it still allocates." },
;!   { row = "go=1.15", section = "II Escape and conversion", count = [25, 5] },
;!   { row = "", section = "II Escape and conversion", count = [22, 6],
;!     today = "Since Go 1.15 values under 256 come out of a table, whatever their width: no allocation where Go 1.10 makes one." },
;!   { row = "go=1.19", section = "II Escape and conversion", count = [23, 6] },
;!   { row = "bits=8", section = "II Escape and conversion", count = [10, 1] },
;!   { row = "bits=16", section = "II Escape and conversion", count = [22, 6] },
;!   { row = "bits=64", section = "II Escape and conversion", count = [21, 6] },
;!   { row = "value=large", section = "II Escape and conversion", count = [38, 8] },
;!   { row = "bits=16,value=large", section = "II Escape and conversion", count = [38, 8] },
;!   { row = "bits=64,value=large", section = "II Escape and conversion", count = [38, 8] },
;!   { row = "go=1.19,value=large", section = "II Escape and conversion", count = [40, 8] },
;! ]

; An interface holds a pointer, so a scalar needs a place in memory. A byte has one already, in a
; table of the runtime. Since Go 1.15 so has every value under 256 (`value=small`), which
; runtime.convT32 and its like look at; up to Go 1.14 they allocate for all that is not zero. The value is
; the object's id, or 1000 more; the interface goes to a global variable, and the pointer in it is
; followed for the result, which is one load more than the conversion has.
;
; To an interface with methods (`to=iface`) the first word is an itab; the rest is the same, but that
; Go 1.10 has functions of their own for it.

{% set word = "type.uint" ~ bits if to == "eface" else "go.itab.main.Num,main.Numberer" %}
{% macro load(into, from) %}
{%- if bits == 8 %}        movzx e{{ into }}x, byte [{{ from }}]
{%- elif bits == 16 %}        movzx e{{ into }}x, word [{{ from }}]
{%- else %}        mov  {{ "r" if bits == 64 else "e" }}{{ into }}x, [{{ from }}]
{%- endif %}
{%- endmacro %}
body:                                   ; rax = pointer to the value
{{ load("a", "rax") }}
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
{% if go_minor >= 12 %}
        cmp  dword ["runtime.writeBarrier"], 0
{% else %}
        mov  ecx, ["runtime.writeBarrier"]
        test ecx, ecx
{% endif %}
        jne  barrier
        mov  ["main.Sink" + 8], rax
{{ load("a", "rax") }}
{% if value == "large" and bits > 8 %}
        sub  eax, 1000
{% endif %}

func "main.barrier":                    ; nothing collects garbage here, so the flag is never set
barrier: ud2

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
