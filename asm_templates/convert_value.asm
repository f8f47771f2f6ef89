;! title    = "a value of several words becomes an interface value"
;! heap     = "pointer"
;! types    = "main.T"
;! params   = { go = ["1.27", "1.19", "1.16", "1.15", "1.14", "1.13", "1.12", "1.11", "1.10"], kind = ["string", "slice", "struct", "plain"], to = ["eface", "iface"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Interface holding a scalar type"

; Strings and slices have a function of their own, which allocates their two or three words. All other
; types go through one that allocates as much as the type says and copies it: with pointers in it
; (kind=struct, which holds a number and a string) by typedmemmove, without (kind=plain, three numbers)
; by memmove. The strings and slices here are the object; the structs hold its id. The result is read
; out of the copy.

{% import "go/barrier.asm" as barriers %}
{% set word = {"string": "type.string", "slice": "type.[]uint8"}[kind] if to == "eface" and kind in ["string", "slice"]
    else "type.main.V" if to == "eface" else "go.itab.main.V,main.I" %}
{% macro make() %}
{%- if kind == "string" %}
        mov  [rsp + 64], rax
        mov  qword [rsp + 72], 16
{%- elif kind == "slice" %}
        mov  [rsp + 64], rax
        mov  qword [rsp + 72], 16
        mov  qword [rsp + 80], 16
{%- else %}
        mov  ecx, [rax]
        mov  [rsp + 64], rcx
        mov  [rsp + 72], rax
        mov  qword [rsp + 80], 16
{%- endif %}
{%- endmacro %}
body:                                   ; rax = pointer
{% if abi == "register" %}
{% if kind == "string" %}
        mov  ebx, 16                    ; its length
        call "runtime.convTstring"
{% elif kind == "slice" %}
        mov  ebx, 16                    ; its length
        mov  ecx, 16                    ; and capacity
        call "runtime.convTslice"
{% else %}
{{- make() }}
        lea  rax, ["type.main.V"]
        lea  rbx, [rsp + 64]
        call "runtime.convT{{ "noptr" if kind == "plain" else "" }}"
{% endif %}
        lea  rcx, ["{{ word }}"]
        mov  ["main.Sink"], rcx
{% elif go_minor >= 12 and kind in ["string", "slice"] %}
        mov  [rsp], rax
        mov  qword [rsp + 8], 16        ; its length
{% if kind == "slice" %}
        mov  qword [rsp + 16], 16       ; and capacity
{% endif %}
        call "runtime.convT{{ kind }}"
        mov  rax, [rsp + {{ 24 if kind == "slice" else 16 }}]
        lea  rcx, ["{{ word }}"]
        mov  ["main.Sink"], rcx
{% else %}
{{- make() }}
        lea  rax, ["{{ word }}"]
        mov  [rsp], rax
        lea  rcx, [rsp + 64]
        mov  [rsp + 8], rcx
        call "runtime.convT2{{ "E" if to == "eface" else "I" }}{{ {"struct": "", "plain": "noptr"}[kind] if kind in ["struct", "plain"] else kind }}"
        mov  rcx, [rsp + 16]
        mov  rax, [rsp + 24]
        mov  ["main.Sink"], rcx
{% endif %}
{{ barriers.store("rax", "rcx", '["main.Sink" + 8]', "barrier", "esi") }}
        mov  ["main.Sink" + 8], rax
stored:
{% if kind in ["string", "slice"] %}
        mov  rax, [rax]
{% endif %}
        mov  eax, [rax]

{{ barriers.slow("rax", '["main.Sink" + 8]', "barrier") }}

data "type.main.V": dq {{ {"string": 16, "slice": 24, "struct": 24, "plain": 24}[kind] }}, {{ {"string": 8, "slice": 8, "struct": 16, "plain": 0}[kind] }}
        dd hash("main.V"), 0
        dq 0, 0, 0
data "go.itab.main.V,main.I": dq 0, "type.main.V"
        dd hash("main.V"), 0
        dq "main.(*V).Id"
func "main.(*V).Id":                    ; nobody calls it
        ud2
data "main.Sink": dq 0, 0
