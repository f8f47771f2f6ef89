;! title    = "call through an interface that is composed of two"
;! heap     = "iface"
;! types    = "*main.Calculator"
;! methods  = ["Add(int32, int32) int32", "Sub(int64, int64) int64"]
;! params   = { go = ["1.27", "1.26", "1.25", "1.19", "1.10"], method = ["Sub", "Add"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = 42
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Interface composition"

; `type Mather interface { Adder; Subber }` has the methods of both, so its itab has a slot for each, in
; the order of their names, as if they had been written there. A call does what it does through any
; interface. The dynamic type is a pointer, *Calculator: the itab and its hash are those of the
; pointer type, the methods those of Calculator. The call is Sub(52, 10) or Add(10, 32).

{% set is_sub = method == "Sub" %}
body:                                   ; rax = itab, rbx = data
{% if abi == "register" %}
        mov  rdx, [rax + {{ 32 if is_sub else 24 }}]            ; itab.fun
        mov  rax, rbx
        mov  ebx, {{ 52 if is_sub else 10 }}
        mov  ecx, {{ 10 if is_sub else 32 }}
site:   call rdx
{% else %}
        mov  rdx, [rax + {{ 32 if is_sub else 24 }}]            ; itab.fun
        mov  rcx, {{ "0xa00000034" if is_sub else "0x200000000a" }}
        mov  [rsp + 8], rcx             ; both arguments
        mov  [rsp], rbx
site:   call rdx
        mov  eax, [rsp + 16]
{% endif %}

{% for name in methods %}
func "main.(*Calculator).{{ name }}":
{% if abi == "stack" %}
{% if name == "Add" %}
        mov  eax, [rsp + 20]
        mov  ecx, [rsp + 16]
        add  eax, ecx
{% else %}
        mov  eax, [rsp + 16]
        mov  ecx, [rsp + 20]
        sub  eax, ecx
{% endif %}
        mov  [rsp + 24], eax
{% elif name == "Add" %}
        lea  eax, [rbx + rcx]
{% else %}
        sub  ebx, ecx
        mov  eax, ebx
{% endif %}
        ret
{% endfor %}
